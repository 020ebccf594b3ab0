"""How much good scans differ from one another at each place of their pictures, against which X2 is held."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from core.pipelines.iaenet.vectors_2d import SIDE

Floats = NDArray[np.float32]

_CELLS = SIDE * SIDE
_AROUND = 3
"""Cells a side that a place's spread is taken over: a part lies on the others to about a cell."""


def usual_spread(cells: Sequence[Sequence[NDArray[np.int64]]], residuals: Sequence[Sequence[Floats]]) -> Floats:
    """(K, 784) root mean square of the good scans' residuals at and about each cell, in the median of all places.

    Parameters
    ----------
    cells, residuals : of each scan, of each of its K pictures
        Cells that show the part, and their vectors' residuals, none of a scan's found among its own.
    """
    views = len(cells[0])
    squares, counts = np.zeros((2, views, _CELLS))
    for own, values in zip(cells, residuals, strict=True):
        for v in range(views):
            squares[v, own[v]] += np.square(values[v], dtype=np.float64)
            counts[v, own[v]] += 1
    summed = [_around(table) for table in (squares, counts)]
    known = summed[1] > 1e-6
    spread = np.sqrt(np.divide(summed[0], summed[1], out=np.zeros_like(squares), where=known).clip(min=0.0))
    usual = float(np.median(spread[known])) if known.any() else 0.0
    return (spread / usual).astype(np.float32) if usual > 0 else np.zeros((views, _CELLS), np.float32)


def _around(table: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = uniform_filter(table.reshape(-1, SIDE, SIDE), (0, _AROUND, _AROUND), mode="constant")
    return found.reshape(-1, _CELLS)
