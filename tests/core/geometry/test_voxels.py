from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.geometry.voxels import voxel_grid


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), number=st.integers(1, 150), size=st.floats(0.05, 3))
def test_equals_grouping_by_cell(slow, seed, number, size):
    points = np.random.default_rng(seed).standard_normal((number, 3)).astype(np.float32)
    grid, cells = voxel_grid(points, size), slow.voxels(points, size)
    assert len(grid.points) == len(cells) == len(grid.counts)
    for voxel, cell in enumerate(sorted(cells)):
        assert (grid.inverse[cells[cell]] == voxel).all()
        assert grid.counts[voxel] == len(cells[cell])
        np.testing.assert_allclose(grid.points[voxel], points[cells[cell]].mean(axis=0), atol=1e-5)


def test_values_come_back_to_the_points(ellipsoid):
    grid = voxel_grid(ellipsoid, 3.0)
    assert np.abs(grid.points[grid.inverse] - ellipsoid).max() <= 3.0 * (1 + 1e-5)


def test_huge_extents_do_not_overflow():
    points = np.array([[0, 0, 0], [1e9, 1e9, 1e9], [1e9, 0, 1e9], [1e9, 1e9, 1e9], [0, 0, 1e-3]], np.float32)
    grid = voxel_grid(points, 1e-4)
    assert grid.counts.tolist() == [1, 1, 1, 2]
    assert grid.inverse.tolist() == [0, 3, 2, 3, 1]


def test_nothing_and_bad_sizes():
    assert len(voxel_grid(np.empty((0, 3), np.float32), 1.0).points) == 0
    for size in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="above 0"):
            voxel_grid(np.zeros((2, 3), np.float32), size)
    with pytest.raises(ValueError, match="too small"):
        voxel_grid(np.array([[0, 0, 0], [1e9, 0, 0]], np.float32), 1e-9)
