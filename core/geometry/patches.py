"""Patches: centres spread over a cloud, each with its nearest points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.checks import as_points
from core.geometry.neighbors import nearest
from core.geometry.sampling import farthest_points
from core.runtime import Runtime


@dataclass(frozen=True, eq=False)
class Patches:
    """Indices into the cloud that they were cut from.

    Attributes
    ----------
    centers_index : (G,) int64
    neighbors : (G, k) int64
        Nearest first; the first is the centre itself (or a copy of it).
    """

    centers_index: NDArray[np.int64]
    neighbors: NDArray[np.int64]


def make_patches(
    points: NDArray[np.float32], count: int, k: int, *, start: int | None = None, runtime: Runtime | None = None
) -> Patches:
    """``count`` patches of ``k`` points: farthest-point centres and their exact nearest neighbours.

    Parameters
    ----------
    points : (N, 3) float32
        At least one.
    count, k : int
        At least 1; more than N means N.
    start : int, optional
        Index of the first centre; the point farthest from the centroid if not given, which does not depend on the
        order of the points.
    runtime : Runtime, optional
        Where to compute; the CPU if not given.
    """
    points = as_points(points, least=1)
    if count < 1 or k < 1:
        raise ValueError(f"{count} patches of {k} points were asked for")
    if start is None:
        from_centroid = points - points.mean(axis=0, dtype=np.float64)
        start = int(np.einsum("ij,ij->i", from_centroid, from_centroid).argmax())
    centers = farthest_points(points, min(count, len(points)), start=start, runtime=runtime)
    _, neighbors = nearest(points, points[centers], min(k, len(points)), runtime=runtime)
    return Patches(centers, neighbors)
