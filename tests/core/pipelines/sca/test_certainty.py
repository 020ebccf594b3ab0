"""How sure normals are: against the scatter of principal axes, and where points lie in a row."""

from __future__ import annotations

import numpy as np
import pytest

from core.geometry.normals import estimate_normals
from core.pipelines.sca.anchors import SurfaceAnchors
from core.pipelines.sca.certainty import normal_certainty


def strip(rng: np.random.Generator, width: float, count: int = 20) -> np.ndarray:
    """Points on a strip of the plane z = 0, 2 long, measured with noise of 0.05."""
    points = np.column_stack(
        [rng.uniform(-1, 1, count), rng.uniform(-width, width, count), 0.05 * rng.normal(size=count)]
    )
    return points.astype(np.float32)


@pytest.mark.parametrize(("width", "count", "tolerance"), [(0.8, 100, 0.2), (0.3, 100, 0.2), (0.4, 20, 0.4)])
def test_it_is_the_variance_that_normals_really_have(width: float, count: int, tolerance: float) -> None:
    """Normals of 300 strips scatter about z by what the certainty says, less the 0.1 rad that it takes for granted.

    The law is one of many points: with 20 it promises a little too much.
    """
    rng = np.random.default_rng(0)
    squared, said = [], []
    for _ in range(300):
        points = strip(rng, width, count)
        normal = estimate_normals(points, k=count, radius=10.0)[0]
        squared.append(np.arctan(normal[1] / normal[2]) ** 2)
        said.append(1 / normal_certainty(points, 10.0, k=count)[0] - 0.1**2)
    assert np.mean(said) == pytest.approx(np.mean(squared), rel=tolerance)


def test_the_formula_on_eigenvalues_by_hand() -> None:
    """Corners of a cuboid of 8 x 4 x 2: eigenvalues 16, 4, 1 over 8 points, so 4 / (8 x 9)."""
    corners = np.array([[x, y, z] for x in (-4, 4) for y in (-2, 2) for z in (-1, 1)], np.float32)
    assert normal_certainty(corners, 100.0) == pytest.approx(np.full(8, 1 / (4 / 72 + 0.01)), rel=1e-5)


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_a_row_and_a_few_points_tell_nothing(count: int) -> None:
    row = np.column_stack([np.arange(count), 0.001 * np.arange(count), np.zeros(count)]).astype(np.float32)
    assert np.array_equal(normal_certainty(row, 100.0), np.zeros(count))
    assert np.array_equal(normal_certainty(np.zeros((count, 3), np.float32), 1.0), np.zeros(count))


def test_points_beyond_the_radius_do_not_count() -> None:
    points = strip(np.random.default_rng(1), 0.8)
    far = np.concatenate([points, points[:3] + np.float32([50, 0, 0])])
    certainty = normal_certainty(far, 10.0)
    assert (certainty[:20] > 0).all()
    assert np.array_equal(certainty[20:], np.zeros(3))


def plane(seed: int) -> np.ndarray:
    xy = np.random.default_rng(seed).uniform(-1, 1, (4000, 2))
    return np.column_stack([xy, np.zeros(4000)]).astype(np.float32)


def test_the_turn_is_an_angle_over_sure_normals() -> None:
    """Normals 0.3 rad off, every other one a guess at a right angle, which counts nothing; guesses alone say none."""
    surface = SurfaceAnchors.learn([plane(0), plane(1)], voxel=0.1)
    points = plane(2)
    normals = np.tile(np.float32([np.sin(0.3), 0, np.cos(0.3)]), (len(points), 1))
    normals[::2] = [1, 0, 0]
    certainty = np.full(len(points), 50, np.float32)
    certainty[::2] = 0
    patches = np.arange(40).reshape(4, 10)
    patches[3] = np.arange(100, 120, 2)
    turn = surface.describe(points, normals, patches, certainty)[0][:, 4]
    assert turn[:3] == pytest.approx(np.sqrt(2 * (1 - np.cos(0.3))), abs=5e-3)
    assert np.isnan(turn[3])
    cosine = surface.describe(points, normals, patches)[0][:, 4]
    assert cosine[:3] == pytest.approx((1 - np.cos(0.3) + 1) / 2, abs=5e-3)


def test_a_patch_filled_up_with_its_centre_is_described_by_its_own_points() -> None:
    surface = SurfaceAnchors.learn([plane(0), plane(1)], voxel=0.1)
    points = plane(2)
    points[:, 2] = 0.05 * np.random.default_rng(3).normal(size=len(points))
    normals = estimate_normals(points, k=20)
    certainty = normal_certainty(points, 0.4)
    whole = np.array([[7, 11, 13, 17]])
    filled = np.array([[7, 11, 7, 7, 13, 7, 17, 7, 7]])
    for counted in (certainty, None):
        a = surface.describe(points, normals, whole, counted)[0]
        assert surface.describe(points, normals, filled, counted)[0] == pytest.approx(a, rel=1e-5)
