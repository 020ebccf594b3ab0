"""IAENet as a whole: fusions, memory, explanation."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import ScanError
from core.pipelines.iaenet.config import IaenetConfig
from core.pipelines.iaenet.pipeline import IaenetPipeline
from core.progress import CallbackProgress, Progress
from core.runtime import Runtime
from core.scan import Scan

SMALL = {
    "background": "none",
    "voxel_points": 1000,
    "views": 2,
    "patches": 24,
    "patch_points": 48,
    "epochs": 0,
    "steps": 20,
    "batch": 8,
    "samples": 4,
    "iaf_epochs": 5,
    "features": "oriented_energy",
}


def dome(seed: int, bulge: float = 0.0, shift: float = 0.0) -> Scan:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-20, 20, 2500), rng.uniform(-12, 12, 2500)
    z = 10 * np.exp(-(((x + 8) / 9) ** 2) - (y / 7) ** 2) + 0.05 * x + rng.normal(0, 0.02, 2500)
    raised = bulge * np.exp(-((x - 8) ** 2 + (y - 4) ** 2) / 2.5**2)
    points = np.column_stack([x + shift, y, z + raised]).astype(np.float32)
    return Scan(points, labels=np.abs(raised) > 0.2, name=f"dome {seed}")


def made(**changes: Any) -> IaenetPipeline:
    return IaenetPipeline(IaenetConfig.preset("fast", **{**SMALL, **changes}), Runtime(torch.device("cpu"), seed=1))


@functools.cache
def fitted() -> IaenetPipeline:
    model = made()
    model.fit([dome(seed) for seed in range(3)], Progress())
    return model


def loaded(**changes: Any) -> IaenetPipeline:
    model = made(**changes)
    model.load_state(fitted().state())
    return model


def test_it_shows_every_map() -> None:
    scores = fitted().score(dome(9, bulge=3.0), Progress())
    kinds = {key: shown.kind for key, shown in scores.maps.items()}
    assert kinds["selection"] == "selection"
    assert kinds["s1"] == kinds["s2"] == "weight"
    assert {"x1", "x2", "selector", "predictor", "fused_max", "fused_addition", "fused_ocsvm"} <= set(kinds)
    shares = scores.maps["s1"].values + scores.maps["s2"].values
    assert shares == pytest.approx(np.ones(len(shares)), abs=1e-5)
    text = scores.maps["selection"].help
    assert "red = 2D" in text
    assert "blue = 3D" in text
    assert (scores.maps["predictor"].values >= 0).all()
    assert (scores.maps["predictor"].values <= 1).all()


@pytest.mark.parametrize("name", ["max", "addition", "ocsvm"])
def test_another_fusion_is_what_the_map_said(name: str) -> None:
    scan = dome(9, bulge=3.0)
    said = fitted().score(scan, Progress()).maps[f"fused_{name}"].values
    assert np.array_equal(loaded(fusion=name).score(scan, Progress()).points, said)


def test_the_parts_score_is_of_the_fused_map_or_of_the_experts() -> None:
    scan = dome(9, bulge=3.0)
    highest = loaded(object_share=0.0).score(scan, Progress())
    assert highest.object == pytest.approx(float(highest.points.max()))
    one_more = loaded(object_share=0.0, object_score="experts", fusion="max").score(scan, Progress())
    scaled = fitted()._fitted.scaling
    tops = [float(one_more.maps[name].values.max()) for name in ("x1", "x2")]
    assert one_more.object == pytest.approx(float(scaled(np.array([tops])).max()), rel=1e-5)


def test_the_2d_expert_sees_a_bulge() -> None:
    scan = dome(9, bulge=4.0)
    values = fitted().score(scan, Progress()).maps["x2"].values
    assert values[scan.labels].mean() > 1.5 * values[~scan.labels].mean()


def test_both_searches_judge() -> None:
    scan = dome(9, bulge=3.0)
    found = [loaded(search=search).score(scan, Progress()).maps["x2"].values for search in ("bank", "linked")]
    assert all(np.isfinite(values).all() for values in found)
    assert (found[1] >= found[0] - 0.2).mean() > 0.9  # fewer candidates cannot be much nearer


def test_the_memory_is_announced_before_training() -> None:
    said: list[str] = []
    made(samples=1, iaf_epochs=1).fit([dome(0), dome(1)], CallbackProgress(lambda fraction, what: said.append(what)))
    announced = next(i for i, what in enumerate(said) if "memory bank" in what and "MB" in what)
    assert announced < next(i for i, what in enumerate(said) if "remembering" in what)


def test_a_memory_can_be_bounded() -> None:
    model = made(max_vectors=50, max_codes=10, samples=1, iaf_epochs=1, steps=1)
    model.fit([dome(0), dome(1)], Progress())
    state = model.state()
    assert len(state["memory/0/codes"]) == 10
    assert sum(len(value) for key, value in state.items() if key.endswith("/vectors")) <= 50


def test_one_scan_is_too_few() -> None:
    with pytest.raises(ScanError, match="needs 2"):
        made().fit([dome(0)], Progress())


def test_a_picked_point_is_explained_by_a_good_scan() -> None:
    scan = dome(9, bulge=3.0, shift=2.0)
    point = int(np.flatnonzero(scan.labels)[0])
    found = fitted().explain(scan, point, Progress())
    assert found is not None
    assert found.source in {f"dome {seed}" for seed in range(3)}
    assert found.source in found.text
    assert found.points.shape == found.placed.shape
    assert found.points.shape[1] == 3
    assert np.isfinite(found.distance)
    good = dome(int(found.source.split()[1])).points
    nearest = np.linalg.norm(found.points[:, None] - good[None], axis=2).min(axis=1)
    assert np.median(nearest) < 1.0  # they lie on the good scan, in its own frame
    to_part = np.linalg.norm(found.placed[:, None] - scan.points[None], axis=2).min(axis=1)
    assert np.median(to_part) < 1.5  # and, moved, on the judged one
    assert np.linalg.norm(found.placed - scan.points[point], axis=1).min() < 12


def test_the_explanation_names_the_score_as_its_map_shows_it() -> None:
    scan = dome(9, bulge=3.0)
    point = int(np.flatnonzero(scan.labels)[0])
    found = fitted().explain(scan, point, Progress())
    assert found is not None
    assert f"{float(fitted().score(scan, Progress()).maps['x1'].values[point]):.3g}" in found.text


def test_x2_is_lessened_by_what_is_usual() -> None:
    plain = made(relative_2d=False, samples=1, iaf_epochs=1)
    plain.fit([dome(seed) for seed in range(3)], Progress())
    good, bad = dome(8), dome(9, bulge=4.0)
    shown = [plain.score(good, Progress()).maps["x2"].values, fitted().score(good, Progress()).maps["x2"].values]
    assert np.nanmean(shown[0]) > 4 * abs(np.nanmean(shown[1]))  # about 0 on good parts
    assert np.nanmax(fitted().score(bad, Progress()).maps["x2"].values) > 2 * np.nanmax(shown[1])


def test_x2_counts_less_where_good_scans_differ() -> None:
    model = fitted()
    spread = model._fitted.experts.memory.spread
    assert spread is not None
    assert np.median(spread[spread > 0]) == pytest.approx(1.0, abs=0.2)
    scan = dome(9, bulge=4.0)
    shown = [loaded(place_spread=steady).score(scan, Progress()).maps["x2"].values for steady in (50.0, 2.0, 0.5)]
    highest = [float(np.abs(values).max()) for values in shown]
    assert highest[0] > highest[1] > highest[2]
    assert loaded(place_spread=0.0).score(scan, Progress()).maps["x2"].values.max() > highest[0]


def test_views_count_by_how_squarely_they_see_a_point() -> None:
    scan = dome(9, bulge=4.0)
    one, other = (loaded(view_scores=rule).score(scan, Progress()).maps["x2"].values for rule in ("mean", "facing"))
    highest = loaded(view_scores="max").score(scan, Progress()).maps["x2"].values
    assert not np.array_equal(one, other)
    assert (np.maximum(one, other) <= highest + 1e-6).all()


def test_explanation_survives_saving() -> None:
    scan = dome(9, bulge=3.0)
    one, other = fitted().explain(scan, 5, Progress()), loaded().explain(scan, 5, Progress())
    assert one is not None
    assert other is not None
    assert one.source == other.source
    assert np.array_equal(one.placed, other.placed)


def test_a_point_that_is_not_there_cannot_be_explained() -> None:
    with pytest.raises(ScanError, match="no point"):
        fitted().explain(dome(9), 10**6, Progress())
