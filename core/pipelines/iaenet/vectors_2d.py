"""The 2D expert's feature vectors: image features and FPFH, pooled to a 28 x 28 grid of cells.

CPMF looks up the image features of each pixel's point, lays vectors out as a 224 x 224 image with zeros off the part,
and pools it by AvgPool2d(3, stride 1) and AdaptiveAvgPool2d(28). All of that is linear in the features, so that it is
one sparse matrix for a mask: the same numbers, without the image of 224 x 224 x 801.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float32]

SIDE = 28
"""Cells of the grid a side (paper's memory of 1.05 GB; CPMF)."""
_LEAST_SHARE = 0.1
"""A cell less covered by the part than this gives no vector."""


@dataclass(frozen=True, eq=False)
class CellVectors:
    """The vectors of one picture.

    Attributes
    ----------
    cells : (n,) int64
        Cells that show the part, row by row of the grid, ascending.
    values : (n, C) float32
        Image block and FPFH block, each of unit length, side by side.
    """

    cells: NDArray[np.int64]
    values: Floats


def cell_vectors(
    features: Floats, descriptors: Floats, index: NDArray[np.int32], *, least: float = _LEAST_SHARE
) -> CellVectors:
    """The vectors of a picture's cells.

    Parameters
    ----------
    features : (C, h, w) float32
        Of the picture's image, laid evenly over it.
    descriptors : (V, 33) float32
        FPFH of each point.
    index : (S, S) int32
        The point in each pixel, -1 for none.
    least : float
        Share of a cell that must show the part.
    """
    size = index.shape[0]
    mask = (index >= 0).ravel()
    pooling = pooling_matrix(size, SIDE)
    share = pooling @ mask.astype(np.float64)
    cells = np.flatnonzero(share > least)
    own = pooling[cells].multiply(mask[None]).tocsr()
    channels, height, width = features.shape
    image = (own @ upsampling_matrix(height, width, size)) @ features.reshape(channels, -1).T.astype(np.float64)
    own.eliminate_zeros()  # what the mask left out
    entries = own.tocoo()
    to_points = sparse.csr_matrix(
        (entries.data, (entries.row, index.ravel()[entries.col])), shape=(len(cells), len(descriptors))
    )
    geometry = to_points @ descriptors.astype(np.float64)
    return CellVectors(cells, np.concatenate([_unit(image), _unit(geometry)], axis=1).astype(np.float32))


@lru_cache(maxsize=4)
def pooling_matrix(size: int, side: int) -> sparse.csr_matrix:
    """(side², size²): AvgPool2d(3, stride 1, no padding), then AdaptiveAvgPool2d(side), as a matrix."""
    third = np.zeros((size - 2, size))
    for i in range(size - 2):
        third[i, i : i + 3] = 1 / 3
    adaptive = np.zeros((side, size - 2))
    for i in range(side):
        start, end = i * (size - 2) // side, -(-((i + 1) * (size - 2)) // side)
        adaptive[i, start:end] = 1 / (end - start)
    line = sparse.csr_matrix(adaptive @ third)
    return sparse.kron(line, line, format="csr")


@lru_cache(maxsize=8)
def upsampling_matrix(height: int, width: int, size: int) -> sparse.csr_matrix:
    """(size², height * width): bilinear, corners not aligned, as a matrix."""
    return sparse.kron(_line(height, size), _line(width, size), format="csr")


def _line(coarse: int, fine: int) -> sparse.csr_matrix:
    place = np.clip((np.arange(fine) + 0.5) * (coarse / fine) - 0.5, 0.0, coarse - 1.0)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, coarse - 1)
    part = place - low
    rows = np.arange(fine)
    return sparse.csr_matrix(
        (np.concatenate([1 - part, part]), (np.concatenate([rows, rows]), np.concatenate([low, high]))),
        shape=(fine, coarse),
    )


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
