"""Points drawn over surfaces: their density against areas known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from core.synthesis.surfaces import (
    Profile,
    Solid,
    on_extrusion,
    on_grid,
    on_revolution,
    on_triangles,
    on_union,
    random_rotation,
    triangle_areas,
)

COUNT = 20_000


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_triangle_areas_are_half_the_cross_product() -> None:
    flat = np.array([[[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]]])
    space = np.array([[[0.0, 0.0, 1.0], [3.0, 0.0, 1.0], [0.0, 4.0, 1.0]]])
    assert triangle_areas(flat) == pytest.approx([6.0])
    assert triangle_areas(space) == pytest.approx([6.0])


def test_triangle_points_follow_the_areas_and_stay_inside(rng: np.random.Generator) -> None:
    triangles = np.array([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [[5.0, 0.0], [8.0, 0.0], [5.0, 1.0]]])
    points = on_triangles(rng, triangles, COUNT)
    second = points[:, 0] >= 5
    assert second.mean() == pytest.approx(0.75, abs=0.015)
    assert (points[~second].sum(1) <= 1 + 1e-12).all()
    assert points[~second].mean(0) == pytest.approx([1 / 3, 1 / 3], abs=0.02)


def test_cone_density_is_proportional_to_the_radius(rng: np.random.Generator) -> None:
    points = on_revolution(rng, np.array([[0.0, 0.0], [1.0, 2.0]]), COUNT)
    radius = np.hypot(points[:, 0], points[:, 1])
    assert radius == pytest.approx(points[:, 2] / 2, abs=1e-5)
    # Share of a cone's area within radius r of the apex is r^2.
    assert (radius < 0.5).mean() == pytest.approx(0.25, abs=0.015)


def test_sphere_by_grid_is_even(rng: np.random.Generator) -> None:
    v, u = np.meshgrid(np.linspace(0, np.pi, 65), np.linspace(-np.pi, np.pi, 97))
    grid = np.stack([np.sin(v) * np.cos(u), np.sin(v) * np.sin(u), np.cos(v)], -1)
    points = on_grid(rng, grid, COUNT)
    # Archimedes: equal heights hold equal areas.
    assert np.histogram(points[:, 2], bins=4, range=(-1, 1))[0] / COUNT == pytest.approx(np.full(4, 0.25), abs=0.015)


def test_extrusion_shares_points_by_area_and_cuts_holes(rng: np.random.Generator) -> None:
    square = Profile.star(np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]))
    points = on_extrusion(rng, square, 0.5, COUNT, [(0.0, 0.0, 0.5), (0.9, 0.9, 0.3)])
    radius = np.hypot(points[:, 0], points[:, 1])
    wall = np.abs(radius - 0.5) < 1e-5
    assert (radius > 0.5 - 1e-5).all(), "the hole inside the profile is cut"
    near_corner = np.hypot(points[:, 0] - 0.9, points[:, 1] - 0.9) < 0.25
    assert near_corner.any(), "the hole that leaves the profile is not"
    outer, caps = 4 * 2 * 0.5, 2 * (4 - np.pi * 0.25)
    assert wall.mean() == pytest.approx(np.pi * 0.5 / (np.pi * 0.5 + outer + caps), abs=0.015)


def test_an_l_profile_contains_its_bars_only() -> None:
    outline = [(0, 0), (2, 0), (2, 0.5), (0.5, 0.5), (0.5, 2), (0, 2)]
    profile = Profile.rectangles(outline, np.array([[0, 0, 2, 0.5], [0, 0.5, 0.5, 2.0]]))
    assert triangle_areas(profile.triangles).sum() == pytest.approx(1.75)
    inside = profile.contains(np.array([[1.5, 0.25], [0.25, 1.5], [1.5, 1.5], [-0.1, 0.1]]))
    assert inside.tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("solid", "area"),
    [
        (Solid("box", (1.0, 2.0, 3.0)), 88.0),
        (Solid("frustum", (1.0, 1.0, 1.0)), 6 * np.pi),
        (Solid("ball", (2.0, 0.0, 0.0)), 16 * np.pi),
        (Solid("torus", (2.0, 0.5, 0.0)), 4 * np.pi**2),
    ],
)
def test_solids_know_area_and_inside(rng: np.random.Generator, solid: Solid, area: float) -> None:
    assert solid.area == pytest.approx(area)
    points = solid.sample(rng, 2000)
    moved = Solid(solid.kind, solid.size, random_rotation(rng), np.array([1.0, -2.0, 3.0]))
    for one in (solid, moved):
        surface = one.sample(rng, 500)
        towards = one.center if solid.kind != "torus" else None
        if towards is not None:
            assert one.inside(surface + 0.02 * (towards - surface)).mean() > 0.99
            assert not one.inside(surface - 0.02 * (towards - surface)).any()
    if solid.kind == "torus":
        ring = points.copy()
        ring[:, 2] = 0
        ring *= (2.0 / np.hypot(ring[:, 0], ring[:, 1]))[:, None]
        assert solid.inside(ring).all()
        assert not solid.inside(ring * 1.4).any()


def test_union_has_no_inner_walls(rng: np.random.Generator) -> None:
    a, b = Solid("ball", (1.0, 0.0, 0.0)), Solid("ball", (1.0, 0.0, 0.0), center=np.array([1.0, 0.0, 0.0]))
    points = on_union(rng, [a, b], 4000)
    assert np.linalg.norm(points, axis=1).min() > 1 - 1e-5
    assert np.linalg.norm(points - b.center, axis=1).min() > 1 - 1e-5
    # Each ball loses the cap of height 1/2: a quarter of its area.
    assert len(points) / 4000 == pytest.approx(0.75, abs=0.03)


def test_random_rotation_is_a_rotation(rng: np.random.Generator) -> None:
    turn = random_rotation(rng)
    assert turn @ turn.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1.0)
