"""Counting points in bounded memory: the same metrics, or off by no more than it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.evaluation.curves import (
    average_precision,
    average_precision_error,
    overlap_area,
    overlap_area_at_ranks,
    overlap_area_error,
    overlap_curve,
    precision_recall_curve,
    roc_area,
    roc_area_error,
    roc_curve,
)
from core.evaluation.metrics import aupro_of_clouds, p_aupr, p_auroc
from core.evaluation.tally import PointTally, stacked

Scan = tuple[np.ndarray, np.ndarray]


def made(count: int = 5, points: int = 2000, seed: int = 0, offset: float = 0.0, spread: float = 1.0) -> list[Scan]:
    """Scores and regions of made scans; every second one has two defects."""
    rng = np.random.default_rng(seed)
    scans = []
    for i in range(count):
        scores = rng.normal(0, 1, points)
        regions = np.full(points, -1)
        if i % 2:
            regions[:60], regions[60:80] = 0, 1
            scores[:60] += 2.0
            scores[60:80] += 1.0
        scans.append(((offset + spread * np.exp(scores)).astype(np.float32), regions))
    return scans


def counted(scans: list[Scan], capacity: int = 2**19) -> PointTally:
    tally = PointTally(capacity)
    for scores, regions in scans:
        tally.add(scores, regions)
    return tally


def test_an_exact_tally_gives_the_metrics_of_all_points_at_once() -> None:
    scans = made()
    tally = counted(scans)
    ranking = tally.ranking()
    scores, regions = [s for s, _ in scans], [r for _, r in scans]
    labels = [r >= 0 for r in regions]
    assert tally.exact
    assert (tally.points, tally.defective, round(tally.regions)) == (10_000, 160, 4)
    assert float(roc_area(ranking)) == pytest.approx(p_auroc(scores, labels), abs=1e-12)
    assert float(average_precision(ranking)) == pytest.approx(p_aupr(scores, labels), abs=1e-12)
    for limit in (0.3, 0.01):
        assert float(overlap_area(ranking, limit)) == pytest.approx(aupro_of_clouds(scores, regions, limit), abs=1e-9)
        for ranks in (99, 100):
            expected = aupro_of_clouds(scores, regions, limit, thresholds=ranks)
            assert overlap_area_at_ranks(ranking, limit, ranks) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("offset", "spread"), [(0.0, 1.0), (-40.0, 10.0), (1000.0, 0.01), (0.0, 1e-30)])
@pytest.mark.parametrize("capacity", [16, 200, 3000])
def test_a_binned_tally_is_off_by_no_more_than_it_says(offset: float, spread: float, capacity: int) -> None:
    scans = made(offset=offset, spread=spread)
    whole, binned = counted(scans).ranking(), (tally := counted(scans, capacity)).ranking()
    assert len(binned.scores) <= capacity or tally.dropped == 20  # sign, exponent and 3 bits are always kept
    assert tally.exact == (len(whole.scores) <= capacity)
    pairs = [
        (roc_area, roc_area_error),
        (average_precision, average_precision_error),
        (lambda r: overlap_area(r, 0.3), lambda r: overlap_area_error(r, 0.3)),
        (lambda r: overlap_area(r, 0.01), lambda r: overlap_area_error(r, 0.01)),
    ]
    for of, error in pairs:
        assert abs(float(of(binned)) - float(of(whole))) <= float(error(binned)) + 1e-12


@given(st.integers(0, 1000), st.integers(2, 60))
@settings(max_examples=60, deadline=None)
def test_errors_hold_for_any_scores(seed: int, capacity: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(4, 80))
    scores = rng.choice([rng.normal(0, 1, count), rng.normal(0, 1, count).round(1)]).astype(np.float32)
    regions = np.where(rng.random(count) < 0.4, rng.integers(0, 3, count), -1)
    if (regions < 0).all() or (regions >= 0).all():
        return
    whole, binned = counted([(scores, regions)]).ranking(), counted([(scores, regions)], capacity).ranking()
    for of, error in (
        (roc_area, roc_area_error),
        (average_precision, average_precision_error),
        (lambda r: overlap_area(r, 0.3), lambda r: overlap_area_error(r, 0.3)),
    ):
        assert abs(float(of(binned)) - float(of(whole))) <= float(error(binned)) + 1e-9


def test_large_tallies_are_off_by_little() -> None:
    scans = made(8, 20_000, seed=3)
    ranking = counted(scans, 20_000).ranking()
    assert 0 < float(roc_area_error(ranking)) < 1e-4
    assert 0 < float(average_precision_error(ranking)) < 5e-3
    assert 0 < float(overlap_area_error(ranking, 0.3)) < 5e-3


def test_neither_order_nor_parting_matters() -> None:
    scans = made(6, seed=4)
    one, other = counted(scans, 500), counted(scans[::-1], 500)
    parted = counted(scans[:1], 500)
    parted.merge(counted(scans[1:], 500))
    for tally in (other, parted):
        assert tally.dropped == one.dropped
        for name in ("scores", "good", "defective"):
            assert np.array_equal(getattr(one.ranking(), name), getattr(tally.ranking(), name))
        assert np.allclose(one.ranking().regions, tally.ranking().regions)


def test_scores_keep_their_order_and_their_value() -> None:
    values = np.array([-np.inf, -3.5, -1e-30, -0.0, 0.0, 1e-40, 2.5, np.inf], np.float32)
    tally = counted([(values, np.full(8, -1))])
    assert np.array_equal(tally.ranking().scores, np.delete(values, 3)[::-1].astype(np.float64))  # -0 is 0


def test_what_is_not_judged() -> None:
    scores = np.array([0.1, np.nan, 0.3, np.nan, 0.9], np.float32)
    regions = np.array([-1, -1, -1, 0, 0])
    tally = counted([(scores, regions)])
    assert (tally.unjudged, tally.points) == (1, 5)
    assert float(roc_area(tally.ranking())) == 0.5  # 2 good against a found and a missed one
    assert float(roc_area(tally.ranking(background=True))) == pytest.approx((3 + 0 + 0 + 0.5) / 6)
    assert float(overlap_area(tally.ranking(), 0.3)) == pytest.approx(0.5)


def test_scores_and_labels_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="3 scores but 2 labels"):
        PointTally().add([0.1, 0.2, 0.3], [0, -1])


def test_an_empty_tally_has_nothing_to_measure() -> None:
    assert PointTally().ranking().one_class
    assert counted([(np.ones(4, np.float32), np.full(4, -1))]).ranking().one_class


def test_memory_does_not_grow_with_the_points() -> None:
    tally = PointTally(1000)
    rng = np.random.default_rng(5)
    for _ in range(20):
        tally.add(rng.normal(0, 1, 20_000).astype(np.float32), np.full(20_000, -1))
    assert len(tally.ranking().scores) <= 1000
    assert tally.points == 400_000


def test_stacked_tallies_weigh_as_if_counted_so_often() -> None:
    scans = made(4, 300, seed=6)
    stack = stacked([counted([scan], 100) for scan in scans], 100)
    assert len(stack.scores) <= 100
    weights = np.array([[2.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    both = stack.weighted(weights)
    for row, repeats in zip((0, 1), ([0, 0, 2, 3], [0, 1, 2, 3]), strict=True):
        lone = stacked([counted([scans[i]], 100) for i in repeats], 100).weighted(np.ones(4))
        for metric in (roc_area, average_precision, lambda r: overlap_area(r, 0.3)):
            assert metric(both)[row] == pytest.approx(float(metric(lone)), abs=0.02)
    exact = counted(scans).ranking()
    assert roc_area(both)[1] == pytest.approx(float(roc_area(exact)), abs=0.02)


def test_curves_start_and_end_where_they_should() -> None:
    ranking = counted(made()).ranking()
    roc, precision = roc_curve(ranking), precision_recall_curve(ranking)
    assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0.0, 0.0, 1.0, 1.0)
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(float(roc_area(ranking)))
    assert (precision.x[0], precision.x[-1]) == (0.0, 1.0)
    overlap = overlap_curve(ranking, 0.3)
    assert (overlap.x[0], overlap.x[-1]) == (0.0, 0.3)
    assert np.trapezoid(overlap.y, overlap.x) / 0.3 == pytest.approx(float(overlap_area(ranking, 0.3)))
    thin = roc.thinned(50)
    assert len(thin.x) <= 52
    assert (thin.x[0], thin.y[0], thin.x[-1], thin.y[-1]) == (0.0, 0.0, 1.0, 1.0)
    assert np.trapezoid(thin.y, thin.x) == pytest.approx(float(roc_area(ranking)), abs=0.005)
