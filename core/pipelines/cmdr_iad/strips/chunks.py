"""A long scan as chunks: stretches of the same number of points in the order of measuring (P3 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Chunks:
    """Which points make each chunk of a scan.

    Attributes
    ----------
    rows : (K, P) int64
        Index into the scan's points.
    own : (K, P) bool
        False on padding. Every point of the scan is one chunk's own.
    """

    rows: NDArray[np.int64]
    own: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)

    def to_points(self, values: NDArray[Any], count: int) -> NDArray[Any]:
        """(count,) values (K, P) of the chunks at the scan's points."""
        found = np.empty(count, values.dtype)
        found[self.rows[self.own]] = values[self.own]
        return found

    @property
    def number(self) -> NDArray[np.int32]:
        """(K, P) the number of each chunk, from 1."""
        return np.broadcast_to(np.arange(1, len(self) + 1, dtype=np.int32)[:, None], self.rows.shape)


def cut(count: int, size: int) -> Chunks:
    """Chunks of ``size`` points of a scan of ``count``.

    The published code drops the tail, where defects then stay unseen. Here the last chunk is filled up at its front
    with the points measured just before it, which keeps its neighbours in their order; a scan of less than one chunk is
    filled up with itself, there and back.

    Parameters
    ----------
    count, size : int
        At least 1.
    """
    whole = count // size
    starts = list(range(0, whole * size, size))
    rows = np.arange(whole * size, dtype=np.int64).reshape(whole, size)
    own = np.ones((whole, size), bool)
    tail = count - whole * size
    if tail:
        if whole:
            starts.append(count - size)
            last = np.arange(count - size, count, dtype=np.int64)
            mine = last >= whole * size
        else:
            back = np.abs(np.arange(size) % (2 * count) - count + 0.5)  # 0, 1, ..., n-1, n-1, ..., 0, 0, 1, ...
            last = (count - 0.5 - back).astype(np.int64)
            mine = np.arange(size) < count
        rows, own = np.concatenate([rows, last[None]]), np.concatenate([own, mine[None]])
    return Chunks(rows, own)


def is_anomalous(outliers: NDArray[np.bool_], own: NDArray[np.bool_], least: float) -> NDArray[np.bool_]:
    """(K,) whether the share of outliers among a chunk's own points is at least ``least`` (P3 4.2: f_k >= tau).

    Parameters
    ----------
    outliers, own : (K, P) bool
    least : float
        0.0025 in the paper: 24 points of 9216, 23 are not enough.
    """
    found: NDArray[np.bool_] = (outliers & own).sum(axis=1) >= least * own.sum(axis=1)
    return found


def unit_boxes(points: Floats) -> Floats:
    """Chunks (K, P, 3) scaled axis by axis to [-1, 1]; an axis along which a chunk has no extent becomes -1."""
    low = points.min(axis=1, keepdims=True)
    extent = points.max(axis=1, keepdims=True) - low
    return np.asarray(2.0 * (points - low) / np.where(extent > 0, extent, 1.0) - 1.0, np.float32)


def extents(points: Floats) -> Floats:
    """(K, 3) sizes of chunks (K, P, 3) along the axes."""
    return np.asarray(np.ptp(points, axis=1), np.float32)


def common_boxes(points: Floats, size: float) -> Floats:
    """Chunks (K, P, 3) about their mean, divided by half of ``size``: the same scale for all chunks and axes.

    Unlike in ``unit_boxes`` shapes keep their angles, a chunk with a spike keeps the scale of the rest, and a chunk
    that is too high as a whole looks so.
    """
    middle = points.mean(axis=1, keepdims=True, dtype=np.float64)
    return np.asarray((points - middle) * 2.0 / max(size, 1e-12), np.float32)
