"""From patch scores to point scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.geometry.interpolation import interpolate
from core.geometry.neighbors import ball, nearest

Floats = NDArray[np.float32]


def highest_of_patches(scores: Floats, neighbors: NDArray[np.int64], points: Floats, centers: Floats) -> Floats:
    """(V,) the highest score of the patches that contain a point (paper, "Inference and scoring function").

    Points in no patch get the score of the nearest centre.

    Parameters
    ----------
    scores : (G,) float32
    neighbors : (G, k) int64
    points : (V, 3) float32
    centers : (G, 3) float32
    """
    result = np.full(len(points), -np.inf, np.float32)
    np.maximum.at(result, neighbors.ravel(), np.repeat(scores, neighbors.shape[1]))
    missing = np.isneginf(result)
    if missing.any():
        result[missing] = scores[nearest(centers, points[missing], 1)[1][:, 0]]
    return result


def between_centers(scores: Floats, points: Floats, centers: Floats) -> Floats:
    """(V,) scores of the three nearest centres, weighted by the inverse of their squared distance."""
    return interpolate(scores, centers, points, k=3)


def median_filter(values: Floats, points: Floats, radius: float) -> Floats:
    """(V,) the median of the values within ``radius`` of each point, itself included; the lower of two middle ones.

    Parameters
    ----------
    values : (V,) float32
    points : (V, 3) float32
    radius : float
        In the unit of ``points``; 0 leaves the values as they are.
    """
    if radius <= 0 or len(points) < 2:
        return values
    offsets, indices, _ = ball(points, points, radius)
    counts = np.diff(offsets)
    found = np.repeat(np.arange(len(points)), counts)
    order = np.lexsort((values[indices], found))
    middle = offsets[:-1] + np.maximum(counts - 1, 0) // 2
    filtered = values[indices[order[np.minimum(middle, len(order) - 1)]]]
    return np.where(counts > 0, filtered, values).astype(np.float32)
