from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from sklearn.metrics import roc_auc_score

from core.errors import ModelError, NominalError, RegistrationError, ScanError
from core.geometry.discs import Smoothing, smoothed
from core.geometry.orientation import oriented, outward
from core.pipelines.deviation.config import DeviationConfig
from core.pipelines.deviation.pipeline import DeviationPipeline, top_mean
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan

NOISE = 0.05


def block(seed: int, bump: float = 0.0, warp: float = 0.0, count: int = 4000, noise: float = NOISE) -> Scan:
    """The upper side of a block 60 x 40 mm with a step and a rib, noise upwards; a bump of 4 mm radius at (-15, 8).

    ``warp`` lifts the end x > 20 by a random amount of that standard deviation: good parts differ there.
    """
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-30, 30, count), rng.uniform(-20, 20, count)
    z = np.where(x > 5, 6.0, 0.0) + 4.0 * np.exp(-((y + 12) ** 2) / 8) + 0.02 * y * x / 10
    distance = np.hypot(x + 15, y - 8)
    raised = np.where(distance < 4, bump, 0.0)
    z = z + raised + np.where(x > 20, warp * rng.normal(), 0.0) + rng.normal(0, noise, count)
    return Scan(np.column_stack([x, y, z]).astype(np.float32), labels=raised != 0, name=f"block {seed}")


def moved(scan: Scan, degrees: tuple[float, float, float], shift: tuple[float, float, float]) -> Scan:
    turn = Rotation.from_euler("zyx", degrees, degrees=True).as_matrix()
    return scan.replaced(points=(scan.points @ turn.T + shift).astype(np.float32))


def fit(scans: list[Scan], **changes: object) -> DeviationPipeline:
    values = {"pose": "fixed", "background": "none", "rounds": 1} | changes
    model = DeviationPipeline(DeviationConfig.preset("paper", **values), Runtime(torch.device("cpu")))
    model.fit(scans, Progress())
    return model


@pytest.fixture(scope="module")
def model() -> DeviationPipeline:
    return fit([block(seed) for seed in range(6)])


@pytest.mark.parametrize("bump", [0.5, -0.5, 1.5])
def test_a_bump_reads_its_height(model, bump):
    scan = block(100, bump=bump)
    scores = model.score(scan, Progress())
    heights = scores.heights
    inner = np.hypot(scan.points[:, 0] + 15, scan.points[:, 1] - 8) < 2.5
    far = np.hypot(scan.points[:, 0] + 15, scan.points[:, 1] - 8) > 6
    assert np.median(heights[inner]) == pytest.approx(bump, abs=0.03)
    assert abs(np.median(heights[far])) < 0.01
    assert scores.maps["distance"].values[inner].min() > 0.5 * abs(bump)
    assert roc_auc_score(scan.labels, scores.points) > 0.99


def test_scores_are_distances_in_local_spreads(model):
    scores = model.score(block(101), Progress())
    distance, spread = scores.maps["distance"].values, scores.maps["local_spread"].values
    assert scores.points == pytest.approx(distance / spread, rel=1e-4)
    # Means over about 18 points of noise 0.05, the nominal surface itself a mean of few: of this size.
    assert NOISE / np.sqrt(18) < np.median(spread) < NOISE
    assert np.median(scores.points) < 1.5


def test_object_scores_part_good_from_bad(model):
    good = [model.score(block(200 + i), Progress()).object for i in range(4)]
    bad = [model.score(block(300 + i, bump=b), Progress()).object for i, b in enumerate((0.3, -0.3, 0.6))]
    assert min(bad) > max(good)


def test_where_good_parts_differ_more_is_forgiven():
    loose = fit([block(seed, warp=0.4) for seed in range(8)])
    scores = loose.score(block(102), Progress())
    x, spread = block(102).points[:, 0], scores.maps["local_spread"].values
    assert np.median(spread[x > 22]) > 2 * np.median(spread[x < 0])
    assert np.median(spread[x > 22]) == pytest.approx(0.4, rel=0.7)
    lifted = block(103)
    lifted = lifted.replaced(
        points=lifted.points + np.where(lifted.points[:, :1] > 20, [[0, 0, 0.4]], 0).astype(np.float32)
    )
    marked = loose.score(lifted, Progress()).points
    strict = fit([block(seed) for seed in range(8)]).score(lifted, Progress()).points
    end = lifted.points[:, 0] > 22
    assert np.median(strict[end]) > 2 * np.median(marked[end])


def test_few_scans_are_not_overconfident():
    # The spread of two scans at a place is drawn to the part's own, so that no place forgives nothing.
    two = fit([block(0), block(1)])
    spread = two.score(block(104), Progress()).maps["local_spread"].values
    assert spread.min() > 0.4 * np.median(spread)
    assert np.median(two.score(block(104), Progress()).points) < 1.5


def test_one_scan_is_enough_for_its_noise():
    scan = block(105, bump=1.0)
    assert roc_auc_score(scan.labels, fit([block(0)]).score(scan, Progress()).points) > 0.99


def test_any_pose_gives_the_same_reading():
    parts = [moved(block(s), (40.0 * s, 10.0 * s, 0), (5.0 * s, -3, 2)) for s in range(3)]
    model = fit(parts, pose="auto", background="auto", rounds=2)
    assert bool(model.state()["any_pose"])
    scan = block(106, bump=0.8)
    turned = moved(scan, (137, 20, -30), (100, -50, 7))
    inner = np.hypot(scan.points[:, 0] + 15, scan.points[:, 1] - 8) < 2.5
    a, b = (np.median(model.score(s, Progress()).heights[inner]) for s in (scan, turned))
    assert abs(a) == pytest.approx(0.8, abs=0.06)
    assert a == pytest.approx(b, abs=0.05)


def test_parts_that_lie_alike_are_not_searched_in_any_pose():
    parts = [moved(block(s), (2.0 * s, 1.0, 0), (s, -s, 0)) for s in range(3)]
    assert not bool(fit(parts, pose="auto").state()["any_pose"])


def test_scores_do_not_depend_on_the_order_of_points(model):
    scan = block(107, bump=0.5)
    order = np.random.default_rng(0).permutation(len(scan))
    assert np.array_equal(
        model.score(scan, Progress()).points[order], model.score(scan.select(order), Progress()).points
    )


def test_another_unit_is_converted(model):
    scan = block(108, bump=0.5)
    metres = scan.replaced(points=scan.points * np.float32(1e-3), unit="m")
    a, b = model.score(scan, Progress()), model.score(metres, Progress())
    assert b.object == pytest.approx(a.object, rel=0.02)
    assert np.abs(b.heights).max() == pytest.approx(np.abs(a.heights).max() / 1000, rel=0.02)


def test_stray_points_of_one_good_scan_are_no_surface():
    scans = [block(seed) for seed in range(6)]
    blob = np.random.default_rng(0).normal((-15, 8, 3.0), 0.2, (40, 3)).astype(np.float32)
    scans[2] = Scan(np.concatenate([scans[2].points, blob]))
    scan = block(109)
    scan = Scan(np.concatenate([scan.points, blob + np.float32(0.05)]))
    scores = fit(scans).score(scan, Progress())
    assert np.median(scores.maps["signed_deviation"].values[-40:]) > 2


def test_a_scan_of_something_else_is_refused(model):
    rng = np.random.default_rng(0)
    ball = rng.normal(size=(3000, 3))
    ball *= 200 / np.linalg.norm(ball, axis=1, keepdims=True)
    with pytest.raises(RegistrationError, match="ball"):
        model.score(Scan(ball.astype(np.float32), name="ball"), Progress())


def test_too_few_points_are_refused(model):
    with pytest.raises(NominalError, match="tiny"):
        model.score(Scan(block(0).points[:20], name="tiny"), Progress())


def test_nothing_to_learn_from():
    with pytest.raises(ScanError):
        fit([])


def test_a_state_that_lacks_something_is_refused(model):
    state = {k: v for k, v in model.state().items() if k != "nominal/spread"}
    other = DeviationPipeline(DeviationConfig(), Runtime(torch.device("cpu")))
    with pytest.raises(ModelError, match="spread"):
        other.load_state(state)
    with pytest.raises(ModelError):
        other.score(block(0), Progress())


def test_outside_is_told_by_normals_grid_or_shape():
    rng = np.random.default_rng(0)
    ball = rng.normal(size=(4000, 3))
    ball = (ball / np.linalg.norm(ball, axis=1, keepdims=True)).astype(np.float32)
    mixed = ball * rng.choice([-1, 1], (4000, 1)).astype(np.float32)
    assert outward(Scan(ball)) is None
    assert (np.einsum("ij,ij->i", oriented(ball + 5, mixed, None), ball) > 0).mean() > 0.99
    assert np.array_equal(outward(Scan(ball, normals=mixed)), mixed)
    grid = np.arange(4000, dtype=np.int32).reshape(40, 100)
    above = ball * np.float32([1, 1, 0.1])
    assert (outward(Scan(above, grid=grid))[:, 2] > 0).all()  # a height map
    assert (outward(Scan(above + np.float32([0, 0, 500]), grid=grid))[:, 2] < 0).all()  # seen from the origin


def test_smoothing_is_a_trimmed_mean_over_a_disc():
    points = np.column_stack([np.arange(50.0), np.zeros((50, 2))]).astype(np.float32)
    values = np.random.default_rng(0).normal(size=50).astype(np.float32)
    result = smoothed(values, Smoothing(5, 2.0).neighbours(points))
    for i in range(2, 48):
        assert result[i] == pytest.approx(np.sort(values[i - 2 : i + 3])[1:4].mean(), abs=1e-5)
    assert result[0] == pytest.approx(values[:3].mean(), abs=1e-5)  # three within reach: too few to trim
    assert np.array_equal(smoothed(values, Smoothing(1, 9.0).neighbours(points)), values)


def test_top_mean():
    values = np.arange(1000, dtype=np.float32)
    assert top_mean(values, 0.003) == 998
    assert top_mean(values, 0.0) == 999
    assert top_mean(values, 1.0) == pytest.approx(499.5)
