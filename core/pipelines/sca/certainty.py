"""How surely the points around a point say how the surface lies there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.geometry.neighbors import nearest

Floats = NDArray[np.float32]

_LEAST = 6
"""Fewer points make no normal: twice what a plane rests on."""
_OTHERWISE = 0.1
"""Radians by which normals of good scans differ for other reasons than too few points."""
_GUESS = 0.5
"""Radians of error from which on a normal is a guess."""


def normal_certainty(points: Floats, radius: float, k: int = 20) -> Floats:
    """What the normal of each point counts: one over the variance of its angle, or 0 where it is a guess.

    A normal is the last principal axis of the points around. Where they lie in a row, as at the rim of a gap in the
    scan, the last two axes are as good as interchangeable, and the normal points anywhere about the row. The angle
    between the normal and the true one has the variance ``l2 l3 / (m (l2 - l3)^2)``, with m points and the eigenvalues
    l1 >= l2 >= l3 of their covariance (Anderson: *Asymptotic theory for principal component analysis*, Annals of
    Mathematical Statistics 34, 1963, for the axis it is most easily confused with).

    Parameters
    ----------
    points : (V, 3) float32
    radius : float
        The normals' neighbours lie within it.
    k : int
        At most so many, the point itself among them.

    Returns
    -------
    (V,) float32
        In 1 / radian^2, at most 100.
    """
    distances, indices = nearest(points, points, min(k, len(points)))
    near = distances < radius
    number = near.sum(axis=1)
    weights = near / np.maximum(number, 1)[:, None]
    offsets = (points[indices] - points[:, None]).astype(np.float64)
    offsets -= np.einsum("vk,vkj->vj", weights, offsets)[:, None]
    spread = np.linalg.eigvalsh(np.einsum("vk,vki,vkj->vij", weights, offsets, offsets))
    third, second = np.maximum(spread[:, 0], 0.0), np.maximum(spread[:, 1], 0.0)
    # Rounding alone tells a row's axes apart: what is as thin as that beside its length is no width.
    second = np.where(second > 1e-9 * spread[:, 2], second, 0.0)
    gap = second - third
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(gap > 0, second * third / (number * gap**2), np.inf)
    sure = (number >= _LEAST) & (variance < _GUESS**2)
    return np.where(sure, 1.0 / (variance + _OTHERWISE**2), 0.0).astype(np.float32)
