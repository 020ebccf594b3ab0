from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import chi2

from core.inspection.calibration import calibrate
from core.inspection.conformal import COMBINATIONS, DECADE, Surprise, fisher, harmonic, part_grid, part_score
from core.scores import Scores


def test_the_surprise_just_above_a_good_score_is_that_of_its_conformal_p_value():
    good = np.array([3.0, 1.0, 2.0, 5.0])
    law = Surprise.of(good)
    above = np.array([1.0, 2.0, 3.0, 5.0])
    for value, exceeding in zip(above, (3, 2, 1, 0), strict=True):
        p = (1 + exceeding) / 5
        assert law(np.array([value]))[0] == pytest.approx(-math.log(p))
    assert law(np.array([0.0]))[0] == 0
    assert np.isnan(law(np.array([np.nan]))[0])


def test_beyond_the_highest_good_score_the_surprise_goes_on_as_the_tail_says():
    law = Surprise.of(np.array([0.0, 1.0, 2.0, 4.0]))  # the highest quarter, 4, exceeds the next, 2, by 2
    assert law.excess == 2
    z = 3.0
    assert law(np.array([4.0 + 2 * z]))[0] == pytest.approx(math.log(5) + 2 * math.log(1 + z / 2))


@settings(deadline=None)
@given(hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e6, 1e6)), st.integers(0, 2**32 - 1))
def test_the_surprise_never_falls(good, seed):
    law = Surprise.of(good)
    tried = np.sort(np.random.default_rng(seed).uniform(good.min() - 10, good.max() + 10, 50))
    assert (np.diff(law(tried)) >= -1e-12).all()  # but for rounding
    assert np.isfinite(law(tried)).all()


def test_equal_good_scores_never_count_as_exceeded():
    law = Surprise.of(np.array([1.0, 1.0, 1.0, 1.0]))
    assert law(np.array([1.0]))[0] == pytest.approx(-math.log(4 / 5))
    assert law(np.array([1.1]))[0] > law(np.array([1.0]))[0]


def test_weights_count_a_part_with_few_points_like_one_with_many():
    scores, weights = np.array([0.0, 1.0, 2.0]), np.array([0.5, 0.5, 2.0])
    assert Surprise.of(scores, weights)(np.array([2.0]))[0] == pytest.approx(-math.log(2 / 4))


def test_weights_say_what_each_member_counts():
    p = np.array([[0.01, 0.2, 0.5], [1.0, 0.3, 1.0]])
    surprises, weights = -np.log(p), np.array([4.0, 2.0, 2.0])
    assert np.allclose(np.exp(-fisher(surprises, weights)), (p ** [0.5, 0.25, 0.25]).prod(axis=1))
    assert np.allclose(np.exp(-harmonic(surprises, weights)), 1 / ([0.5, 0.25, 0.25] / p).sum(axis=1))
    for combine in COMBINATIONS.values():
        assert np.allclose(combine(surprises, np.ones(3)), combine(surprises))
        assert np.allclose(combine(surprises, np.array([1.0, 0.0, 1.0])), combine(surprises[:, [0, 2]]))
        unjudged = np.where([True, False, False], np.nan, surprises)
        assert np.isfinite(combine(unjudged, weights)).all()


def test_combinations_are_the_published_statistics():
    p = np.array([[0.01, 0.2, 0.5], [1.0, 1.0, 1.0]])
    surprises = -np.log(p)
    assert np.allclose(2 * 3 * fisher(surprises), -2 * np.log(p).sum(axis=1))
    assert np.allclose(np.exp(-harmonic(surprises)), 3 / (1 / p).sum(axis=1))


@pytest.mark.parametrize("combine", COMBINATIONS.values())
def test_a_member_that_does_not_judge_moves_little_and_all_silent_is_unknown(combine):
    assert np.isnan(combine(np.full((1, 3), np.nan)))[0]
    told = combine(np.array([[5.0, np.nan], [5.0, 5.0], [5.0, 0.0]]))
    assert told[2] < told[0] < told[1]


@pytest.mark.parametrize("combine", COMBINATIONS.values())
@settings(max_examples=25, deadline=None)
@given(hnp.arrays(np.float64, st.tuples(st.integers(3, 8), st.integers(1, 3)), elements=st.floats(-100, 100)))
def test_of_any_parts_each_judged_by_the_others_no_more_are_rejected_than_promised(combine, bag):
    # What exchangeability turns into a probability: whichever of the n + 1 parts is the judged one, as likely as any.
    count = len(bag) - 1
    scores = np.array([part_score(np.delete(bag, i, axis=0), bag[i], combine) for i in range(count + 1)])
    grid = part_grid(count)
    for j in range(1, count + 1):
        assert (scores > grid[-j]).sum() <= j


def drawn(rng: np.random.Generator, draws: int, count: int, members: int) -> np.ndarray:
    """Object scores of parts whose members err together (correlation 0.8), none of them bad."""
    shared = rng.normal(size=(draws, count, 1))
    return np.exp(1.5 * (0.9 * shared + 0.44 * rng.normal(size=(draws, count, members))))


@pytest.mark.parametrize("combine", COMBINATIONS.values())
def test_promised_false_rejects_hold_for_members_that_err_together(combine):
    count, draws, budget = 9, 400, 0.1
    calibration = calibrate(
        [Scores(np.ones(1, np.float32), float(score)) for score in part_grid(count)], part_budget=budget
    )
    parts = drawn(np.random.default_rng(0), draws, count + 1, 3)
    rejected = np.mean([part_score(p[:-1], p[-1], combine) > calibration.part_threshold for p in parts])
    spread = math.sqrt(budget * (1 - budget) / draws)  # 1 of 10 is exact for continuous scores
    assert abs(rejected - budget) < 4 * spread


def test_as_if_the_members_were_independent_the_promise_would_break():
    count, draws, budget = 39, 4000, 0.05
    parts = drawn(np.random.default_rng(1), draws, count + 1, 4)
    p = (1 + (parts[:, :-1] >= parts[:, -1:]).sum(axis=1)) / (count + 1)
    rejected = (chi2.sf(-2 * np.log(p).sum(axis=1), 8) < budget).mean()
    assert rejected > 1.5 * budget


def test_clearly_defective_parts_do_not_tie():
    good = np.random.default_rng(1).gamma(2.0, size=(20, 2))
    scores = [part_score(good, np.array([t, 2 * t]), fisher) for t in (50.0, 100.0, 1000.0)]
    assert part_grid(20)[-1] < scores[0] < scores[1] < scores[2]


def test_the_grid_is_the_ranks_own_p_values():
    assert np.allclose(part_grid(4), -np.log10([4 / 5, 3 / 5, 2 / 5, 1 / 5]))
    assert math.log(10) == DECADE
