"""Features that lie at a few sources, carried to many cells by a sparse matrix.

Tokens of patches reach cells by inverse distances and averages over neighbouring cells, cells of an image network's
map by bilinear interpolation: all of it is linear and the same for every channel. A linear layer therefore commutes
with it (bias aside), and can be applied at the sources, which are fewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional

from core.geometry.neighbors import nearest
from core.runtime import Runtime

_EPS = 1e-8
_NEAREST = 3


class Spread:
    """A sparse matrix from sources to cells, by which gradients pass too.

    Parameters
    ----------
    matrix : scipy sparse (cells, sources)
    device : torch.device
    """

    def __init__(self, matrix: sparse.csr_matrix, device: torch.device) -> None:
        self.matrix = sparse.csr_matrix(matrix, dtype=np.float32)
        self.rows, self.sources = self.matrix.shape
        self._forth = _Rows.of(self.matrix, device)
        self._back = _Rows.of(self.matrix.T.tocsr(), device)

    def __call__(self, values: Tensor) -> Tensor:
        """(cells, C) of (sources, C)."""
        result: Tensor = _Product.apply(values, self._forth, self._back)
        return result

    def some(self, values: Tensor, rows: np.ndarray[Any, Any]) -> Tensor:
        """(m, C) of (sources, C): these rows alone, by which no gradient passes."""
        with torch.no_grad():
            return _Rows.of(self.matrix[rows], values.device).times(values)

    @property
    def condenses(self) -> bool:
        """Whether there are fewer sources than cells, so that a layer costs less at the sources."""
        return bool(self.sources < self.rows)


@dataclass(frozen=True, eq=False)
class _Rows:
    """A sparse matrix row by row, as bags of weighted table rows: the same numbers on every run, on every device."""

    columns: Tensor
    ends: Tensor
    weights: Tensor

    @classmethod
    def of(cls, matrix: sparse.csr_matrix, device: torch.device) -> _Rows:
        matrix.sort_indices()
        return cls(
            torch.from_numpy(matrix.indices.astype(np.int64)).to(device),
            torch.from_numpy(matrix.indptr.astype(np.int64)).to(device),
            torch.from_numpy(matrix.data.astype(np.float32)).to(device),
        )

    def times(self, values: Tensor) -> Tensor:
        """The matrix times (columns, C) values."""
        return functional.embedding_bag(
            self.columns, values, self.ends, mode="sum", per_sample_weights=self.weights, include_last_offset=True
        )


class _Product(torch.autograd.Function):
    """A constant sparse matrix times values."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, forth: _Rows, back: _Rows) -> Tensor:
        ctx.back = back
        return forth.times(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return ctx.back.times(gradients[0].contiguous()), None, None


def by_distance(
    centers: np.ndarray[Any, Any], places: np.ndarray[Any, Any], size: float, runtime: Runtime
) -> sparse.csr_matrix:
    """(places, centers): the three nearest centres weighted by 1 / (d² + 1e-8), as M3DM, CFM and CMDR-IAD do.

    Parameters
    ----------
    centers, places : (G, 3) and (n, 3) float32
    size : float
        What stands for 1 in d, so that the constant is small against any distance.
    """
    count = min(_NEAREST, len(centers))
    distances, found = nearest(centers, places, count, runtime=runtime)
    weights = 1.0 / ((distances.astype(np.float64) / size) ** 2 + _EPS)
    weights /= weights.sum(axis=1, keepdims=True)
    starts = np.arange(0, count * len(places) + 1, count)
    return sparse.csr_matrix((weights.ravel(), found.ravel(), starts), shape=(len(places), len(centers)))


def bilinear(pixels: np.ndarray[Any, Any], size: tuple[int, int], cells: tuple[int, int]) -> sparse.csr_matrix:
    """(n, h w): what a map laid evenly over a picture says at pixels, edges held.

    Parameters
    ----------
    pixels : (n, 2)
        Row and column, whole in the middle of a pixel.
    size : (H, W)
        Of the picture.
    cells : (h, w)
        Of the map.
    """
    count = len(pixels)
    columns, weights = [], []
    parts = []
    for axis in range(2):
        place = np.clip((pixels[:, axis] + 0.5) * (cells[axis] / size[axis]) - 0.5, 0, cells[axis] - 1)
        low = np.minimum(np.floor(place).astype(np.int64), max(cells[axis] - 2, 0))
        high = np.minimum(low + 1, cells[axis] - 1)
        parts.append(((low, 1.0 - (place - low)), (high, place - low)))
    for row, row_weight in parts[0]:
        for column, column_weight in parts[1]:
            columns.append(row * cells[1] + column)
            weights.append(row_weight * column_weight)
    rows = np.tile(np.arange(count), 4)
    entries = (np.concatenate(weights), (rows, np.concatenate(columns)))
    return sparse.csr_matrix(entries, shape=(count, cells[0] * cells[1]))


def pooled(shape: tuple[int, int]) -> sparse.csr_matrix:
    """(H W, H W): means over 3 x 3 cells without padding, brought back to the size by adaptive means (P3 3.1)."""
    return sparse.kron(_pooled_axis(shape[0]), _pooled_axis(shape[1]), format="csr")


def _pooled_axis(count: int) -> sparse.csr_matrix:
    short = count - 2
    means = sparse.diags([np.full(short, 1 / 3)] * 3, [0, 1, 2], shape=(short, count))
    start = np.arange(count) * short // count
    end = -(-(np.arange(count) + 1) * short // count)
    sizes = end - start
    columns = np.concatenate([np.arange(a, b) for a, b in zip(start, end, strict=True)])
    back = sparse.csr_matrix(
        (np.repeat(1.0 / sizes, sizes), columns, np.concatenate([[0], np.cumsum(sizes)])), shape=(count, short)
    )
    return (back @ means).tocsr()
