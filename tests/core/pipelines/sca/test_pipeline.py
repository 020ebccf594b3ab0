"""The pipeline as a whole: what it finds, what it refuses, and that it says the same twice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from core.errors import ModelError, NominalError, ScanError
from core.pipelines.sca.config import ScaConfig
from core.pipelines.sca.pipeline import ScaPipeline
from core.progress import CallbackProgress, Cancelled, Progress
from core.scan import Scan

Make = Callable[..., ScaPipeline]
Part = Callable[..., Scan]


@pytest.fixture
def fitted(pipeline: Make, fitted_state: dict[str, np.ndarray]) -> ScaPipeline:
    model = pipeline()
    model.load_state(fitted_state)
    return model


def test_a_bulge_is_found_where_it_is(fitted: ScaPipeline, part: Part) -> None:
    defective = part(100, height=1.5)
    scores = fitted.score(defective, Progress())
    assert scores.points.shape == (len(defective),)
    assert roc_auc_score(defective.labels, scores.points) > 0.9
    peak = defective.points[int(np.nanargmax(scores.points))]
    assert np.hypot(peak[0] - 8, peak[1] - 4) < 5
    assert scores.object > max(fitted.score(part(seed), Progress()).object for seed in (101, 102))
    highest = np.sort(scores.points)[-round(0.002 * len(scores.points)) :]
    assert scores.object == pytest.approx(float(highest.mean()), rel=1e-5)


def test_maps_speak_of_every_point(fitted: ScaPipeline, part: Part) -> None:
    scores = fitted.score(part(100, height=1.5), Progress())
    assert {"patch", "prototype", "context_shift", "height"} <= set(scores.maps)
    for shown in scores.maps.values():
        assert np.isfinite(shown.values).all()
    prototypes = np.unique(scores.maps["prototype"].values)
    assert len(prototypes) > 3
    assert prototypes.max() < 13
    heights = scores.heights
    assert heights is not None
    assert np.abs(heights).max() == pytest.approx(1.5, rel=0.3)


def test_state_round_trip_is_bit_equal(fitted: ScaPipeline, pipeline: Make, part: Part) -> None:
    again = pipeline()
    again.load_state(fitted.state())
    scan = part(100, height=1.0)
    a, b = fitted.score(scan, Progress()), again.score(scan, Progress())
    assert np.array_equal(a.points, b.points)
    for key, shown in a.maps.items():
        assert np.array_equal(shown.values, b.maps[key].values)
    assert dict(again.weights) == dict(fitted.weights)
    assert all(len(sha) == 64 for sha in again.weights.values())


def test_same_seed_same_scores_and_fit_forgets(
    pipeline: Make, fitted: ScaPipeline, good: list[Scan], part: Part
) -> None:
    other = pipeline()
    other.load_state(fitted.state())
    other.fit(good, Progress())
    scan = part(100, height=1.0)
    assert np.array_equal(fitted.score(scan, Progress()).points, other.score(scan, Progress()).points)


ABLATIONS = [
    {"aggregation": False},
    {"adaptor": False},
    {"corruption": 1.0},
    {"attention": False},
    {"fusion": "softmax"},
    {"global_step": False},
    {"snap": "off"},
    {"affinity": "geometry"},
    {"affinity": "feature"},
    {"position": "learned"},
    {"starts": 3, "projection": "max"},
    {"copies": 2, "yaw": 5.0, "jitter": 0.001, "scaling": 0.01},
    {"align": "none", "anchors": 0},
    {"object_share": 0.0, "outlier_ratio": 0.0, "energy": False},
    {"fpfh_weight": 0.5, "layer": 2},
    {"turn": "cosine"},
    {"normalisation": "cloud_statistics", "layer": 2},
]


@pytest.mark.parametrize("changes", ABLATIONS, ids=lambda c: "-".join(c))
def test_every_variant_runs(pipeline: Make, good: list[Scan], part: Part, changes: dict[str, object]) -> None:
    model = pipeline(epochs=1, **changes)
    model.fit(good[:3], Progress())
    scores = model.score(part(100, height=1.5), Progress())
    assert np.isfinite(scores.points).all()


def test_the_papers_preset_runs(pipeline: Make, good: list[Scan], part: Part) -> None:
    model = pipeline("paper", epochs=1, copies=1, anchors=0, feature_width=0)
    model.fit(good[:2], Progress())
    assert np.isfinite(model.score(part(100), Progress()).points).all()


def test_presets_hold_the_papers_constants() -> None:
    paper = ScaConfig.preset("paper")
    for spec in ScaConfig.settings():
        if isinstance(spec.paper, int | float) and spec.name not in ("anchors",):
            assert getattr(paper, spec.name) == spec.paper, spec.name


def test_models_of_before_the_turn_was_an_angle_keep_their_form() -> None:
    stored = {k: v for k, v in ScaConfig.preset("fast").to_mapping().items() if k != "turn"}
    assert ScaConfig.from_mapping(stored).turn == "cosine"
    assert ScaConfig.preset("fast").turn == "angle"


def test_unfitted_says_so(pipeline: Make, part: Part) -> None:
    with pytest.raises(ModelError, match="not been trained"):
        pipeline().score(part(0), Progress())
    with pytest.raises(ModelError, match="not been trained"):
        pipeline().state()


def test_cancelling_leaves_it_unfitted(fitted: ScaPipeline, good: list[Scan], part: Part) -> None:
    progress = CallbackProgress(lambda fraction, what: progress.cancel() if fraction > 0.5 else None)
    with pytest.raises(Cancelled):
        fitted.fit(good, progress)
    with pytest.raises(ModelError):
        fitted.score(part(0), Progress())


def test_progress_only_grows(pipeline: Make, good: list[Scan]) -> None:
    seen: list[float] = []
    losses: list[float] = []
    model = pipeline(epochs=3)
    model.fit(good[:2], CallbackProgress(lambda f, _: seen.append(f), lambda _n, _s, v: losses.append(v)))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(losses) == 3


def test_another_unit_or_size_is_refused(fitted: ScaPipeline, part: Part) -> None:
    scan = part(0)
    with pytest.raises(ScanError, match="trained in mm"):
        fitted.score(scan.replaced(unit="m"), Progress())
    with pytest.raises(ScanError, match="measures"):
        fitted.score(scan.replaced(points=scan.points * 1000), Progress())


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((500, 3), np.float32),
        np.repeat(np.random.default_rng(0).uniform(-20, 20, (3, 3)).astype(np.float32), 200, axis=0),
        np.random.default_rng(0).uniform(-20, 20, (5, 3)).astype(np.float32),
    ],
    ids=["one place", "three places", "five points"],
)
def test_no_part_is_refused_in_words(fitted: ScaPipeline, points: np.ndarray) -> None:
    with pytest.raises(NominalError):
        fitted.score(Scan(points), Progress())


def test_tiny_flat_and_copied_scans_can_be_trained_on(pipeline: Make) -> None:
    rng = np.random.default_rng(0)
    for points in (
        rng.uniform(-20, 20, (60, 3)),
        np.column_stack([rng.uniform(-20, 20, (2000, 2)), np.zeros(2000)]),
        np.repeat(rng.uniform(-20, 20, (400, 3)), 3, axis=0),
    ):
        scans = [Scan(points.astype(np.float32))] * 2
        model = pipeline(epochs=1, align="none")
        model.fit(scans, Progress())
        assert np.isfinite(model.score(scans[0], Progress()).points).all()


def test_one_scan_is_enough(pipeline: Make, good: list[Scan], part: Part) -> None:
    model = pipeline(epochs=1)
    model.fit(good[:1], Progress())
    assert np.isfinite(model.score(part(100), Progress()).points).all()


def test_no_scans_and_mixed_units_are_refused(pipeline: Make, good: list[Scan]) -> None:
    with pytest.raises(ScanError, match="no good scans"):
        pipeline().fit([], Progress())
    with pytest.raises(ScanError, match="Train on scans of one unit"):
        pipeline().fit([good[0], good[1].replaced(unit="cm")], Progress())


def test_a_state_of_other_settings_is_refused(fitted: ScaPipeline, pipeline: Make) -> None:
    with pytest.raises(ModelError):
        pipeline(attention=False).load_state(fitted.state())
    state = fitted.state()
    del state["scale"]
    with pytest.raises(ModelError):
        pipeline().load_state(state)
