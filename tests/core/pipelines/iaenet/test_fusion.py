"""The common scale and the fusions of the paper's table 6."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.pipelines.iaenet.fusion import AdditionFusion, Fusions, IafFusion, MaxFusion, SvmFusion
from core.pipelines.iaenet.iaf import ImportanceAwareFusion
from core.pipelines.iaenet.scaling import Scaling, alignment
from core.runtime import Runtime

CPU = Runtime(torch.device("cpu"))
MAPS = [np.array([[1.0, 10.0], [3.0, 30.0], [2.0, 50.0]], np.float32)]


def test_alignment_lays_three_sigmas_on_three_sigmas() -> None:
    rng = np.random.default_rng(0)
    two, three = rng.normal(5, 2, 500), rng.normal(1, 0.1, 500)
    w, b = alignment(two, three)
    for k in (-3, 0, 3):
        assert w * (two.mean() + k * two.std()) + b == pytest.approx(three.mean() + k * three.std(), abs=1e-9)
    assert w == pytest.approx(three.std() / two.std())


def test_least_and_highest_become_zero_and_one() -> None:
    scaling = Scaling.learn(MAPS, "minmax", 0.0, clip=True)
    assert scaling(MAPS[0]) == pytest.approx(np.array([[0, 0], [1, 0.5], [0.5, 1]]), abs=1e-6)
    assert scaling(np.array([[9.0, -9.0]])).tolist() == [[1.0, 0.0]]
    free = Scaling.learn(MAPS, "minmax", 0.0, clip=False)
    assert free(np.array([[9.0, -10.0]])) == pytest.approx(np.array([[4.0, -0.5]]))


def test_aligned_maps_share_mean_and_spread() -> None:
    scaling = Scaling.learn(MAPS, "aligned", 0.0, clip=False)
    scaled = scaling(MAPS[0])
    assert scaled.mean(axis=0)[0] == pytest.approx(scaled.mean(axis=0)[1], abs=1e-6)
    assert scaled.std(axis=0)[0] == pytest.approx(scaled.std(axis=0)[1], abs=1e-6)


def test_no_scaling_changes_nothing() -> None:
    assert np.array_equal(Scaling.learn(MAPS, "none", 0.0, clip=False)(MAPS[0]), MAPS[0])


def test_scaling_comes_back_from_its_state() -> None:
    scaling = Scaling.learn(MAPS, "aligned", 0.1, clip=True)
    assert np.array_equal(Scaling.from_state(scaling.state())(MAPS[0]), scaling(MAPS[0]))


def test_maximum_and_addition() -> None:
    maps = np.array([[0.1, 0.4], [0.7, 0.2]], np.float32)
    assert MaxFusion().points(maps).tolist() == pytest.approx([0.4, 0.7])
    assert AdditionFusion().points(maps).tolist() == pytest.approx([0.5, 0.9])
    assert MaxFusion().object(maps[1]) == pytest.approx(0.7)


def test_the_one_class_machine_weighs_both_and_grows_with_each() -> None:
    rng = np.random.default_rng(1)
    good = rng.uniform(0.0, 0.3, (3000, 2)).astype(np.float32)
    machine = SvmFusion.fit([good], good[:20], seed=0)
    assert (machine.of_points >= 0).all()
    assert machine.of_points.sum() > 0
    low, high = machine.points(np.array([[0.1, 0.1], [0.8, 0.8]], np.float32))
    assert high > low
    assert machine.object(np.array([0.8, 0.8], np.float32)) > machine.object(np.array([0.1, 0.1], np.float32))


def test_a_part_is_one_more_point_of_the_importance_aware_fusion() -> None:
    torch.manual_seed(0)
    fusion = IafFusion(ImportanceAwareFusion().eval(), CPU)
    scores = np.array([0.3, 0.9], np.float32)
    assert fusion.object(scores) == fusion.points(scores[None])[0]


def test_scores_order_as_the_predictors_output_does() -> None:
    torch.manual_seed(1)
    fusion = IafFusion(ImportanceAwareFusion().eval(), CPU)
    maps = np.random.default_rng(2).random((200, 2)).astype(np.float32)
    logits = fusion.judged(maps)[1].astype(np.float64)
    output = 1 / (1 + np.exp(-logits))
    assert fusion.points(maps) == pytest.approx(-np.log1p(-output), rel=1e-4, abs=1e-6)


def test_untrained_maps_of_selection_and_selector() -> None:
    """S = 1/2 everywhere: the selection map is (X2 - X1) / 2, the selector's output (X1 + X2) / 2."""
    fusion = IafFusion(ImportanceAwareFusion().eval(), CPU)
    maps = np.random.default_rng(3).random((20, 2)).astype(np.float32)
    importance, _ = fusion.judged(maps)
    weighted = maps * importance
    assert weighted[:, 1] - weighted[:, 0] == pytest.approx((maps[:, 1] - maps[:, 0]) / 2, abs=1e-7)
    assert weighted.sum(axis=1) == pytest.approx(maps.mean(axis=1), abs=1e-7)


def test_all_fusions_come_back_from_their_state() -> None:
    torch.manual_seed(2)
    both = Fusions(
        IafFusion(ImportanceAwareFusion().eval(), CPU), SvmFusion(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    )
    again = Fusions.from_state(both.state(), CPU)
    maps = np.random.default_rng(4).random((30, 2)).astype(np.float32)
    for name in ("iaf", "max", "addition", "ocsvm"):
        assert np.array_equal(both.named(name).points(maps), again.named(name).points(maps))
        assert both.named(name).object(maps[0]) == again.named(name).object(maps[0])
