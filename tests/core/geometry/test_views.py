from __future__ import annotations

import numpy as np
import pytest

from core.geometry.shading import render_normals
from core.geometry.views import (
    closing_splat,
    covering_views,
    mean_over_views,
    sensor_view,
    view_along,
    viewing_directions,
    whole_extent,
)
from core.scan import Scan


def organised(right, down, rows: int = 20, columns: int = 30) -> Scan:
    grid = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    r, c = np.divmod(grid.ravel(), columns)
    points = c[:, None] * np.asarray(right) + r[:, None] * np.asarray(down)
    return Scan(points=points.astype(np.float32), grid=grid)


def box(sides=(1.0, 1.0, 1.0), count: int = 12_000) -> tuple[np.ndarray, np.ndarray]:
    """Points and outward normals of a box's six faces."""
    rng = np.random.default_rng(0)
    points, normals = rng.uniform(-0.5, 0.5, (count, 3)), np.zeros((count, 3))
    axis, sign = rng.integers(3, size=count), rng.choice([-1.0, 1.0], count)
    points[np.arange(count), axis] = 0.5 * sign
    normals[np.arange(count), axis] = sign
    return (points * sides).astype(np.float32), normals.astype(np.float32)


def test_a_camera_whose_z_points_away_is_turned_as_cpmf_does():
    assert np.array_equal(sensor_view(organised([0.1, 0, 0.01], [0, 0.1, 0])), np.diag([1.0, -1.0, -1.0]))


def test_a_sensor_above_a_table_needs_no_turn():
    assert np.array_equal(sensor_view(organised([0.1, 0, 0], [0.002, -0.1, 0])), np.eye(3))


def test_a_sensor_askew_is_followed():
    turn = sensor_view(organised([1, 1, 0], [-1, 1, 0]))
    assert np.allclose(turn[0], np.array([1, 1, 0]) / np.sqrt(2), atol=1e-6)
    assert np.allclose(turn[1], -np.array([-1, 1, 0]) / np.sqrt(2), atol=1e-6)
    assert np.linalg.det(turn) == pytest.approx(1)


def test_an_unorganised_scan_has_no_sensor_view():
    with pytest.raises(ValueError, match="unorganised"):
        sensor_view(Scan(points=np.zeros((3, 3), np.float32)))


def test_directions_are_the_cubes():
    directions = viewing_directions()
    assert directions.shape == (26, 3)
    assert np.allclose(np.linalg.norm(directions, axis=1), 1)
    assert (np.count_nonzero(directions, axis=1) == [1] * 6 + [2] * 12 + [3] * 8).all()
    assert np.abs(directions.sum(axis=0)).max() < 1e-12


def test_views_look_from_where_they_are_told():
    for direction in viewing_directions():
        turn = view_along(direction)
        assert np.allclose(turn @ direction, [0, 0, 1])
        assert np.allclose(turn @ turn.T, np.eye(3))
        assert np.linalg.det(turn) == pytest.approx(1)
    assert np.allclose(view_along([0, 0, 1]), np.eye(3))


def test_nothing_is_cut_at_the_whole_extent():
    points, normals = box((3.0, 2.0, 4.0))
    for direction in viewing_directions():
        picture = render_normals(
            points, normals, view=view_along(direction), extent=whole_extent(points), center=(0, 0, 0)
        )
        assert picture.pixels.min() >= 0
        assert picture.pixels.max() < 224


def test_a_box_is_covered_from_all_sides():
    points, normals = box()
    found = covering_views(points, normals)
    assert 2 <= len(found.views) <= 6
    assert found.covered > 0.99
    pictures, seen = found.render(points, normals)
    assert len(pictures) == len(found.views)
    assert seen.shape == (len(points), len(pictures))
    assert seen.any(axis=1).mean() > 0.99
    away = np.stack([normals @ view[2] < -0.1 for view in found.views], axis=1)
    assert (seen & away).mean() < 0.001


def test_squares_grow_where_points_are_few():
    side = np.linspace(-0.5, 0.5, 41, dtype=np.float32)  # 0.025 apart; a pixel shows 1 / 160
    x, y = (a.ravel() for a in np.meshgrid(side, side))
    points = np.stack([x, y, 0 * x], axis=1)
    assert closing_splat(points, 1.0) == 21
    assert closing_splat(points[:, :] * np.float32(0.25), 1.0) == 9
    assert closing_splat(points * np.float32(0.01), 1.0) == 5


def test_a_flat_part_seen_from_above_needs_one_view():
    points, normals = box()
    top = points[:, 2] > 0.49
    assert top.any()
    found = covering_views(points[top], normals[top], directions=viewing_directions()[[0, 2, 4]])
    assert len(found.views) == 1
    assert np.abs(found.views[0][2] @ [0, 0, 1]) == pytest.approx(1)


def test_the_limit_holds():
    points, normals = box()
    assert len(covering_views(points, normals, limit=1).views) == 1
    with pytest.raises(ValueError, match="0 views"):
        covering_views(points, normals, limit=0)


def test_the_mean_is_over_the_views_that_see_a_point():
    seen = np.array([[True, True], [False, True], [False, False]])
    values = [
        np.array([[1.0, 5.0], [9.0, 9.0], [9.0, 9.0]], np.float32),
        np.array([[3.0, 7.0], [4.0, 2.0], [9, 9]], np.float32),
    ]
    mean = mean_over_views(values, seen)
    assert np.allclose(mean[:2], [[2, 6], [4, 2]])
    assert np.isnan(mean[2]).all()
    assert np.allclose(mean_over_views([v[:, 0] for v in values], seen)[:2], [2, 4])


def test_views_can_count_differently() -> None:
    values = [np.array([1.0, 5.0], np.float32), np.array([4.0, 9.0], np.float32)]
    seen = np.array([[True, True], [True, False]])
    weights = np.array([[2.0, 1.0], [0.5, 7.0]], np.float32)
    assert np.allclose(mean_over_views(values, seen, weights), [(2 * 1 + 1 * 4) / 3, 5.0])
    pairs = [np.stack([v, -v], axis=1) for v in values]
    assert np.allclose(mean_over_views(pairs, seen, weights)[0], [2.0, -2.0])
