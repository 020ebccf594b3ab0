from __future__ import annotations

import numpy as np
import torch

from core.geometry.pixels import coverage, grid_pixels, values_at_pixels


def test_a_linear_map_is_read_linearly():
    # Cell (r, c) of a 28 x 28 map of a 224 x 224 picture has its middle at pixel 8 r + 3.5.
    r, c = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    pixels = np.array([[3.5, 3.5], [100.25, 57.5], [219.5, 11.5], [0, 0], [223, 300]])
    found = values_at_pixels(torch.stack([r, 10 * c]), pixels, (224, 224))
    cells = np.clip((pixels - 3.5) / 8, 0, 27)
    assert np.allclose(found.numpy(), np.stack([cells[:, 0], 10 * cells[:, 1]], axis=1), atol=1e-4)


def test_a_map_of_the_pictures_size_is_read_as_it_is():
    picture = torch.rand(3, 20, 30)
    rows, columns = np.divmod(np.arange(600), 30)
    found = values_at_pixels(picture, np.stack([rows, columns], axis=1), (20, 30))
    assert torch.allclose(found.T.reshape(3, 20, 30), picture, atol=1e-5)


def test_points_of_a_grid_lie_where_their_pixels_are():
    grid = np.array([[2, -1, 0, 4], [1, 3, -1, 5]], np.int32)
    assert np.allclose(grid_pixels(grid, 4), [[0.5, 2], [2.5, 0], [0.5, 0], [2.5, 1], [0.5, 3], [2.5, 3]])
    same = np.arange(9, dtype=np.int32).reshape(3, 3)
    assert np.array_equal(grid_pixels(same, 3), np.stack(np.divmod(np.arange(9), 3), axis=1))


def test_coverage_shows_the_part_and_nothing_else():
    grid = np.arange(16, dtype=np.int32).reshape(4, 4)
    grid[0, 0] = -1
    grid[grid > 0] -= 1
    part = np.zeros(15, bool)
    part[grid[3, 2]] = True
    assert np.array_equal(np.argwhere(coverage(grid, part, 2)), [[1, 1]])
    assert coverage(grid, np.ones(15, bool), 4).sum() == 15
