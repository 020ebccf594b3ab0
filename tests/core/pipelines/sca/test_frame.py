"""What patches are cut from: the scan in its category's pose, whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from core.pipelines.sca.config import ScaConfig
from core.pipelines.sca.frame import Frame
from core.pipelines.sca.pipeline import ScaPipeline
from core.progress import Progress
from core.scan import Scan

Part = Callable[..., Scan]


@pytest.fixture
def dense(part: Part) -> list[Scan]:
    """Good parts of so many points that no voxel is empty by chance."""
    return [part(seed, count=12_000) for seed in range(5)]


def torn(scan: Scan, radius: float = 4.0) -> Scan:
    """Without what lies around (8, 4)."""
    away = np.hypot(scan.points[:, 0] - 8, scan.points[:, 1] - 4) > radius
    return replace(scan, points=scan.points[away], labels=None)


def learned(dense: list[Scan], **changes: object) -> Frame:
    config = ScaConfig.preset("fast", voxel_points=1000, **changes)
    return Frame.learn(dense, config, 0, Progress())[0]


def test_what_a_scan_did_not_measure_is_filled_and_gets_no_score_of_its_own(dense: list[Scan], part: Part) -> None:
    frame = learned(dense)
    whole, scan = part(7, count=12_000), torn(part(7, count=12_000))
    assert len(frame.place(whole).filling) < 5
    placed = frame.place(scan)
    assert len(placed.filling) > 20
    middle = np.array([8, 4]) / frame.radius
    filled = placed.filling[:, :2] + (frame.center / frame.radius)[:2]
    assert (np.hypot(*(filled - middle).T) < 5.0 / frame.radius).all()
    assert len(placed.whole) == len(placed.points) + len(placed.filling)
    values = np.arange(len(placed.whole), dtype=np.float32)
    assert placed.to_scan(values).max() < len(placed.points)


def test_the_good_surface_is_kept(dense: list[Scan], part: Part) -> None:
    frame = learned(dense)
    again = Frame.from_state(frame.state())
    scan = torn(part(7, count=12_000))
    assert np.array_equal(again.place(scan).whole, frame.place(scan).whole)
    bare = learned(dense, fill_gaps=False)
    assert bare.surface is None
    assert Frame.from_state(bare.state()).surface is None
    assert len(bare.place(scan).filling) == 0


def test_scans_without_a_common_pose_are_not_filled(dense: list[Scan], part: Part) -> None:
    frame = learned(dense, align="none")
    assert frame.surface is None
    assert len(frame.place(torn(part(7, count=12_000))).filling) == 0


def test_a_gap_raises_no_alarm(pipeline: Callable[..., ScaPipeline], dense: list[Scan], part: Part) -> None:
    rises = {}
    for fills in (True, False):
        model = pipeline(fill_gaps=fills)
        model.fit(dense, Progress())
        objects = [
            [model.score(change(part(seed, count=12_000)), Progress()).object for seed in (20, 21, 22)]
            for change in (lambda scan: scan, torn)
        ]
        rises[fills] = float(np.mean(objects[1]) - np.mean(objects[0]))
    assert rises[True] < 0.5 * rises[False]
