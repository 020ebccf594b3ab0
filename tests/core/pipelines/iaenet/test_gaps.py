"""What a scan did not measure is filled in the pictures that the 2D expert sees."""

from __future__ import annotations

import numpy as np

from core.pipelines.iaenet.config import IaenetConfig
from core.pipelines.iaenet.frame import Frame
from core.pipelines.iaenet.pictures import SIZE, Photographer
from core.progress import Progress
from core.scan import Scan


def box(seed: int, gap: bool = False) -> Scan:
    """A lopsided box; with a ``gap`` a patch of its top was not measured."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (4000, 3))
    face = rng.integers(3, size=len(points))
    points[np.arange(len(points)), face] = np.sign(points[np.arange(len(points)), face])
    points *= np.array([20.0, 12.0, 5.0])
    points[:, 2] += np.where((points[:, 2] > 0) & (points[:, 0] > 8), 3.0, 0.0)
    if gap:
        points = points[~((points[:, 2] > 0) & (np.hypot(points[:, 0], points[:, 1]) < 4.0))]
    return Scan(points.astype(np.float32), name=f"box {seed}")


def test_pictures_show_what_fills_a_gap() -> None:
    config = IaenetConfig.preset("fast", background="none", voxel_points=1200, views=2)
    frame, prepared, first = Frame.learn([box(seed) for seed in range(3)], config, 0, Progress())
    assert frame.surface is not None
    photographer = Photographer.learn(prepared, first, True, config)
    whole, lacking = (frame.prepare(box(7, gap)) for gap in (False, True))
    assert len(lacking.filling) > len(whole.filling) + 10
    assert lacking.normals.shape == lacking.cloud.shape
    assert lacking.filling_normals.shape == lacking.filling.shape
    shown = 0
    for picture in photographer.take(lacking):
        at = picture.index - len(lacking.cloud)
        shown += int((at >= 0).sum())
        assert picture.index.shape == (SIZE, SIZE)
        assert at.max() < len(lacking.filling)
        assert picture.visible.shape == (len(lacking.cloud),)
        assert picture.dense_pixels.shape == (len(lacking.dense), 2)
    assert shown > 50
    again = Frame.from_state(frame.state()).prepare(box(7, gap=True))
    assert np.array_equal(again.filling, lacking.filling)
    assert np.array_equal(again.normals, lacking.normals)
