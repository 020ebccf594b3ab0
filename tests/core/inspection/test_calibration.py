from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import CategoryError, ConfigError
from core.inspection.calibration import Calibration, best_f1_threshold, calibrate, conformal_rank, threshold_error
from core.scores import ScoreMap, Scores


def part(score: float, points=(0.0, 1.0)) -> Scores:
    return Scores(np.asarray(points, np.float32), score)


@pytest.mark.parametrize(("count", "budget"), [(19, 0.05), (20, 0.05), (37, 0.1), (9, 0.1), (5, 0.3)])
def test_no_more_good_parts_are_rejected_than_the_budget_allows(count, budget):
    draws = np.random.default_rng(0).lognormal(sigma=2.0, size=(40_000, count + 1))
    rank = conformal_rank(count, budget)
    thresholds = np.sort(draws[:, :-1], axis=1)[:, rank - 1]
    for row, threshold in zip(draws[:100], thresholds, strict=False):
        calibration = calibrate([part(s) for s in row[:-1]], part_budget=budget, point_budget=0.5)
        assert calibration.supported
        assert calibration.part_threshold == threshold
    exact = 1 - rank / (count + 1)  # the rate for continuous scores
    sd = np.sqrt(exact * (1 - exact) / len(draws))
    assert exact <= budget + 1e-12
    assert abs((draws[:, -1] > thresholds).mean() - exact) < 4 * sd


@pytest.mark.parametrize(
    ("count", "budget", "rank"),
    [(19, 0.05, 19), (18, 0.05, 19), (99, 0.01, 99), (100, 0.05, 96), (9, 0.1, 9), (1, 0.5, 1)],
)
def test_conformal_rank(count, budget, rank):
    assert conformal_rank(count, budget) == rank


def test_too_few_parts_say_what_they_can_support():
    calibration = calibrate([part(s) for s in range(9)], part_budget=0.05, method="validation split")
    assert not calibration.supported
    assert calibration.part_threshold == 8
    assert "9 good parts" in calibration.note
    assert "10 %, asked 5 %" in calibration.note
    assert "19 good parts would support it" in calibration.note
    assert calibrate([part(s) for s in range(19)], part_budget=0.05).supported


def test_part_threshold_is_an_order_statistic_of_the_raw_scores():
    values = np.random.default_rng(1).normal(1e6, 1e3, 40)
    calibration = calibrate([part(v) for v in values], part_budget=0.1)
    assert calibration.part_threshold == np.sort(values)[36]  # ceil(41 * 0.9) = 37th smallest
    assert calibration.rejected(calibration.part_threshold) == 3
    assert calibration.rejected(-np.inf) == 40
    assert calibration.rejected(values.max()) == 0


def test_guard_is_the_bootstrap_standard_error_of_the_threshold():
    rng = np.random.default_rng(2)
    values = np.sort(rng.gamma(2.0, size=30))
    rank = 28
    resampled = np.sort(rng.choice(values, (200_000, 30)), axis=1)[:, rank - 1]
    assert threshold_error(values, rank) == pytest.approx(resampled.std(), rel=0.02)
    assert calibrate([part(v) for v in values], part_budget=0.1).guard == threshold_error(values, 28)
    assert threshold_error(np.array([3.0]), 1) == 0


def test_guard_shrinks_with_more_parts():
    rng = np.random.default_rng(3)
    few = np.mean([calibrate([part(v) for v in rng.random(20)], part_budget=0.2).guard for _ in range(50)])
    many = np.mean([calibrate([part(v) for v in rng.random(200)], part_budget=0.2).guard for _ in range(50)])
    assert many < few / 2


def test_point_budget_counts_each_part_the_same():
    # 10,000 points of 0..1 and 100 points of 10..11: unweighted, 1 % would be the small part's points alone.
    big, small = np.linspace(0, 1, 10_000, dtype=np.float32), np.linspace(10, 11, 100, dtype=np.float32)
    calibration = calibrate([part(0, big), part(0, small)], point_budget=0.25)
    assert calibration.point_threshold == pytest.approx(10.5, abs=0.02)
    marked = [np.mean(p > np.float32(calibration.point_threshold)) for p in (big, small)]
    assert np.mean(marked) <= 0.25
    assert calibration.marked_share(calibration.point_threshold) == pytest.approx(0.25, abs=1e-3)


@given(st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=30), min_size=1, max_size=5), st.floats(0.01, 0.9))
@settings(max_examples=100, deadline=None)
def test_point_threshold_is_the_lowest_within_the_budget(parts, budget):
    calibration = calibrate([part(0, p) for p in parts], point_budget=budget)

    def share(threshold: float) -> float:
        return float(np.mean([np.mean(np.array(p) > threshold) for p in parts]))

    assert share(calibration.point_threshold) <= budget + 1e-8
    lower = [v for p in parts for v in p if v < calibration.point_threshold]
    assert all(share(v) > budget for v in lower)


def test_marked_parts_counts_the_parts_that_could_show_a_defect():
    rng = np.random.default_rng(4)
    parts = [rng.normal(size=500).astype(np.float32) for _ in range(12)]
    calibration = calibrate([part(0, p) for p in parts])
    for threshold in (1.0, 2.0, 2.5, 3.0):
        for least in (1, 3, 10):
            assert calibration.marked_parts(threshold, least) == sum((p > threshold).sum() >= least for p in parts)
    assert calibration.marked_parts(-10, 100_000) == 0  # no part has as many points


def test_points_without_a_score_are_left_out():
    calibration = calibrate(
        [part(1, [np.nan, 1, 2, np.nan]), part(np.nan), part(2, [np.nan, np.nan])], point_budget=0.01
    )
    assert calibration.point_threshold == 2
    assert calibration.part_scores.tolist() == [1.0]
    with pytest.raises(CategoryError, match="no good scan"):
        calibrate([part(np.nan)])


@pytest.mark.parametrize("budget", [0, 1, -0.1, float("nan")])
def test_a_budget_is_a_share(budget):
    with pytest.raises(ConfigError):
        calibrate([part(1)], part_budget=budget)


@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=1, max_size=40))
@settings(max_examples=300, deadline=None)
def test_best_f1_equals_brute_force(points):
    scores = np.array([s for s, _ in points], np.float32)
    labels = np.array([label for _, label in points])
    found = best_f1_threshold(scores, labels)
    if not labels.any():
        assert found is None
        return

    def f1(threshold: float) -> float:
        marked = scores > threshold
        return float(2 * (marked & labels).sum() / (marked.sum() + labels.sum()))

    best = max(f1(t) for t in [*scores.tolist(), float(scores.min()) - 1])
    assert f1(found) == pytest.approx(best, abs=1e-12)


def test_labelled_defects_offer_the_best_point_threshold():
    good = [part(0, [0.1, 0.2, 0.3])]
    bad = Scores(np.array([0.1, np.nan, 5, 6], np.float32), 6)
    assert calibrate(good).best_f1_point is None
    found = calibrate(good, labelled=[(bad, [False, True, True, True])]).best_f1_point
    assert found == pytest.approx(0.1)


def test_state_round_trip_is_exact():
    rng = np.random.default_rng(5)
    for labelled in ([], [(part(1, [0, 1]), [False, True])]):
        before = calibrate(
            [part(v, rng.random(50)) for v in rng.random(7)], method="cross-fitted, 5 folds", labelled=labelled
        )
        state = before.state()
        assert all(isinstance(v, np.ndarray) for v in state.values())
        after = Calibration.from_state(state)
        for name in state:
            assert np.array_equal(np.asarray(getattr(before, name)), np.asarray(getattr(after, name))), name
            assert type(getattr(before, name)) is type(getattr(after, name)), name
        assert after.thresholds() == before.thresholds()


def test_other_budgets_from_the_kept_scores():
    rng = np.random.default_rng(6)
    scores = [part(v, rng.random(1000)) for v in rng.random(60)]
    changed = calibrate(scores).rebudgeted(0.2, 0.01)
    direct = calibrate(scores, part_budget=0.2, point_budget=0.01)
    assert changed.thresholds().part == direct.thresholds().part
    assert changed.guard == direct.guard
    assert changed.note == direct.note
    assert changed.point_threshold == pytest.approx(direct.point_threshold, abs=1e-3)
    with pytest.raises(ConfigError):
        calibrate(scores).rebudgeted(point_budget=2)


def test_maps_of_scores_have_their_own_scale_over_good_points():
    def mapped(offset: float) -> Scores:
        points = np.arange(100, dtype=np.float32)
        maps = {
            "twice": ScoreMap(np.append(2 * points[1:] + offset, np.nan), "Twice"),
            "share": ScoreMap(points / 100, "Share", "weight"),
            "flat": ScoreMap(np.ones(100), "Flat"),
        }
        return Scores(points, 1.0, maps)

    calibration = calibrate([mapped(0.0), mapped(0.0)], point_budget=0.1)
    assert set(calibration.map_scales) == {"twice"}, "weights need no scale, and what is the same everywhere has none"
    low, high = calibration.map_scales["twice"]
    values = 2 * np.arange(1, 100)
    assert (values > low).mean() <= 0.5 < (values >= low).mean()
    assert (values > high).mean() <= 0.1 < (values >= high).mean()
    again = Calibration.from_state(calibration.state())
    assert again.map_scales == calibration.map_scales
    older = {key: value for key, value in calibration.state().items() if "/" not in key}
    assert Calibration.from_state(older).map_scales == {}
