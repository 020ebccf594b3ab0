from __future__ import annotations

import numpy as np
import pytest

from core.inspection.conformal import COMBINATIONS, fisher
from core.inspection.point_surprise import PointSurprise


def good_points(rng: np.random.Generator, parts: int, points: int, members: int = 3) -> np.ndarray:
    """Members that err together, at the same places and on the same parts."""
    place, part = rng.normal(size=(parts, points, 1)), 0.4 * rng.normal(size=(parts, 1, members))
    return np.exp(place + part + 0.5 * rng.normal(size=(parts, points, members))).astype(np.float32)


@pytest.mark.parametrize("name", COMBINATIONS)
def test_the_share_of_good_points_that_is_promised_is_marked(name):
    rng = np.random.default_rng(0)
    law = PointSurprise.of(good_points(rng, 20, 400), COMBINATIONS[name])
    fresh = good_points(rng, 200, 200)
    members, combined = law(fresh.reshape(-1, 3))
    for share in (0.1, 0.01):
        assert (combined > -np.log10(share)).mean() == pytest.approx(share, rel=0.35)
        assert ((members > -np.log10(share)).mean(axis=0) < 2 * share).all()
    assert (law.good_combined > 2).mean() == pytest.approx(0.01, rel=0.05)


def test_good_parts_are_compared_with_the_others_not_with_themselves():
    points = np.random.default_rng(1).normal(size=(4, 50, 1)).astype(np.float32)
    points[2] += 100  # a part unlike the others: nothing but itself is as high
    law = PointSurprise.of(points, fisher)
    others = np.sort(points[[0, 1, 3]].ravel())
    assert law.good[2].min() > np.log10(len(others))  # beyond their resolution


def test_parts_count_the_same_however_many_of_their_points_are_judged():
    points = np.full((3, 1000, 1), np.nan, np.float32)
    points[0, :, 0], points[1, :10, 0], points[2, :, 0] = 0.0, 1.0, 0.0
    law = PointSurprise.of(points, fisher)
    assert law.members[0](np.array([1.0]))[0] == pytest.approx(np.log(3), rel=0.01)  # a third of all


def test_points_that_nobody_judges_stay_unjudged():
    law = PointSurprise.of(good_points(np.random.default_rng(2), 5, 40), fisher)
    scores = np.array([[np.nan, np.nan, np.nan], [1.0, np.nan, 2.0]], np.float32)
    members, combined = law(scores)
    assert np.isnan(combined[0])
    assert np.isfinite(combined[1])
    assert np.isnan(members).sum() == 4


def test_order_goes_on_beyond_all_good_points():
    law = PointSurprise.of(good_points(np.random.default_rng(3), 5, 100), fisher)
    _, combined = law(np.array([[1e3] * 3, [1e4] * 3, [1e5] * 3], np.float32))
    assert 2 < combined[0] < combined[1] < combined[2]


def test_a_member_that_judged_no_good_point_finds_nothing_surprising():
    points = good_points(np.random.default_rng(4), 4, 50)
    points[..., 1] = np.nan
    members, combined = PointSurprise.of(points, fisher)(np.full((2, 3), 5.0, np.float32))
    assert (members[:, 1] == 0).all()
    assert np.isfinite(combined).all()
