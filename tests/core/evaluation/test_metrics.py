"""Metrics against values computed by hand, plain counting, scikit-learn and a slow overlap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, roc_auc_score

from core.errors import CategoryError
from core.evaluation.metrics import (
    aupro,
    aupro_of_clouds,
    f1_max,
    false_reject_rate,
    o_aupr,
    o_auroc,
    p_aupr,
    p_auroc,
)

SCORES = np.array(
    [[0.10, 0.20, 0.30, 0.95], [0.15, 0.25, 0.35, 0.60], [0.05, 0.12, 0.40, 0.50], [0.90, 0.22, 0.18, 0.08]]
)
TRUTH = np.zeros((4, 4), bool)
TRUTH[[0, 1, 3, 3], [3, 3, 0, 1]] = True


def test_object_metrics_of_four_parts() -> None:
    assert o_auroc([0.2, 0.9, 0.4, 0.7], [0, 1, 1, 0]) == pytest.approx(0.75)
    assert o_aupr([0.2, 0.9, 0.4, 0.7], [0, 1, 1, 0]) == pytest.approx(5 / 6)


def test_ties_count_half() -> None:
    assert o_auroc([1.0, 1.0], [0, 1]) == 0.5
    assert o_auroc([1.0, 1.0, 2.0], [0, 1, 1]) == 0.75


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=30))
@settings(max_examples=60, deadline=None)
def test_auroc_is_the_share_of_well_ordered_pairs(parts: list[tuple[int, bool]]) -> None:
    values = np.array([v for v, _ in parts], float)
    truth = np.array([t for _, t in parts])
    if truth.all() or not truth.any():
        with pytest.raises(CategoryError):
            o_auroc(values, truth)
        return
    pairs = values[truth][:, None] - values[~truth][None]
    assert o_auroc(values, truth) == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())


def test_parts_without_a_score_are_left_out_and_infinite_ones_rank_first() -> None:
    assert o_auroc([0.2, np.nan, 0.9], [0, 0, 1]) == 1.0
    assert o_auroc([0.2, 0.9, np.inf], [0, 0, 1]) == 1.0
    assert o_auroc([0.2, 0.9, -np.inf], [0, 0, 1]) == 0.0


@pytest.mark.parametrize(("truth", "missing"), [([0, 0], "defective"), ([1, 1], "good")])
def test_one_class_alone_is_an_error_that_says_which(truth: list[int], missing: str) -> None:
    with pytest.raises(CategoryError, match=f"no {missing} parts"):
        o_auroc([0.1, 0.2], truth)
    with pytest.raises(CategoryError, match=f"no {missing} points"):
        p_auroc([[0.1, 0.2]], [truth])
    with pytest.raises(CategoryError, match=r"no (good|defective) parts"):
        o_auroc([], [])


def test_point_metrics_pool_the_points_of_all_scans() -> None:
    assert p_auroc([[0.2, 0.9], [0.4, 0.7]], [[0, 1], [1, 0]]) == pytest.approx(0.75)
    assert p_aupr([[0.2, 0.9], [0.4, 0.7]], [[0, 1], [1, 0]]) == pytest.approx(5 / 6)
    assert p_auroc([[0.2, 0.9], [0.4, 0.7]], [[0, 1], [1, 0]]) == p_auroc([[0.2, 0.9, 0.4, 0.7]], [[0, 1, 1, 0]])


def test_good_points_that_are_not_judged_are_left_out() -> None:
    assert p_auroc([[0.2, np.nan, 0.9]], [[0, 0, 1]]) == 1.0


def test_a_defect_that_is_not_judged_is_a_missed_one() -> None:
    assert p_auroc([[0.2, 0.3, np.nan, 0.9]], [[0, 0, 1, 1]]) == 0.5
    assert p_auroc([[-5.0, -7.0, np.nan]], [[0, 0, 1]]) == 0.0


def test_scores_and_labels_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="3 scores but 2 labels"):
        p_auroc([[0.1, 0.2, 0.3]], [[0, 1]])


@pytest.mark.parametrize(("limit", "thresholds", "expected"), [
    (0.3, None, 0.75), (0.1, None, 0.75), (0.3, 99, 0.75), (0.1, 99, 0.75), (0.3, 5, 0.754167),
])  # fmt: skip
def test_aupro_of_a_small_image(limit: float, thresholds: int | None, expected: float) -> None:
    assert aupro([SCORES], [TRUTH], limit, thresholds=thresholds) == pytest.approx(expected, abs=1e-6)


def test_diagonal_neighbours_are_one_region() -> None:
    truth = np.zeros((4, 4), bool)
    truth[[0, 1], [3, 2]] = True
    scores = np.where(truth, [[0, 0, 0, 9], [0, 0, 1, 0], [0] * 4, [0] * 4], 5.0).astype(float)
    scores[3, 3] = 0.5
    # one region, half of it above every good pixel: 0.5 at rate 0, and 0.5 until the good 5.0s are passed
    assert aupro([scores], [truth], 0.3) == pytest.approx(0.5 + 0.5 * 0.5 * 0.3 / (13 / 14), abs=1e-9)
    apart = truth.copy()
    apart[1, 2] = False
    assert aupro([scores], [apart], 0.3) > aupro([scores], [truth], 0.3)


@pytest.mark.parametrize(("limit", "thresholds", "ceiling"), [
    (0.3, 99, 0.9830), (0.1, 99, 0.9490), (0.05, 99, 0.8980), (0.01, 99, 0.4900), (0.01, 100, 0.4950),
])  # fmt: skip
def test_aupro_ceilings_of_coarse_thresholds(limit: float, thresholds: int, ceiling: float) -> None:
    """A detector that is perfect but for a few good pixels above every defect, with the published codes' ranks."""
    rng = np.random.default_rng(0)
    scores, truth = rng.uniform(0, 0.5, (400, 400)), np.zeros((400, 400), bool)
    truth[10:30, 10:30] = True
    scores[truth] = 0.8
    scores[399, :5] = 1.0
    assert aupro([scores], [truth], limit, thresholds=thresholds) == pytest.approx(ceiling, abs=2e-3)
    assert aupro([scores], [truth], limit) > 0.99


def test_a_perfect_map_has_aupro_one_and_an_unjudged_defect_none() -> None:
    truth = np.zeros((20, 20), bool)
    truth[3:6, 3:6] = True
    perfect = np.where(truth, 2.0, np.random.default_rng(0).random((20, 20)))
    assert aupro([perfect], [truth]) == pytest.approx(1.0)
    assert aupro([np.where(truth, np.nan, perfect)], [truth]) < 0.2


def test_aupro_needs_both_classes_and_a_rate() -> None:
    with pytest.raises(CategoryError, match="no defective pixels"):
        aupro([SCORES], [np.zeros((4, 4), bool)])
    with pytest.raises(ValueError, match="limit"):
        aupro([SCORES], [TRUTH], 0.0)


def test_aupro_of_clouds_is_aupro_of_the_same_points_and_regions() -> None:
    regions = np.full((4, 4), -1)
    regions[0, 3] = regions[1, 3] = 0
    regions[3, 0] = regions[3, 1] = 1
    order = np.random.default_rng(0).permutation(16)
    for limit, expected in ((0.3, 0.75), (0.1, 0.75)):
        assert aupro_of_clouds([SCORES.ravel()[order]], [regions.ravel()[order]], limit) == pytest.approx(expected)
    assert aupro_of_clouds([SCORES.ravel()], [regions.ravel()], thresholds=5) == pytest.approx(0.754167, abs=1e-6)
    with pytest.raises(CategoryError, match="defective points"):
        aupro_of_clouds([SCORES.ravel()], [np.full(16, -1)])


@given(st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=2, max_size=40))
@settings(max_examples=80, deadline=None)
def test_areas_are_those_of_scikit_learn(parts: list[tuple[int, bool]]) -> None:
    values, truth = np.array([v for v, _ in parts], float), np.array([t for _, t in parts])
    if truth.all() or not truth.any():
        return
    assert o_auroc(values, truth) == pytest.approx(roc_auc_score(truth, values))
    assert o_aupr(values, truth) == pytest.approx(average_precision_score(truth, values))
    f1, threshold = f1_max(values, truth)
    precision, recall, _ = precision_recall_curve(truth, values)
    assert f1 == pytest.approx((2 * precision * recall / np.maximum(precision + recall, 1e-12)).max())
    assert f1_score(truth, values >= threshold) == pytest.approx(f1)


def test_points_of_many_scans_against_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    labels = [rng.random(500) < 0.05 for _ in range(6)]
    scores = [np.round(rng.normal(0, 1, 500) + 1.5 * truth, 1) for truth in labels]
    assert p_auroc(scores, labels) == pytest.approx(roc_auc_score(np.concatenate(labels), np.concatenate(scores)))
    assert p_aupr(scores, labels) == pytest.approx(
        average_precision_score(np.concatenate(labels), np.concatenate(scores))
    )


@pytest.mark.parametrize("thresholds", [None, 99, 100, 7])
@pytest.mark.parametrize("limit", [1.0, 0.3, 0.01])
def test_aupro_is_that_of_the_definition(
    thresholds: int | None, limit: float, slow_aupro: Callable[..., float]
) -> None:
    rng = np.random.default_rng(2)
    maps, truths = [], []
    for _ in range(3):
        truth = np.zeros((16, 16), bool)
        for _ in range(3):
            i, j = rng.integers(0, 13, 2)
            truth[i : i + 3, j : j + 2] = True
        maps.append(np.round(rng.normal(0, 1, truth.shape) + 2 * truth, 1))  # rounded: ties within and across
        truths.append(truth)
    expected = slow_aupro(maps, truths, limit, thresholds)
    assert aupro(maps, truths, limit, thresholds=thresholds) == pytest.approx(expected, abs=1e-9)


def test_a_small_region_counts_as_much_as_a_large_one() -> None:
    truth = np.zeros((20, 20), bool)
    truth[2:12, 2:12] = True
    truth[15, 15] = True
    scores = np.where(truth, 1.0, np.random.default_rng(0).random((20, 20)) * 0.5)
    scores[15, 15] = -1.0
    assert aupro([scores], [truth], 0.01) == pytest.approx(
        0.5, abs=0.01
    )  # of two regions one, though 100 of 101 points


def test_false_rejects_at_a_recall() -> None:
    scores = [0.1, 0.2, 0.3, 0.35, 0.9, 0.3, 0.4, 0.8, 0.95]
    defective = [0, 0, 0, 0, 0, 1, 1, 1, 1]
    assert false_reject_rate(scores, defective, 0.25) == 0.0
    assert false_reject_rate(scores, defective, 0.5) == pytest.approx(1 / 5)
    assert false_reject_rate(scores, defective, 0.75) == pytest.approx(1 / 5)
    assert false_reject_rate(scores, defective, 0.76) == pytest.approx(3 / 5)  # all four: 0.3 goes with a good 0.3
    assert false_reject_rate(scores, defective, 1.0) == pytest.approx(3 / 5)
    assert false_reject_rate(np.arange(40.0), np.arange(40) >= 20, 0.95) == 0.0
    with pytest.raises(ValueError, match="recall"):
        false_reject_rate(scores, defective, 0.0)


def test_f1_is_the_best_and_its_threshold_the_highest() -> None:
    assert f1_max([0.2, 0.9, 0.4, 0.7], [0, 1, 1, 0]) == (pytest.approx(0.8), 0.4)
    assert f1_max([1.0, 2.0, 3.0], [0, 1, 1]) == (1.0, 2.0)
