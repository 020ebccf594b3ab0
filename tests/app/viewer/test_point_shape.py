"""What one point looks like."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtGui import QImage

from app.viewer.viewer import Viewer
from core.scan import Scan


@pytest.mark.parametrize(("width", "area"), [(20.0, np.pi * 10.0**2), (4.0, 4.0**2)])
def test_wide_points_are_discs_and_narrow_ones_squares(
    make_viewer: Callable[..., Viewer], pixels_of: Callable[[QImage], np.ndarray], width: float, area: float
) -> None:
    around = [[x, y, 0.0] for x in (-10, 10) for y in (-10, 10)]
    viewer = make_viewer(width=300, height=300)
    viewer.set_scan(Scan(points=np.array([[0.0, 0.0, 0.0], *around], np.float32)))
    viewer.view("top")
    viewer._rig.arrive()
    viewer.set_point_size(width)
    picture = pixels_of(viewer.screenshot(annotated=False)).astype(int)
    x, y = np.round(viewer.pixel_of(0)).astype(int)
    cut = picture[y - 16 : y + 17, x - 16 : x + 17]
    drawn = np.abs(cut - cut[0, 0]).max(axis=2) > 30
    assert drawn.sum() == pytest.approx(area, rel=0.06)
