"""Stray points by the distance to their neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.geometry.checks import as_points
from core.geometry.neighbors import nearest
from core.runtime import Runtime


def statistical_outliers(
    points: NDArray[np.float32], k: int = 20, ratio: float = 2.0, *, runtime: Runtime | None = None
) -> NDArray[np.bool_]:
    """Points whose mean distance to their ``k`` nearest is more than ``ratio`` deviations above the cloud's mean.

    As in open3d (and PCL), the point itself is among its k nearest, with distance 0, and the deviation is the sample's.
    Points with k copies, which open3d drops, are kept.

    Parameters
    ----------
    points : (N, 3) float32
    k : int
        At least 2; more than N means all N.
    ratio : float
        Above 0.

    Returns
    -------
    (N,) bool
        True on an outlier. Clouds of fewer than three points have none.
    """
    points = as_points(points)
    if k < 2 or not ratio > 0:
        raise ValueError(f"k = {k} must be at least 2, ratio = {ratio} above 0")
    if len(points) < 3:
        return np.zeros(len(points), bool)
    distances, _ = nearest(points, points, min(k, len(points)), runtime=runtime)
    means = distances.mean(axis=1, dtype=np.float64)
    counted = means[means > 0]
    if len(counted) < 2:
        return np.zeros(len(points), bool)
    return means >= counted.mean() + ratio * counted.std(ddof=1)
