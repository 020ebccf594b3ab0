"""Small parts and small views: a software renderer draws these tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from PySide6.QtGui import QImage

from app.viewer.viewer import Viewer
from core.scan import Scan


@dataclass
class Box:
    """A defect, as far as the view asks."""

    id: int
    position: tuple[float, float, float]
    bounds: tuple[tuple[float, float, float], tuple[float, float, float]]
    height: float | None = None
    area: float | None = None


def plate(side: int = 60, z: float = 0.0) -> np.ndarray:
    """(side², 3) grid of points over [-10, 10]² at height ``z``."""
    x, y = np.meshgrid(np.linspace(-10, 10, side), np.linspace(-10, 10, side))
    return np.stack([x.ravel(), y.ravel(), np.full(x.size, z)], axis=1).astype(np.float32)


@pytest.fixture
def scan() -> Scan:
    """A flat plate of 3,600 points."""
    points = plate()
    return Scan(points=points, labels=np.hypot(points[:, 0] - 5, points[:, 1] - 5) < 2.5)


@pytest.fixture
def make_viewer(qtbot: object) -> Iterator[Callable[..., Viewer]]:
    """Views that are closed after the test."""
    made: list[Viewer] = []

    def make(width: int = 320, height: int = 260, **options: object) -> Viewer:
        viewer = Viewer(**options)  # type: ignore[arg-type]
        viewer.resize(width, height)
        viewer.set_theme(dark=True)
        viewer.set_eye_dome(False)
        viewer.show()
        qtbot.waitExposed(viewer)  # type: ignore[attr-defined]
        made.append(viewer)
        return viewer

    yield make
    for viewer in made:
        viewer.close()
        viewer.deleteLater()


@pytest.fixture
def viewer(make_viewer: Callable[..., Viewer]) -> Viewer:
    return make_viewer()


def pixels(image: QImage) -> np.ndarray:
    """(height, width, 3) uint8 of a picture, one entry a pixel of the widget."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3).copy()


@pytest.fixture
def pixels_of() -> Callable[[QImage], np.ndarray]:
    """``pixels``, for tests."""
    return pixels


@pytest.fixture
def color_at() -> Callable[[Viewer, int], np.ndarray]:
    """The colour of the picture, without annotations, where a point of the scan lies."""

    def color(viewer: Viewer, index: int) -> np.ndarray:
        picture = pixels(viewer.screenshot(annotated=False))
        x, y = viewer.pixel_of(index)
        return picture[int(y), int(x)].astype(int)

    return color
