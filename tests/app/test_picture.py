"""The picture beside the 3D view: what it shows, that it follows, and the cursor that joins both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.viewer.colormaps import LIGHT, sequential
from app.viewer.field import Field, ViewMode
from app.viewer.painting import colors_of
from app.viewer.picture_layers import PictureLayers
from core.geometry.relief import relief
from core.scan import Scan

ROWS, COLUMNS = 30, 50


def grid_cloud(seed: int, bump: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.arange(1.0, ROWS + 1), np.arange(1.0, COLUMNS + 1), indexing="ij")
    z = 5 + rng.normal(0, 0.02, x.shape) + bump * np.exp(-((x - 30) ** 2 + (y - 12) ** 2) / 8)
    cloud = np.stack([x, y, z], axis=-1).astype(np.float32)
    cloud[0, :5] = 0  # not measured
    return cloud


@pytest.fixture(scope="session")
def organised_parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import tifffile

    root = tmp_path_factory.mktemp("organised") / "sheet"
    places = [("train/good", i, 0.0) for i in range(6)] + [("test/good", 90, 0.0), ("test/bump", 91, 2.0)]
    for place, seed, bump in places:
        for kind in ("xyz", "rgb"):
            (root / place / kind).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(root / place / "xyz" / f"{seed:03}.tiff", grid_cloud(seed, bump), photometric="rgb")
        image = np.random.default_rng(seed).integers(60, 90, (ROWS, COLUMNS, 3)).astype(np.uint8)
        Image.fromarray(image).save(root / place / "rgb" / f"{seed:03}.png")
    return root


@pytest.fixture
def organised(session: Any, organised_parts: Path, idle: Callable[[Any], None]) -> Any:
    """A session with the sheets open, a stub model trained and chosen, and the bumped sheet shown and judged."""
    from app import several_work, work
    from core.progress import Progress

    category = work.recognise(organised_parts, "mm", None)
    made = several_work.train(work.TrainRequest(category, "stub", "fast"), session.library, "cpu", False, Progress())
    session.add_category(category)
    session.choose_model(made.path)
    idle(session)
    session.inspect()
    idle(session)
    return session


@pytest.fixture
def window(organised: Any, make_window: Callable[..., Any], qtbot: QtBot) -> Any:
    made = make_window(organised)
    made.actions_by_id["show_picture"].trigger()
    qtbot.waitUntil(lambda: made.picture.isVisible())
    QTest.qWait(30)
    return made


def hover(view: Any, at: QPointF) -> None:
    """Move the mouse there, no button held."""
    viewport = view.viewport()
    none = Qt.MouseButton.NoButton
    kind, keys = QEvent.Type.MouseMove, Qt.KeyboardModifier.NoModifier
    event = QMouseEvent(kind, at, QPointF(viewport.mapToGlobal(at.toPoint())), none, none, keys)
    QApplication.sendEvent(viewport, event)


def scan_of(cloud: np.ndarray, **more: Any) -> Scan:
    seen = (cloud != 0).any(axis=2)
    grid = np.full(seen.shape, -1, np.int32)
    grid[seen] = np.arange(seen.sum())
    return Scan(cloud[seen], grid=grid, **more)


def test_a_lit_plane_is_even_and_a_step_is_not() -> None:
    flat = scan_of(grid_cloud(0) * [1, 1, 0] + [0, 0, 5] * (grid_cloud(0) != 0))
    bright = relief(flat.points, flat.grid)
    assert np.isnan(bright[0, :5]).all()
    assert np.nanmax(bright) - np.nanmin(bright) < 1e-5
    bumped = scan_of(grid_cloud(0, bump=4.0))
    assert np.nanstd(relief(bumped.points, bumped.grid)) > 0.02


def test_every_point_lies_on_its_pixel() -> None:
    layers = PictureLayers(scan_of(grid_cloud(1)))
    for index in (0, 17, len(layers.scan) - 1):
        assert layers.point_at(*layers.pixel_of(index)) == index
    assert layers.point_at(0, 2) == -1, "nothing was measured there"
    assert layers.point_at(-1, 0) == layers.point_at(0, COLUMNS) == -1


def test_the_layer_has_the_colours_of_the_field_and_is_clear_elsewhere() -> None:
    scan = scan_of(grid_cloud(1))
    layers = PictureLayers(scan)
    values = np.linspace(0, 1, len(scan), dtype=np.float32)
    values[7] = np.nan
    field = Field(values, "Score", low=0.0, high=1.0)
    layer = layers.over(ViewMode.HEATMAP, field, None, "turbo", LIGHT)
    assert layer[0, 2, 3] == 0
    assert layer[(*layers.pixel_of(7), 3)] == 0, "not judged"
    assert tuple(layer[layers.pixel_of(0)]) == (*sequential("turbo")[0], 255)
    assert tuple(layer[layers.pixel_of(len(scan) - 1)]) == (*sequential("turbo")[255], 255)
    assert tuple(colors_of(field, "turbo", (1, 2, 3))[7]) == (1, 2, 3)


def test_the_rim_goes_around_the_marked_pixels() -> None:
    layers = PictureLayers(scan_of(grid_cloud(1)))
    mask = np.zeros(len(layers.scan), bool)
    mask[[layers.point_at(10, 20), layers.point_at(10, 21)]] = True
    x, y = layers.rim(mask)
    assert len(x) == len(y) == 2 * 6, "two pixels side by side have six sides"
    assert (x.min(), x.max(), y.min(), y.max()) == (20, 22, 10, 11)
    assert len(layers.rim(None)[0]) == 0


def test_it_shows_the_photograph_with_the_map_and_the_rim(window: Any) -> None:
    view, session = window.picture.view, window.session
    assert window.picture.stack.currentWidget() is view
    assert np.array_equal(view.ground.image, session.scan.image)
    assert view.layer.image.shape == (ROWS, COLUMNS, 4)
    marked = np.zeros(session.scan.grid.shape, bool)
    seen = session.scan.grid >= 0
    marked[seen] = (session.inspection.defects.ids > 0)[session.scan.grid[seen]]
    assert marked[12, 29], "the bump is marked"
    assert len(view.rim.getData()[0]) > 0
    window.picture.ground.setCurrentIndex(1)
    window.picture.ground.activated.emit(1)
    assert (view.ground.image[..., 0] == view.ground.image[..., 1]).all(), "the shape is grey"


def test_it_follows_map_mode_and_threshold(window: Any) -> None:
    view, session = window.picture.view, window.session
    before = view.layer.image.copy()
    session.show_map("gate")
    assert not np.array_equal(view.layer.image, before)
    window.do_mode_mask()
    shown = view.layer.image[..., 3] > 0
    assert int(shown.sum()) == int((session.inspection.defects.ids > 0).sum())
    session.threshold_control.change(point=session.thresholds.point * 4)
    session.flush()
    assert int((view.layer.image[..., 3] > 0).sum()) == int((session.inspection.defects.ids > 0).sum())
    window.do_mode_rgb()
    assert not view.layer.image[..., 3].any(), "the photograph alone"


def test_the_cursor_over_the_picture_marks_the_point_in_the_view(window: Any) -> None:
    panel, session = window.picture, window.session
    view = panel.view
    hover(view, view.place_of(12, 29))

    assert window.viewer.last("set_pointed") == session.scan.grid[12, 29]
    assert "Row 12, column 29" in panel.reading.text()
    assert "Anomaly score" in panel.reading.text()
    view._point((-1, -1))
    assert window.viewer.last("set_pointed") == -1
    assert panel.reading.text() == ""


def test_a_click_picks_and_a_picked_point_is_marked(window: Any, qtbot: QtBot) -> None:
    view, session = window.picture.view, window.session
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.place_of(20, 10).toPoint())
    qtbot.waitUntil(lambda: session.picked == session.scan.grid[20, 10], timeout=3000)
    window.viewer.picked.emit(int(session.scan.grid[5, 40]))
    x, y = view.picked.getData()
    assert (float(x[0]), float(y[0])) == (40.5, 5.5)


def test_a_picked_point_outside_is_brought_into_sight(window: Any) -> None:
    view, session = window.picture.view, window.session
    whole = view.box.viewRect()
    session.pick(int(session.scan.grid[3, 3]))
    assert view.box.viewRect() == whole, "all of it is in sight"
    view.box.setRange(xRange=(0, 10), yRange=(0, 8), padding=0)
    view.box.sigRangeChangedManually.emit([True, True])
    session.pick(int(session.scan.grid[25, 45]))
    shown = view.box.viewRect()
    assert shown.left() < 45.5 < shown.right()
    assert shown.top() < 25.5 < shown.bottom()


def test_a_scan_without_a_grid_says_so(window: Any, parts: Path, idle: Callable[[Any], None]) -> None:
    window.session.scans.open_path(parts / "test" / "bump" / "000.ply")
    idle(window.session)
    panel = window.picture
    assert panel.stack.currentWidget() is panel.empty
    assert panel.empty.text().startswith("This scan has no grid")
    assert not panel.opacity.isEnabled()


def test_key_and_menu_show_and_hide_it(organised: Any, make_window: Callable[..., Any], qtbot: QtBot) -> None:
    window = make_window(organised)
    action = window.actions_by_id["show_picture"]
    assert not action.isChecked()
    assert window._docks["picture"].isHidden()
    window.viewer.setFocus()
    qtbot.keyClick(window.viewer, Qt.Key.Key_I)
    assert not window._docks["picture"].isHidden()
    assert action.isChecked()
    window._docks["picture"].close()
    assert not action.isChecked()
