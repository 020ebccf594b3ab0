from __future__ import annotations

import numpy as np
import pytest

from core.geometry.normals import estimate_normals
from core.geometry.surface_distance import GAP, CloudSurface


def sphere(count: int, radius: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    normals = np.random.default_rng(seed).normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return (radius * normals).astype(np.float32), normals.astype(np.float32)


def lattice(side: float, step: float) -> np.ndarray:
    x, y = np.meshgrid(np.arange(-side, side + step / 2, step), np.arange(-side, side + step / 2, step))
    return np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)]).astype(np.float32)


UP = np.float32([0, 0, 1])


@pytest.fixture(scope="module")
def plane() -> CloudSurface:
    points = lattice(5.0, 0.25)
    return CloudSurface(points, np.broadcast_to(UP, points.shape).copy(), 0.25)


@pytest.mark.parametrize("neighbours", [1, 6, 20])
def test_over_a_plane_the_height_is_exact_and_signed(plane, neighbours):
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(-5, 5, (500, 2)), rng.uniform(-3, 3, 500)]).astype(np.float32)
    found = plane.distance(points, neighbours)
    assert found.height == pytest.approx(points[:, 2], abs=1e-5)
    assert not found.aside.any()
    assert found.near.shape == (500, neighbours)


def test_beyond_the_edge_it_lies_aside(plane):
    found = plane.distance(np.float32([[7.0, 0.0, 0.0], [7.0, 1.0, 0.5], [0.1, 0.1, 0.0]]))
    assert found.height == pytest.approx([0.0, 0.5, 0.0], abs=1e-6)
    assert found.aside == pytest.approx([2.0 - GAP * 0.25, 2.0 - GAP * 0.25, 0.0], abs=1e-5)


@pytest.mark.parametrize("offset", [-0.5, -0.1, 0.0, 0.1, 0.5])
def test_on_a_sphere_it_is_far_more_exact_than_tangent_planes(offset):
    radius, step = 10.0, np.sqrt(4 * np.pi * 100 / 20_000)
    surface = CloudSurface.of(*sphere(20_000, radius, 0))
    assert surface.step == pytest.approx(step, rel=0.05)
    found = surface.distance(sphere(2000, radius + offset, 1)[0])
    error = found.height - offset
    # Tangent planes at the six nearest, d² about 6 step² / (2 pi) off, read d² / 2R too low: a bias of 0.003.
    assert abs(error.mean()) < 7e-4
    assert np.abs(error).max() < 0.01


def test_normals_from_the_cloud_itself_serve_as_well():
    points, outward = sphere(20_000, 10.0, 0)
    normals = estimate_normals(points, k=16)
    normals *= np.sign(np.einsum("ij,ij->i", normals, outward))[:, None]
    error = CloudSurface.of(points, normals).distance(sphere(2000, 10.2, 1)[0]).height - 0.2
    assert abs(error.mean()) < 2e-3
    assert error.std() < 5e-3


def test_noise_of_the_cloud_is_averaged():
    points = lattice(8.0, 0.2)
    rng = np.random.default_rng(0)
    points[:, 2] += rng.normal(0, 0.05, len(points))
    normals = np.broadcast_to(UP, points.shape).copy()
    queries = np.column_stack([rng.uniform(-7, 7, (3000, 2)), np.full(3000, 0.3)]).astype(np.float32)
    one, many = (CloudSurface(points, normals, 0.2).distance(queries, k).height for k in (1, 12))
    # Of noisy points the nearest are those that lie nearer: it reads a little low, the less the more there are.
    assert many.mean() == pytest.approx(0.3, abs=0.02)
    assert abs(many.mean() - 0.3) < abs(one.mean() - 0.3)
    assert many.std() < 0.5 * one.std()


def corner() -> tuple[np.ndarray, np.ndarray]:
    """Two faces that meet at a right angle along the y axis: z = 0 for x < 0, and x = 0 for z < 0."""
    top = lattice(4.0, 0.2)
    top = top[top[:, 0] < 0.01]
    wall = top[:, [2, 1, 0]]
    return np.concatenate([top, wall]), np.repeat(np.float32([[0, 0, 1], [1, 0, 0]]), [len(top), len(wall)], axis=0)


@pytest.mark.parametrize("height", [0.3, 1.0])
def test_beside_an_edge_faces_do_not_mix(height):
    surface = CloudSurface(*corner(), 0.2)
    x = np.linspace(-1.0, -0.15, 40)
    found = surface.distance(np.column_stack([x, 0.05 + 0 * x, height + 0 * x]).astype(np.float32))
    assert found.height == pytest.approx(height, abs=0.01)
    assert not found.aside.any()


def test_off_a_sharp_edge_the_whole_distance_is_that_to_the_edge():
    surface = CloudSurface(*corner(), 0.2)
    found = surface.distance(np.float32([[1.0, 0.0, 1.0], [0.3, 0.0, 1.0]]), 1)
    whole = np.hypot(found.height, found.aside)
    assert whole == pytest.approx([np.sqrt(2.0), np.hypot(0.3, 1.0)], abs=GAP * 0.2)


def test_a_step_in_the_surface_reads_on_both_levels():
    points = lattice(5.0, 0.2)
    points[points[:, 0] > 0, 2] = 1.0
    surface = CloudSurface(points, np.broadcast_to(UP, points.shape).copy(), 0.2)
    rng = np.random.default_rng(0)
    queries = np.column_stack([rng.uniform(-4, 4, (800, 2)), np.zeros(800)]).astype(np.float32)
    high = queries[:, 0] > 0.2
    queries[:, 2] = np.where(high, 1.1, 0.1)
    clear = np.abs(queries[:, 0]) > 0.5
    assert surface.distance(queries).height[clear] == pytest.approx(0.1, abs=1e-5)


def test_shifts_of_the_surface_are_added(plane):
    points = np.random.default_rng(0).uniform(-4, 4, (50, 3)).astype(np.float32)
    shift = np.full(len(plane.points), 0.7, np.float32)
    assert plane.distance(points, 6, shift).height == pytest.approx(points[:, 2] + 0.7, abs=1e-5)


def test_it_does_not_depend_on_the_frame():
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    points, normals = corner()
    queries = rng.uniform(-2, 1, (300, 3)).astype(np.float32)
    here = CloudSurface(points, normals, 0.2).distance(queries, 1)
    there = CloudSurface((points @ turn.T + 5).astype(np.float32), (normals @ turn.T).astype(np.float32), 0.2)
    found = there.distance((queries @ turn.T + 5).astype(np.float32), 1)
    whole = np.hypot(here.height, here.aside)
    assert np.hypot(found.height, found.aside) == pytest.approx(whole, abs=0.35)  # ties of the nearest may differ
    assert np.median(np.abs(found.height - here.height)) < 1e-4


def test_few_points_and_none():
    one = CloudSurface.of(np.zeros((1, 3), np.float32), UP[None])
    assert one.distance(np.float32([[0, 0, 2]]), 6).height == pytest.approx([2.0])
    assert one.distance(np.empty((0, 3), np.float32)).near.shape == (0, 1)


def test_what_cannot_be_a_surface_is_refused(plane):
    with pytest.raises(ValueError, match="step"):
        CloudSurface(plane.points, plane.normals, 0.0)
    with pytest.raises(ValueError, match="normals"):
        CloudSurface(plane.points, plane.normals[1:], 1.0)
    with pytest.raises(ValueError, match="neighbours"):
        plane.distance(plane.points, 0)
