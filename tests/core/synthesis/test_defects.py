"""Made defects against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.synthesis import defects
from core.synthesis.defects import Site

UP = Site.at((1.0, 2.0, 3.0), (0.0, 0.0, 1.0))


def plane(count: int = 41, half: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
    """A square of points at height 3 about (1, 2), and its normals."""
    axis = np.linspace(-half, half, count)
    x, y = np.meshgrid(axis + 1.0, axis + 2.0)
    points = np.stack([x, y, np.full_like(x, 3.0)], axis=-1).reshape(-1, 3).astype(np.float32)
    return points, np.tile(np.array([0, 0, 1], np.float32), (len(points), 1))


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3).filter(lambda v: np.linalg.norm(v) > 0.1), st.floats(0, 7))
@settings(max_examples=40, deadline=None)
def test_a_sites_axes_are_a_rotation(normal: list[float], turn: float) -> None:
    site = Site.at((0, 0, 0), normal, turn)
    axes = site.local(np.eye(3, dtype=np.float32))
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-5)
    assert np.linalg.det(axes) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(site.local(site.normal[None]), [[0, 0, 1]], atol=1e-5)


def test_a_bulge_follows_its_formula() -> None:
    points, normals = plane()
    moved, mask = defects.displaced(points, normals, defects.bulge(UP, 4.0, 1.5), threshold=0.1)
    q = np.minimum(((points[:, 0] - 1) ** 2 + (points[:, 1] - 2) ** 2) / 16.0, 1.0)
    expected = 1.5 * (1 - q) ** 2
    np.testing.assert_allclose(moved[:, 2] - 3.0, expected, atol=1e-5)
    np.testing.assert_array_equal(mask, expected > 0.1)
    np.testing.assert_array_equal(moved[:, :2], points[:, :2])


def test_a_dent_is_the_negative_of_a_bulge() -> None:
    points, _ = plane()
    np.testing.assert_array_equal(
        defects.dent(UP, 3.0, 0.7, elongation=1.4)(points), -defects.bulge(UP, 3.0, 0.7, elongation=1.4)(points)
    )


def test_what_lies_behind_the_wall_stays() -> None:
    points, _ = plane()
    behind = points - np.array([0, 0, 5.0], np.float32)
    for field in (
        defects.bulge(UP, 4.0, 1.0),
        defects.scratch(UP, 10.0, 2.0, 0.5),
        defects.hole(UP, 3.0, 2.0),
    ):
        assert np.abs(field(points)).max() > 0.4
        assert np.abs(field(behind)).max() == 0


def test_a_scratch_is_deepest_in_its_middle_and_ends_where_it_ends() -> None:
    site = Site.at((0, 0, 0), (0, 0, 1))
    along = np.outer(np.linspace(-1, 1, 201) * 12.0, site.tangent).astype(np.float32)
    depth = defects.scratch(site, 20.0, 2.0, 0.6)(along)
    assert depth.min() == pytest.approx(-0.6)
    assert depth[100] == pytest.approx(-0.6)
    assert (np.diff(depth[100:]) >= -1e-6).all()
    t = np.linspace(-1, 1, 201) * 12.0
    assert (depth[np.abs(t) > 10.0] == 0).all()
    across = along[100] + np.outer(np.linspace(-2, 2, 41), np.cross(site.normal, site.tangent)).astype(np.float32)
    profile = defects.scratch(site, 20.0, 2.0, 0.6)(across)
    np.testing.assert_allclose(profile, -0.6 * np.clip(1 - np.linspace(-2, 2, 41) ** 2, 0, 1), atol=1e-5)


def test_a_bent_scratch_passes_beside_the_straight_line() -> None:
    site = Site.at((0, 0, 0), (0, 0, 1))
    aside = (3.0 * np.cross(site.normal, site.tangent)).astype(np.float32)[None]
    assert defects.scratch(site, 20.0, 2.0, 0.6, bend=3.0)(aside) == pytest.approx(-0.6, abs=1e-5)
    assert defects.scratch(site, 20.0, 2.0, 0.6)(aside) == 0


def test_a_hole_has_a_flat_floor_and_a_steep_wall() -> None:
    points, _ = plane(201)
    depth = defects.hole(UP, 3.0, 2.0, wall=0.3)(points)
    radius = np.hypot(points[:, 0] - 1, points[:, 1] - 2)
    np.testing.assert_allclose(depth[radius < 2.69], -2.0, atol=1e-5)
    assert (depth[radius > 3.01] == 0).all()


def test_a_burr_stands_on_its_path_alone() -> None:
    path = np.stack([np.linspace(-5, 5, 41), np.zeros(41), np.zeros(41)], axis=1).astype(np.float32)
    field = defects.burr(path, (0, 0, 1), 1.2, 1.0, seed=3)
    heights = field(path)
    assert heights.max() == pytest.approx(1.2, abs=1e-4)
    assert heights.min() >= 0
    assert (field(path + np.array([0, 0.51, 0], np.float32)) == 0).all()
    assert 0 < field(path + np.array([0, 0.25, 0], np.float32)).max() < heights.max()


@given(st.integers(2, 200), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_a_ragged_edge_stays_between_nothing_and_full(count: int, seed: int) -> None:
    heights = defects.ragged(max(count, 3), seed)
    assert heights.min() >= 0
    assert heights.max() == pytest.approx(1.0)


def test_across_path_measures_sideways_along_and_up() -> None:
    path = np.stack([np.arange(5.0), np.zeros(5), np.full(5, 2.0)], axis=1).astype(np.float32)
    points = np.array([[3.1, 0.4, 2.7], [0.0, 0.0, 1.0]], np.float32)
    lateral, raised, nearest = defects.across_path(points, path, np.array([0, 0, 1], np.float32))
    np.testing.assert_allclose(lateral, [np.hypot(0.1, 0.4), 0.0], atol=1e-6)
    np.testing.assert_allclose(raised, [0.7, -1.0], atol=1e-6)
    np.testing.assert_array_equal(nearest, [3, 0])


def test_a_break_moves_what_is_beyond_onto_the_fracture() -> None:
    cube = np.random.default_rng(0).uniform(0, 10, (4000, 3)).astype(np.float32)
    outward = np.array([1, 1, 1]) / np.sqrt(3)
    left, mask = defects.broken(cube, (10, 10, 10), outward, 4.0, threshold=0.2, grain=0.3, seed=1)
    before = (cube - 10) @ outward + 4.0
    np.testing.assert_array_equal(left[before <= 0], cube[before <= 0])
    assert ((left - 10) @ outward + 4.0).max() < 1.0  # on the plane, up to its grain
    assert mask[before > 1.0].all()
    assert not mask[before <= 0].any()


def test_roughness_is_seeded_smooth_and_of_its_size() -> None:
    points = np.random.default_rng(0).uniform(0, 60, (20_000, 3)).astype(np.float32)
    grain = defects.roughness(points, 0.3, 5.0, 7)
    np.testing.assert_array_equal(grain, defects.roughness(points, 0.3, 5.0, 7))
    assert not np.array_equal(grain, defects.roughness(points, 0.3, 5.0, 8))
    assert 0.1 < grain.std() < 0.4
    near = defects.roughness(points + np.float32(0.02), 0.3, 5.0, 7)
    assert np.abs(near - grain).max() < 0.1
