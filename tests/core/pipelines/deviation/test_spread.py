from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from core.pipelines.deviation.spread import bend, expected_spread, inflation, pooled_median


def plane(step: float = 0.5, side: float = 10.0) -> np.ndarray:
    x, y = np.meshgrid(np.arange(-side, side, step), np.arange(-side, side, step))
    return np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)]).astype(np.float32)


def fold() -> tuple[np.ndarray, np.ndarray]:
    """Two faces that meet at a right angle at x = 0, with their normals."""
    flat = plane()
    left = flat[flat[:, 0] < -0.1]
    down = left[:, [2, 1, 0]]
    return np.concatenate([left, down]), np.repeat(np.float32([[0, 0, 1], [1, 0, 0]]), [len(left), len(down)], axis=0)


@pytest.mark.parametrize("freedom", [1.0, 3.0, 7.0, 25.0])
def test_three_spreads_are_exceeded_as_seldom_whatever_the_number_of_scans(freedom):
    factor = inflation(np.array([freedom]))[0]
    assert t.sf(3.0 * factor, freedom) == pytest.approx(norm.sf(3.0), rel=1e-6)
    assert factor > inflation(np.array([2 * freedom]))[0] > 1.0


def test_the_spread_of_many_scans_is_their_standard_deviation():
    points = plane()
    rng = np.random.default_rng(0)
    heights = rng.normal(0, 0.2, (60, len(points))).astype(np.float32)
    up = np.broadcast_to(np.float32([0, 0, 1]), points.shape)
    spread = expected_spread(heights, 0 * heights, points, up, shrink=4.0, step=0.5)
    assert np.median(spread) == pytest.approx(0.2, rel=0.15)


def test_good_points_rarely_exceed_three_spreads_however_few_scans_told_it():
    points = plane()
    up = np.broadcast_to(np.float32([0, 0, 1]), points.shape)
    for count in (2, 3, 4, 10):
        beyond = []
        for seed in range(5):
            rng = np.random.default_rng(seed)
            heights = rng.normal(0, 0.2, (count, len(points))).astype(np.float32)
            spread = expected_spread(heights, 0 * heights, points, up, shrink=4.0, step=0.5)
            beyond.append(np.mean(np.abs(rng.normal(0, 0.2, len(points))) > 3.0 * spread))
        assert np.mean(beyond) < 2.7e-3


def test_an_edge_is_judged_by_other_edges_where_few_scans_saw_it():
    points, normals = fold()
    at_edge = np.abs(points[:, [0, 2]]).max(axis=1) < 0.9
    far = np.abs(points[:, [0, 2]]).max(axis=1) > 5.0
    rng = np.random.default_rng(0)
    true = np.where(at_edge, 0.5, 0.05)
    heights = rng.normal(0, true, (3, len(points))).astype(np.float32)
    spread = expected_spread(heights, 0 * heights, points, normals, shrink=4.0, step=0.5)
    assert np.median(spread[at_edge]) > 4 * np.median(spread[far])
    assert spread[at_edge].min() > 0.2


def test_a_place_that_no_scan_saw_has_the_spread_of_its_kind():
    points = plane()
    heights = np.random.default_rng(0).normal(0, 0.1, (6, len(points))).astype(np.float32)
    unseen = np.linalg.norm(points, axis=1) < 3
    heights[:, unseen] = np.nan
    up = np.broadcast_to(np.float32([0, 0, 1]), points.shape)
    spread = expected_spread(heights, 0 * heights, points, up, shrink=4.0, step=0.5)
    assert np.isfinite(spread).all()
    assert spread[np.linalg.norm(points, axis=1) < 1].min() > 0.08
    assert np.isfinite(expected_spread(np.full_like(heights, np.nan), heights, points, up, shrink=0.0, step=0.5)).all()


def test_bending_is_none_on_a_plane_and_most_at_an_edge():
    points, normals = fold()
    around = np.argsort(np.linalg.norm(points[:, None] - points, axis=2), axis=1)[:, :25]
    bends = bend(normals, around)
    edge = np.abs(points[:, [0, 2]]).max(axis=1)
    assert bends[edge > 3].max() < 1e-6
    assert bends[edge < 0.6].min() > 0.1


def test_the_median_over_scans_is_averaged_over_places():
    points = plane()
    heights = np.full((3, len(points)), np.nan, np.float32)
    heights[:2] = [[0.1], [0.3]]
    assert pooled_median(heights, points) == pytest.approx(0.2, abs=1e-6)
    assert not pooled_median(np.full_like(heights, np.nan), points).any()
