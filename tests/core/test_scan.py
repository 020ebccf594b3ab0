"""Scan: what it refuses, and that derived scans keep the file's order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ScanError
from core.scan import Scan


def organised(height: int, width: int, measured: np.ndarray) -> Scan:
    """A grid whose pixel (r, c) lies at (c, r, 0), where ``measured``."""
    grid = np.full((height, width), -1, dtype=np.int32)
    grid[measured] = np.arange(measured.sum())
    rows, columns = np.nonzero(measured)
    points = np.stack([columns, rows, np.zeros_like(rows)], axis=1).astype(np.float32)
    return Scan(points, grid=grid, image=np.zeros((height, width, 3), np.uint8))


def test_arrays_are_read_only_and_the_caller_keeps_its_own() -> None:
    mine = np.zeros((3, 3), np.float32)
    scan = Scan(mine)
    with pytest.raises(ValueError, match="read-only"):
        scan.points[0, 0] = 1
    mine[0, 0] = 1  # still writeable for its owner


@pytest.mark.parametrize(
    "fields",
    [
        {"points": np.zeros((0, 3))},
        {"points": np.zeros((3, 2))},
        {"points": np.array([[0, 0, np.nan]])},
        {"points": np.zeros((3, 3)), "normals": np.zeros((2, 3))},
        {"points": np.zeros((3, 3)), "colors": np.zeros((3, 4))},
        {"points": np.zeros((3, 3)), "labels": np.zeros(4)},
        {"points": np.zeros((3, 3)), "grid": np.array([[0, 1]])},
        {"points": np.zeros((2, 3)), "grid": np.array([[0, 0]])},
        {"points": np.zeros((2, 3)), "image": np.zeros((1, 2, 3))},
        {"points": np.zeros((2, 3)), "grid": np.array([[0, 1]]), "image": np.zeros((2, 1, 3))},
        {"points": np.zeros((2, 3)), "rows": np.zeros(3)},
    ],
)
def test_contradictions_are_refused(fields: dict) -> None:
    with pytest.raises(ScanError, match="Check the file"):
        Scan(**fields)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_file_order_of_organised_scans(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    measured = rng.random((height, width)) < 0.7
    measured.flat[0] = True
    scan = organised(height, width, measured)
    laid_out = scan.in_file_order(scan.points)
    assert laid_out.shape == (height, width, 3)
    rows, columns = np.nonzero(measured)
    assert np.array_equal(laid_out[measured][:, :2], np.stack([columns, rows], axis=1))
    assert np.isnan(laid_out[~measured]).all()


def test_selecting_twice_keeps_rows_and_grid() -> None:
    scan = Scan(np.arange(30, dtype=np.float32).reshape(10, 3))
    twice = scan.select(np.arange(10) % 2 == 0).select(np.array([1, 3]))
    assert twice.rows is not None
    assert twice.rows.tolist() == [2, 6]
    values = twice.in_file_order(np.array([5.0, 7.0], np.float32))
    assert values[2] == 5
    assert values[6] == 7
    assert np.isnan(np.delete(values, [2, 6])).all()

    grid = organised(2, 3, np.ones((2, 3), bool)).select(np.array([True, False, True, True, False, True]))
    assert grid.grid is not None
    assert grid.grid.tolist() == [[0, -1, 1], [2, -1, 3]]
