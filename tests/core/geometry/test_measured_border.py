from __future__ import annotations

import numpy as np
import pytest

from core.geometry.measured_border import beyond_border, grid_border, open_border
from core.geometry.surface_distance import GAP, CloudSurface

UP = np.float32([0, 0, 1])


def box(count: int, *, lid: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """A cube of side 20, with its six faces or without the upper one."""
    rng = np.random.default_rng(0)
    points, face = rng.uniform(-10, 10, (count, 3)), rng.integers(0, 6, count)
    normals = np.zeros((count, 3))
    sign = np.where(face < 3, 1.0, -1.0)
    points[np.arange(count), face % 3] = 10 * sign
    normals[np.arange(count), face % 3] = sign
    kept = np.ones(count, bool) if lid else face != 2
    return points[kept].astype(np.float32), normals[kept].astype(np.float32)


def square(step: float = 0.25) -> np.ndarray:
    x, y = np.meshgrid(np.arange(-5, 5 + step / 2, step), np.arange(-5, 5 + step / 2, step))
    return np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)]).astype(np.float32)


@pytest.mark.parametrize("given", [True, False])
def test_a_closed_surface_has_no_border_not_even_at_its_sharp_edges(given):
    points, normals = box(10_000)
    assert open_border(points, normals if given else None).at.mean() < 1e-3


@pytest.mark.parametrize("given", [True, False])
def test_the_rim_of_an_open_box_is_its_border(given):
    points, normals = box(10_000, lid=False)
    border = open_border(points, normals if given else None)
    depth = 10 - points[:, 2]
    assert border.at[depth < 0.15].mean() > 0.85
    assert border.at[depth > 1.5].mean() < 1e-3
    assert border.outward[border.at & (depth < 0.15)].mean(axis=0) == pytest.approx([0, 0, 1], abs=0.1)
    wall = (depth > 5) & (depth < 15) & (np.abs(points[:, :2]).max(axis=1) > 9.99)
    assert np.quantile(np.abs(border.distance[wall] - depth[wall]), 0.9) < 0.9  # two spacings


def test_border_points_of_a_square_look_outward():
    points = square()
    border = open_border(points, np.broadcast_to(UP, points.shape).copy())
    rim = np.abs(points[:, :2]).max(axis=1) > 4.99
    assert border.at[rim].all()
    assert not border.at[np.abs(points[:, :2]).max(axis=1) < 4.4].any()
    side = (points[:, 0] > 4.99) & (np.abs(points[:, 1]) < 4)
    assert border.outward[side] == pytest.approx(np.tile([1.0, 0, 0], (side.sum(), 1)), abs=0.05)
    assert not border.outward[~border.at].any()


def test_a_hole_is_border_and_a_missing_point_is_not():
    points = square()
    centre = np.linalg.norm(points, axis=1)
    few = np.linalg.norm(points - [3, 3, 0], axis=1) < 0.1  # a single lost measurement
    points = points[(centre > 1.5) & ~few]
    border = open_border(points, np.broadcast_to(UP, points.shape).copy())
    centre = np.linalg.norm(points, axis=1)
    assert border.at[centre < 1.6].mean() > 0.8
    assert not border.at[np.linalg.norm(points - [3, 3, 0], axis=1) < 1.0].any()


def test_no_border_is_infinitely_far():
    points = np.random.default_rng(1).normal(size=(20_000, 3))
    points = (10 * points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    border = open_border(points, points / 10, angle=3.0)
    assert not border.at.any()
    assert np.isinf(border.distance).all()


def test_frame_and_missing_pixels_of_a_grid_are_border():
    grid = np.arange(400, dtype=np.int32).reshape(20, 20)
    at = grid_border(grid, 400).reshape(20, 20)
    assert at[[0, -1]].all()
    assert at[:, [0, -1]].all()
    assert not at[2:-2, 2:-2].any()
    held = np.ones((20, 20), bool)
    held[8:14, 8:14] = False  # a hole
    held[3, 3] = False  # a dropped pixel
    grid = np.where(held, np.cumsum(held).reshape(20, 20) - 1, -1).astype(np.int32)
    at = np.zeros((20, 20), bool)
    at[held] = grid_border(grid, int(held.sum()))
    assert at[7, 7:15].all()
    assert at[7:15, 14].all()
    assert not at[2:5, 2:5].any()


def test_the_grid_s_border_joins_the_surface_s():
    points = square()
    grid = np.arange(len(points), dtype=np.int32).reshape(41, 41)
    normals = np.broadcast_to(UP, points.shape).copy()
    both = open_border(points, normals, grid=grid).at
    assert (both >= open_border(points, normals).at).all()
    assert (both >= grid_border(grid, len(points))).all()


def test_level_beyond_an_open_border_is_not_judged_but_what_rises_is():
    points = square()
    surface = CloudSurface(points, np.broadcast_to(UP, points.shape).copy(), 0.25)
    border = open_border(points, surface.normals)
    queries = np.float32(
        [
            [6.0, 0.0, 0.0],  # the surface goes on
            [8.0, 1.0, -0.6],  # and on, a little lower
            [5.5, 0.0, 2.0],  # stands up beside the border
            [0.0, 0.0, 1.0],  # a bump over the middle
            [4.9, 0.0, 0.3],  # a burr at the border, over the surface
            [4.9, 0.0, 0.0],
        ]
    )
    found = surface.distance(queries)
    assert beyond_border(surface, border, queries, found).tolist() == [True, True, False, False, False, False]


def test_beside_a_closed_edge_everything_is_judged():
    points, normals = box(10_000)
    surface = CloudSurface.of(points, normals)
    border = open_border(points, normals)
    burr = np.column_stack([np.linspace(10.1, 12, 30), np.zeros(30), np.full(30, 9.9)]).astype(np.float32)
    found = surface.distance(burr)
    assert not beyond_border(surface, border, burr, found).any()
    assert np.hypot(found.height, found.aside)[-1] > 2.0 - GAP * surface.step - 0.1


def test_a_cloud_that_is_too_small_is_border_altogether():
    assert open_border(np.zeros((3, 3), np.float32)).at.all()
    assert len(open_border(np.empty((0, 3), np.float32)).at) == 0


def test_what_cannot_be_asked_is_refused():
    points = square()
    with pytest.raises(ValueError, match="neighbours"):
        open_border(points, neighbours=2)
    with pytest.raises(ValueError, match="angle"):
        open_border(points, angle=7.0)
    with pytest.raises(ValueError, match="normals"):
        open_border(points, points[1:])
