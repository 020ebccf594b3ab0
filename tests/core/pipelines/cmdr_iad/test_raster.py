from __future__ import annotations

import numpy as np
import pytest

from core.pipelines.cmdr_iad.raster import ViewLayout, sensor_raster


def full_grid(height: int, width: int) -> np.ndarray:
    return np.arange(height * width, dtype=np.int32).reshape(height, width)


def test_cells_take_the_pixels_of_the_published_resize():
    raster = sensor_raster(full_grid(800, 800), np.arange(640_000), 224, fill=False)
    rows = raster.shown.reshape(224, 224)[:, 0] // 800
    assert rows[:4].tolist() == [0, 3, 7, 10]
    assert rows[-1] == 796
    assert np.array_equal(rows, np.arange(224) * 800 // 224)


def test_a_grid_is_padded_to_a_square_half_before_and_half_after():
    raster = sensor_raster(full_grid(40, 90), np.arange(3600), 90, fill=False)
    shown = np.zeros(8100, bool)
    shown[raster.cells] = True
    assert np.array_equal(np.flatnonzero(shown.reshape(90, 90).any(axis=1)), np.arange(25, 65))


def test_filled_cells_take_the_nearest_pixel_within():
    grid = full_grid(8, 8)
    rows = np.array([9, 3 * 8 + 1])  # pixel (1, 1) within cell (0, 0), and (3, 1) within cell (1, 0)
    assert len(sensor_raster(grid, rows, 4, fill=False).cells) == 0
    filled = sensor_raster(grid, rows, 4, fill=True)
    assert filled.cells.tolist() == [0, 4]
    assert filled.shown.tolist() == [0, 1]


def test_values_go_back_to_the_points_between_the_cells_that_hold_one():
    grid = full_grid(32, 32)
    rows = np.flatnonzero(np.add(*np.divmod(np.arange(1024), 32)) > 10)  # a corner is missing
    raster = sensor_raster(grid, rows, 16, fill=True)
    held = np.zeros(256, bool)
    held[raster.cells] = True
    slope = np.where(held, np.arange(256) // 16 * 2 + 0.5, np.nan).reshape(raster.shape)
    points = np.stack([*np.divmod(rows, 32), np.zeros(len(rows))], axis=1).astype(np.float32)
    found = raster.to_points(slope[None], held.reshape(raster.shape), points)[:, 0]
    inside = (rows // 32 > 12) & (rows // 32 < 30)
    assert found[inside] == pytest.approx(rows[inside] // 32, abs=1e-4)
    assert np.isfinite(found).all()


def sphere(seed: int = 0, count: int = 40_000) -> np.ndarray:
    points = np.random.default_rng(seed).normal(size=(count, 3))
    return (10 * points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def test_views_show_what_is_in_front():
    back = np.diag([-1.0, 1.0, -1.0])
    layout = ViewLayout.over([sphere()], np.stack([np.eye(3), back]), 40)
    rows, columns = layout.size
    assert 0.8 * 1600 < rows * columns < 1.3 * 1600
    points = sphere(1)
    raster = layout.raster(points)
    front = raster.shown[raster.cells < rows * columns]
    assert points[front, 2].min() > -2.5
    assert raster.seen.any(axis=1).mean() > 0.9
    assert (raster.seen[points[:, 2] > 5] == [True, False]).all()
    heights = np.zeros(raster.shape)
    heights.reshape(-1)[raster.cells] = points[raster.shown, 2]
    held = np.zeros(raster.shape, bool)
    held.reshape(-1)[raster.cells] = True
    assert np.abs(raster.to_points(heights[None], held, points)[:, 0] - points[:, 2]).mean() < 1.0


def test_a_layout_comes_back_from_its_state():
    layout = ViewLayout.over([sphere()], np.eye(3)[None], 20)
    again = ViewLayout.from_state(layout.state())
    assert np.array_equal(again.raster(sphere(2)).shown, layout.raster(sphere(2)).shown)
