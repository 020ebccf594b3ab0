"""Scans that show only a piece, good scans that showed only a piece, strays, and other poses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from sklearn.metrics import roc_auc_score

from core.pipelines.deviation.config import DeviationConfig
from core.pipelines.deviation.pipeline import DeviationPipeline
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan

NOISE = 0.04


def block(seed: int, bump: float = 0.0, count: int = 5000) -> Scan:
    """The upper side of a block 60 x 40 mm with a step, a rib and a dome; a bump of 4 mm radius at (-15, 8)."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-30, 30, count), rng.uniform(-20, 20, count)
    z = np.where(x > 5, 6.0, 0.0) + 4.0 * np.exp(-((y + 12) ** 2) / 8)
    z += 5.0 * np.exp(-((x + 20) ** 2 + y**2) / 20)
    raised = np.where(np.hypot(x + 15, y - 8) < 4, bump, 0.0)
    z = z + raised + rng.normal(0, NOISE, count)
    return Scan(np.column_stack([x, y, z]).astype(np.float32), labels=raised != 0, name=f"block {seed}")


def fit(scans: list[Scan], **changes: object) -> DeviationPipeline:
    values = {"pose": "fixed", "background": "none", "rounds": 1} | changes
    model = DeviationPipeline(DeviationConfig.preset("paper", **values), Runtime(torch.device("cpu")))
    model.fit(scans, Progress())
    return model


def left(scan: Scan, limit: float) -> Scan:
    return scan.select(scan.points[:, 0] < limit)


@pytest.fixture(scope="module")
def model() -> DeviationPipeline:
    return fit([block(seed) for seed in range(5)])


def test_the_border_of_a_partial_scan_is_not_flagged(model):
    whole, part = block(100), left(block(100), -2.0)
    score = model.score(part, Progress())
    assert score.judged.all()
    near = part.points[:, 0] > -4.0
    assert np.quantile(score.points[near], 0.99) < 1.3 * np.quantile(score.points[~near], 0.99) + 0.3
    assert score.object < 1.25 * model.score(whole, Progress()).object


def test_a_defect_on_a_partial_scan_is_found(model):
    part = left(block(101, bump=0.6), -2.0)
    scores = model.score(part, Progress())
    assert roc_auc_score(part.labels, scores.points) > 0.99
    assert scores.object > 2 * model.score(left(block(102), -2.0), Progress()).object


def test_what_no_good_scan_showed_is_not_judged():
    model = fit([left(block(seed), -8.0) for seed in range(5)])
    scan = left(block(103), 4.5)
    scores = model.score(scan, Progress())
    assert not scores.judged[scan.points[:, 0] > -6.0].any()
    assert scores.judged[scan.points[:, 0] < -8.0].all()
    assert scores.object < 1.5 * model.score(left(block(104), -8.0), Progress()).object


def test_a_burr_at_the_border_is_judged():
    model = fit([left(block(seed), 0.0) for seed in range(5)], pose="fixed")
    good = left(block(105), 0.0)
    rng = np.random.default_rng(0)
    y = rng.uniform(3, 6, 60)
    flat = np.column_stack([rng.uniform(0.2, 2.5, 60), y, np.zeros(60)])
    high = np.column_stack([rng.normal(-0.2, 0.2, 60), y, rng.uniform(0.3, 1.5, 60)])
    for burr in (flat, high):
        scan = Scan(np.concatenate([good.points, burr.astype(np.float32)]))
        scores = model.score(scan, Progress())
        assert scores.judged[-60:].all()
        assert np.median(scores.points[-60:]) > 3
        assert scores.object > 2 * model.score(good, Progress()).object


def test_a_stray_point_is_marked_but_condemns_no_part(model):
    good = block(106)
    strays = np.float32([[-10, 5, 9], [12, -3, 14], [-20, -5, 8]])
    scores = model.score(Scan(np.concatenate([good.points, strays])), Progress())
    assert scores.points[-3:].min() > 10
    assert scores.object == pytest.approx(model.score(good, Progress()).object, rel=0.05)


@pytest.mark.parametrize("share", [4, 8])
def test_a_sparser_scan_still_tells_good_from_bad(model, share):
    objects = {}
    for bump in (0.0, 2.0):
        scan = block(100, bump=bump)
        kept = np.random.default_rng(0).permutation(len(scan))[: len(scan) // share]
        objects[bump] = model.score(Scan(scan.points[kept]), Progress()).object
    assert objects[2.0] > 2 * objects[0.0]


def test_a_scan_in_another_pose_than_the_good_ones_is_turned_back():
    model = fit([block(seed, count=2000) for seed in range(3)], pose="auto")
    assert not bool(model.state()["any_pose"])
    scan = block(107, bump=0.8, count=2000)
    turn = Rotation.from_euler("zyx", (170, 15, -20), degrees=True).as_matrix()
    turned = scan.replaced(points=(scan.points @ turn.T + (80, -30, 5)).astype(np.float32))
    assert roc_auc_score(scan.labels, model.score(turned, Progress()).points) > 0.99


def test_the_reconstruction_is_the_good_part_in_the_frame_of_the_scan(model):
    scan = block(108, bump=1.5)
    shifted = scan.replaced(points=scan.points + np.float32([1.0, -0.5, 0.3]))
    surface = model.score(shifted, Progress()).reconstruction
    inside = np.hypot(surface[:, 0] + 14, surface[:, 1] - 7.5) < 2
    bump = np.hypot(scan.points[:, 0] + 15, scan.points[:, 1] - 8) < 2
    # The good part has no bump: its surface lies 1.5 below the measured one there.
    assert np.median(shifted.points[bump, 2]) - np.median(surface[inside, 2]) == pytest.approx(1.5, abs=0.15)
    metres = shifted.replaced(points=shifted.points / np.float32(1000), unit="m")
    assert np.ptp(model.score(metres, Progress()).reconstruction[:, 0]) == pytest.approx(0.06, rel=0.05)
