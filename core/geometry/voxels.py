"""Thinning a cloud to one point a voxel, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.checks import as_points


@dataclass(frozen=True, eq=False)
class VoxelGrid:
    """A cloud thinned to one point an occupied voxel.

    Attributes
    ----------
    points : (V, 3) float32
        Mean of the points in each voxel.
    inverse : (N,) int64
        The voxel of each point: ``per_voxel[inverse]`` brings values back to the points.
    counts : (V,) int64
        Points in each voxel.
    """

    points: NDArray[np.float32]
    inverse: NDArray[np.int64]
    counts: NDArray[np.int64]

    def summed(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(V, C) what the points of each voxel have of ``values`` (N, C) together."""
        sums = [np.bincount(self.inverse, column, minlength=len(self.points)) for column in values.T]
        return np.stack(sums, axis=1).astype(np.float32)


def voxel_grid(points: NDArray[np.float32], size: float) -> VoxelGrid:
    """``points`` thinned by a grid of cubes of side ``size`` from the lowest corner of their box.

    Voxels are in the order of their x, then y, then z index.

    Raises
    ------
    ValueError
        If ``size`` is not above 0, or so small that float64 cannot number the voxels.
    """
    points = as_points(points)
    if not size > 0:
        raise ValueError(f"voxel size {size} must be above 0")
    if len(points) == 0:
        return VoxelGrid(points, np.empty(0, np.int64), np.empty(0, np.int64))
    cells = (points.astype(np.float64) - points.min(axis=0)) / size
    if not cells.max() < 2**53:
        raise ValueError(f"voxel size {size} is too small for a cloud that measures {np.ptp(points, axis=0).max()}")
    inverse, counts = number_cells(np.floor(cells).astype(np.int64))
    sums = [np.bincount(inverse, points[:, axis], minlength=len(counts)) for axis in range(3)]
    means = (np.stack(sums, axis=1) / counts[:, None]).astype(np.float32)
    return VoxelGrid(means, inverse, counts)


def voxel_leaving(parts: Sequence[NDArray[np.float32]], size: float, wanted: int) -> float:
    """The voxel that leaves about ``wanted`` points of a usual part, found by halving on a logarithmic scale.

    Parameters
    ----------
    parts : sequence of (M, 3) float32
        At most three of them, spread over the sequence, are looked at.
    size : float
        Usual diagonal of a part; the voxel lies between 1/5000 and 1/4 of it.
    """
    some = [parts[i] for i in np.unique(np.linspace(0, len(parts) - 1, min(len(parts), 3)).astype(int))]
    low, high = size * 2e-4, size * 0.25
    for _ in range(14):
        middle = float(np.sqrt(low * high))
        if np.median([len(voxel_grid(part, middle).points) for part in some]) > wanted:
            low = middle
        else:
            high = middle
    return high


def number_cells(cells: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rank of each row among the distinct rows, and how often each occurs. Rows are not negative."""
    sides = cells.max(axis=0) + 1
    x, y, z = cells.T
    if float(sides[0]) * float(sides[1]) * float(sides[2]) < 2**62:
        keys = (x * sides[1] + y) * sides[2] + z
    else:  # ranks are below N, so that two of them always fit one int64
        keys = np.zeros(len(cells), np.int64)
        for axis in (x, y, z):
            ranks = np.unique(axis, return_inverse=True)[1]
            keys = np.unique(keys * (ranks.max() + 1) + ranks, return_inverse=True)[1]
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return inverse.astype(np.int64, copy=False), counts.astype(np.int64, copy=False)
