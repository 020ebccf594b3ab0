"""DUS-Net as a whole on small parts: it repairs, it judges, it repeats itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from core.errors import RegistrationError, ScanError
from core.geometry.neighbors import nearest
from core.pipelines.dus_net.config import DusNetConfig
from core.pipelines.dus_net.pipeline import DusNetPipeline
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan

Fit = Callable[..., DusNetPipeline]
Part = Callable[..., Scan]
BAR = 0.97


def auroc(model: DusNetPipeline, scan: Scan) -> float:
    assert scan.labels is not None
    return float(roc_auc_score(scan.labels, model.score(scan, Progress()).points))


def test_a_dented_part_is_rebuilt_without_its_dent(fitted: Fit, part: Part) -> None:
    scan = part(50, depth=1.2)
    scores = fitted().score(scan, Progress())
    made = scores.reconstruction
    assert made is not None
    assert scan.labels is not None
    truth = part(999, count=60_000).points
    about = np.hypot(made[:, 0] - 8, made[:, 1] - 4) < 2.0
    assert about.sum() > 15
    off = made[about, 2] - truth[nearest(truth, made[about], 1)[1][:, 0], 2]
    assert np.abs(np.median(off)) < 0.12  # of a dent of 1.2
    deepest = scan.labels & (np.hypot(scan.points[:, 0] - 8, scan.points[:, 1] - 4) < 0.7)
    assert scores.heights is not None
    assert np.median(scores.heights[deepest]) == pytest.approx(-1.1, abs=0.15)
    assert scores.maps["displacement"].values[deepest].mean() > 0.5


def test_it_finds_the_dent(fitted: Fit, part: Part) -> None:
    assert auroc(fitted(), part(51, depth=1.0)) > BAR
    good = [fitted().score(part(seed), Progress()).object for seed in (60, 61)]
    bad = [fitted().score(part(seed, depth=0.6), Progress()).object for seed in (62, 63)]
    assert min(bad) > 1.5 * max(good)


@pytest.mark.parametrize("broken", [{"down_net": False}, {"memory": False, "follow": False}])
def test_what_does_not_repair_misses_the_bar(fitted: Fit, part: Part, broken: dict[str, bool]) -> None:
    assert auroc(fitted(**broken), part(51, depth=1.0)) < BAR


def test_the_papers_score_is_the_weighted_distance(fitted: Fit, part: Part) -> None:
    scores = fitted(score="distance", object_share=0.0, relative=False).score(part(52, depth=1.0), Progress())
    distance = scores.maps["distance"].values
    assert scores.object == pytest.approx(float(np.nanmax(scores.points)))
    # In part radii, and weights near two thirds.
    ratio = np.median(scores.points / distance)
    plain = fitted(score="distance", object_share=0.0, relative=False, weighting=False)
    plain_points = plain.score(part(52, depth=1.0), Progress()).points
    assert np.median(scores.points / plain_points) == pytest.approx(2 / 3, abs=0.02)
    assert ratio == pytest.approx(2 / 3 / 23.6, rel=0.1)


def test_half_a_part_is_not_flagged_where_it_ends(fitted: Fit, part: Part) -> None:
    whole, half = part(53), part(54, half=True, count=2500)
    usual = np.nanquantile(fitted().score(whole, Progress()).points, 0.995)
    points = fitted().score(half, Progress()).points
    edge = half.points[:, 0] > -1.0
    assert np.nanmean(points[edge] > usual) < 0.03


def test_the_noise_is_the_same_on_every_inspection_and_another_for_another_seed(fitted: Fit, part: Part) -> None:
    scan = part(55, depth=0.5)
    first, again = (fitted().score(scan, Progress()) for _ in range(2))
    assert np.array_equal(first.points, again.points)
    other = DusNetPipeline(fitted().config, Runtime(torch.device("cpu"), seed=9))
    other.load_state(fitted().state())
    assert not np.array_equal(first.points, other.score(scan, Progress()).points)


def test_the_reconstruction_lies_where_the_scan_does(fitted: Fit, part: Part) -> None:
    """A scan that was turned and shifted is rebuilt in its own frame."""
    scan = part(56, depth=1.0)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    moved = scan.replaced(points=(scan.points @ turn.T + 30).astype(np.float32), normals=None)
    made = fitted().score(moved, Progress()).reconstruction
    assert made is not None
    assert np.quantile(nearest(moved.points, made, 1)[0], 0.95) < 1.3


def test_another_part_is_refused_and_not_scored(fitted: Fit) -> None:
    rng = np.random.default_rng(0)
    stranger = rng.uniform(-16, 16, (4000, 3)).astype(np.float32)
    with pytest.raises(RegistrationError, match="stranger"):
        fitted().score(Scan(stranger, name="stranger"), Progress())
    with pytest.raises(ScanError):
        fitted().score(Scan(np.float32(0.001) * stranger, name="small"), Progress())


@pytest.mark.gpu
def test_cuda_says_what_the_cpu_says(fitted: Fit, part: Part) -> None:
    scan = part(57, depth=1.0)
    model = DusNetPipeline(fitted().config, Runtime(torch.device("cuda"), seed=1))
    model.load_state(fitted().state())
    here, there = (one.score(scan, Progress()) for one in (fitted(), model))
    assert np.quantile(np.abs(here.points - there.points), 0.99) < 0.02 * float(np.ptp(here.points))
    assert there.object == pytest.approx(here.object, rel=0.02)


def test_one_good_scan_is_too_few(part: Part) -> None:
    model = DusNetPipeline(DusNetConfig.preset("fast"), Runtime(torch.device("cpu")))
    with pytest.raises(ScanError, match="needs 2"):
        model.fit([part(0)], Progress())


def test_presets() -> None:
    paper, fast = DusNetConfig.preset("paper"), DusNetConfig.preset("fast")
    assert (paper.patches, paper.patch_points, paper.upsampling, paper.alpha, paper.beta) == (8192, 640, 8, 0.08, 0.15)
    assert (paper.score, paper.weighting, paper.object_share, paper.memory) == ("distance", True, 0.0, False)
    assert (fast.memory, fast.score) == (True, "height")
    assert DusNetConfig(start=False).named_features(images=False) == {}
    assert paper.named_features(images=False) == {"weights": "auto"}
