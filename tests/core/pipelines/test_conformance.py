"""What every pipeline keeps by being in the registry, on small parts and with its work cut down."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch

from core.errors import ConfigError, NominalError
from core.pipelines.base import Pipeline
from core.pipelines.config import Config
from core.pipelines.registry import pipeline_class, pipeline_ids
from core.progress import CallbackProgress, Cancelled, Progress
from core.runtime import Runtime
from core.scan import Scan
from core.scores import Scores

LESS_WORK = {
    "epochs": 2,
    "patches": 48,
    "patch_points": 12,
    "voxel_points": 1200,
    "batch": 2,
    "anchors": 48,
    "copies": 1,
    "views": 2,
    "samples": 3,
    "iaf_epochs": 3,
    "steps": 1,
    "up_steps": 1,
    "background": "none",
    "views_side": 32,
    "chunk_side": 16,
    "cuts": 1,
    "trees": 10,
}
"""Fields that make a fit long, where a config has them; and no table is looked for below parts that have none."""


def unorganised(seed: int, bulge: float = 0.0, unit: str = "mm", count: int = 1600) -> Scan:
    """A lopsided dome 40 mm across with noise, and a bulge at (8, 4)."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-20, 20, count), rng.uniform(-12, 12, count)
    return Scan(_raised(x, y, bulge, rng) * np.float32(1 if unit == "mm" else 1e-3), unit=unit, name=f"dome {seed}")


def organised(seed: int, bulge: float = 0.0) -> Scan:
    """The same on a grid with holes, with an image."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.linspace(-12, 12, 36), np.linspace(-20, 20, 56), indexing="ij")
    points = _raised(x.ravel(), y.ravel(), bulge, rng)
    measured = rng.random(len(points)) > 0.03
    grid = np.full(len(points), -1, np.int32)
    grid[measured] = np.arange(measured.sum())
    image = np.clip(rng.normal(120, 10, (36, 56, 3)), 0, 255).astype(np.uint8)
    return Scan(points[measured], grid=grid.reshape(36, 56), image=image, name=f"grid {seed}")


def _raised(x: np.ndarray, y: np.ndarray, bulge: float, rng: np.random.Generator) -> np.ndarray:
    z = 10 * np.exp(-(((x + 8) / 9) ** 2) - (y / 7) ** 2) + 0.05 * x
    z = z + bulge * np.exp(-((x - 8) ** 2 + (y - 4) ** 2) / 2.5**2) + rng.normal(0, 0.03, len(x))
    return np.column_stack([x, y, z]).astype(np.float32)


def made(pipeline_id: str) -> Pipeline:
    cls = pipeline_class(pipeline_id)
    names = {spec.name for spec in cls.Config.settings()}
    config = cls.Config.preset("fast", **{k: v for k, v in LESS_WORK.items() if k in names})
    return cls(config, Runtime(torch.device("cpu"), seed=3))


@functools.cache
def fitted(pipeline_id: str, part: Callable[..., Scan] = unorganised) -> Pipeline:
    model = made(pipeline_id)
    model.fit([part(seed) for seed in range(4)], Progress())
    return model


@pytest.fixture(params=pipeline_ids())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def same(a: Scores, b: Scores) -> bool:
    return (
        a.object == b.object
        and np.array_equal(a.points, b.points, equal_nan=True)
        and a.maps.keys() == b.maps.keys()
        and all(np.array_equal(a.maps[k].values, b.maps[k].values, equal_nan=True) for k in a.maps)
    )


def test_it_says_what_it_is(name: str) -> None:
    cls = pipeline_class(name)
    assert cls.id == name
    assert cls.title
    assert cls.paper
    assert len(cls.summary) > 30
    assert cls.min_scans >= 1
    assert issubclass(cls.Config, Config)


def test_every_setting_is_documented_and_every_preset_valid(name: str) -> None:
    config = pipeline_class(name).Config
    assert dataclasses.is_dataclass(config)
    assert {"paper", "fast"} <= set(config.PRESETS)
    for spec in config.settings():
        assert len(spec.help) > 10, spec.name
        assert spec.type in (bool, int, float, str)
        if spec.type is str and spec.choices:
            assert spec.default in spec.choices
        assert spec.parse(str(spec.default)) == spec.default
    for preset in config.PRESETS:
        chosen = config.preset(preset)
        assert config.from_mapping(chosen.to_mapping()) == chosen
    with pytest.raises(ConfigError):
        config.preset("fast", no_such_setting=1)


@pytest.mark.parametrize("part", [unorganised, organised])
def test_scores_fit_the_scan(name: str, part: Callable[..., Scan]) -> None:
    scan = part(50, bulge=3.0)
    scores = fitted(name, part).score(scan, Progress())
    assert scores.points.shape == (len(scan),)
    assert scores.points.dtype == np.float32
    assert not np.isinf(scores.points).any()
    assert scores.judged.mean() > 0.5
    assert np.isfinite(scores.object)
    for key, shown in scores.maps.items():
        assert key.replace("_", "a").isalnum()
        assert key == key.lower()
        assert shown.values.shape == (len(scan),)
        assert not np.isinf(shown.values).any()
        assert shown.title
        assert shown.help.endswith(".") or shown.help, key
    if scores.reconstruction is not None:
        assert scores.reconstruction.shape[1] == 3


def test_same_scan_same_scores(name: str) -> None:
    scan = unorganised(51, bulge=2.0)
    assert same(fitted(name).score(scan, Progress()), fitted(name).score(scan, Progress()))


def test_fitting_again_gives_the_same_model(name: str) -> None:
    again = made(name)
    again.fit([unorganised(seed) for seed in range(4)], Progress())
    scan = unorganised(51, bulge=2.0)
    assert same(fitted(name).score(scan, Progress()), again.score(scan, Progress()))


def test_scores_follow_the_order_of_points(name: str) -> None:
    if pipeline_class(name).ordered:
        pytest.skip("for this method another order is another measurement")
    scan = unorganised(52, bulge=3.0)
    order = np.random.default_rng(0).permutation(len(scan))
    straight = fitted(name).score(scan, Progress())
    shuffled = fitted(name).score(scan.select(order), Progress())
    assert np.array_equal(straight.judged[order], shuffled.judged)
    judged = shuffled.judged
    span = float(np.ptp(straight.points[straight.judged]))
    difference = np.abs(straight.points[order][judged] - shuffled.points[judged])
    assert np.quantile(difference, 0.99) < 0.05 * span
    assert shuffled.object == pytest.approx(straight.object, abs=0.05 * span)


def test_state_is_plain_arrays_and_brings_back_the_scores(name: str) -> None:
    state = fitted(name).state()
    for key, array in state.items():
        assert isinstance(array, np.ndarray), key
        assert array.dtype.kind in "biufUS", key
    again = made(name)
    again.load_state({key: array.copy() for key, array in state.items()})
    scan = unorganised(53, bulge=2.0)
    assert same(fitted(name).score(scan, Progress()), again.score(scan, Progress()))


def test_a_state_with_holes_is_refused(name: str) -> None:
    state = fitted(name).state()
    with pytest.raises((NominalError, KeyError)):
        made(name).load_state({key: state[key] for key in list(state)[: len(state) // 2]})


def test_unfitted_it_says_so(name: str) -> None:
    with pytest.raises(NominalError, match=r"fit|train|load"):
        made(name).score(unorganised(0), Progress())
    with pytest.raises(NominalError):
        made(name).state()


@pytest.mark.parametrize("after", [0, 2, 5])
def test_cancelling_leaves_it_unfitted(name: str, after: int) -> None:
    class Stops(Progress):
        reports = 0

        def report(self, fraction: float, what: str) -> None:
            self.reports += 1
            if self.reports > after:
                self.cancel()

    model = made(name)
    model.load_state(fitted(name).state())  # an earlier fit is forgotten too
    with pytest.raises(Cancelled):
        model.fit([unorganised(seed) for seed in range(4)], Stops())
    with pytest.raises(NominalError):
        model.score(unorganised(0), Progress())


def test_scoring_can_be_cancelled(name: str) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        fitted(name).score(unorganised(0), progress)


def test_progress_grows_to_one(name: str) -> None:
    for work in ("fit", "score"):
        reports: list[float] = []
        progress = CallbackProgress(lambda fraction, what, reports=reports: reports.append(fraction))
        if work == "fit":
            made(name).fit([unorganised(seed) for seed in range(4)], progress)
        else:
            fitted(name).score(unorganised(54), progress)
        assert reports[-1] == pytest.approx(1.0), work
        assert all(b >= a - 1e-9 for a, b in itertools.pairwise(reports)), work


def test_metres_are_judged_as_millimetres_are(name: str) -> None:
    model = made(name)
    model.fit([unorganised(seed, unit="m") for seed in range(4)], Progress())
    small = model.score(unorganised(55, bulge=3.0, unit="m"), Progress())
    large = fitted(name).score(unorganised(55, bulge=3.0), Progress())
    assert np.array_equal(small.judged, large.judged)
    assert np.corrcoef(small.points[small.judged], large.points[large.judged])[0, 1] > 0.98
    if small.heights is not None and large.heights is not None:
        assert np.nanmax(np.abs(small.heights)) == pytest.approx(np.nanmax(np.abs(large.heights)) / 1000, rel=0.1)


def test_the_pipeline_does_not_write_to_the_scan(name: str) -> None:
    scan = unorganised(56)
    before = scan.points.copy()
    scores = fitted(name).score(scan, Progress())
    assert np.array_equal(scan.points, before)
    assert not scores.points.flags.writeable
