"""Moving the points of one surface onto another that it nearly coincides with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.checks import as_points
from core.geometry.neighbors import nearest, spacing
from core.geometry.normals import estimate_normals

_ASIDE = 2.0
"""A point may keep to its own line of sight this many spacings beside the nearest point of the surface."""
_BARE = 3.0
"""A point of the surface farther than this many spacings from all that was moved has no counterpart."""


@dataclass(frozen=True, eq=False)
class Carried:
    """Where points come to lie on a surface.

    Attributes
    ----------
    targets : (N, 3) float32
        The place of each point on the surface.
    bare : (M,) bool
        True for points of the surface onto which none was moved: something is missing there.
    normals : (M, 3) float32
        Of the surface, unit length, of either sign.
    """

    targets: NDArray[np.float32]
    bare: NDArray[np.bool_]
    normals: NDArray[np.float32]


def carry(points: NDArray[np.float32], surface: NDArray[np.float32]) -> Carried:
    """Move points along the normals of a surface onto it, and those beside it to its edge.

    Parameters
    ----------
    points : (N, 3) float32
    surface : (M, 3) float32
        At least one point.
    """
    points, surface = as_points(points), as_points(surface, "surface", least=1)
    normals = estimate_normals(surface)
    step = spacing(surface)
    _, found = nearest(surface, points, 1)
    base, along = surface[found[:, 0]], normals[found[:, 0]]
    gaps = points - base
    flat = gaps - np.einsum("nc,nc->n", gaps, along)[:, None] * along
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    targets = base + flat * np.minimum(1.0, _ASIDE * step / np.maximum(length, 1e-30))
    targets = targets.astype(np.float32)
    bare = np.ones(len(surface), np.bool_)
    if len(points):
        bare = nearest(targets, surface, 1)[0][:, 0] > _BARE * max(step, spacing(points))
    return Carried(targets, bare, normals)
