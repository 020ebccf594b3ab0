"""Averages of values over small discs of a scan's surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.neighbors import nearest

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Smoothing:
    """Averages over a small disc of a scan's surface.

    Attributes
    ----------
    count : int
        Points in the disc; 1 smooths nothing.
    radius : float
        The disc's radius in the scan's unit.
    """

    count: int
    radius: float

    @classmethod
    def over(cls, spacings: float, spacing: float) -> Smoothing:
        """Over a radius given in point spacings."""
        return cls(max(1, round(np.pi * spacings**2)), spacings * spacing)

    def neighbours(self, points: Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Indices (N, m) of the disc's points, and which of them lie within the radius."""
        count = min(self.count, len(points))
        distance, index = nearest(points, points, count)
        inside = distance <= self.radius
        inside[:, 0] = True
        return index, inside


def smoothed(values: Array, disc: tuple[NDArray[np.int64], NDArray[np.bool_]]) -> Array:
    """Mean of ``values`` over each point's disc, without its highest and its lowest value where it has four or more."""
    index, inside = disc
    if index.shape[1] == 1:
        return values
    around = values[index]
    count = inside.sum(axis=1)
    low = np.where(inside, around, np.float32(np.inf)).min(axis=1)
    high = np.where(inside, around, np.float32(-np.inf)).max(axis=1)
    total = np.einsum("nm,nm->n", around, inside.astype(np.float32))
    many = count >= 4
    result: Array = np.where(many, (total - low - high) / np.maximum(count - 2, 1), total / count).astype(np.float32)
    return result
