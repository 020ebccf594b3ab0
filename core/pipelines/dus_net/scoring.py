"""Scores by distance to the reconstruction (DUS-Net, eq. 15 to 17), and heights over it (beyond the paper)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.measured_border import beyond_border, open_border
from core.geometry.neighbors import nearest
from core.geometry.normals import estimate_normals
from core.geometry.orientation import oriented
from core.geometry.surface_distance import CloudSurface

Floats = NDArray[np.float32]

_NORMAL_POINTS = 12
_COMPARED = 6
_WEIGHING = 3
"""Nearest points whose distances make the weight of eq. 16."""


@dataclass(frozen=True, eq=False)
class Measured:
    """How the points of a scan lie to its reconstruction, in the category's frame.

    Attributes
    ----------
    distance : (M,) float32
        To the nearest rebuilt point, s of eq. 15.
    weight : (M,) float32
        Of eq. 16, 2/3 to 1.
    height : (M,) float32
        Signed, over the rebuilt surface, outwards positive.
    aside : (M,) float32
        How far beyond its edge, 0 or more.
    """

    distance: Floats
    weight: Floats
    height: Floats
    aside: Floats

    @property
    def weighted(self) -> Floats:
        """Eq. 16."""
        return self.distance * self.weight


def distances(points: Floats, rebuilt: Floats) -> tuple[Floats, Floats]:
    """Eq. 15 and the weight of eq. 16.

    Parameters
    ----------
    points : (M, 3) float32
        As measured, without Noise-Gen's noise.
    rebuilt : (R, 3) float32

    Returns
    -------
    distance : (M,) float32
        d1, to the nearest rebuilt point.
    weight : (M,) float32
        1 - exp(d1) / (exp(d1) + exp(d2) + exp(d3)) of the three nearest.
    """
    found, _ = nearest(rebuilt, points, min(_WEIGHING, len(rebuilt)))
    # Divided by exp(d1), so that no exponential overflows far away from the part.
    more = np.exp(np.minimum(found.astype(np.float64) - found[:, :1], 700.0))
    return found[:, 0], (1.0 - 1.0 / more.sum(axis=1)).astype(np.float32)


def measured(points: Floats, rebuilt: Floats, hints: Floats | None, border: bool) -> Measured:
    """How points lie to their reconstruction.

    Parameters
    ----------
    points : (M, 3) float32
    rebuilt : (R, 3) float32
    hints : (R, 3) float32, optional
        Rough outward directions of the rebuilt points.
    border : bool
        Whether points beside the end of the rebuilt surface, about level with it, are judged by their height alone.
    """
    distance, weight = distances(points, rebuilt)
    normals = oriented(rebuilt, estimate_normals(rebuilt, k=max(3, min(_NORMAL_POINTS, len(rebuilt)))), hints)
    surface = CloudSurface.of(rebuilt, normals)
    found = surface.distance(points, _COMPARED)
    height, aside = found.height, found.aside
    if border:
        level = beyond_border(surface, open_border(rebuilt, normals), points, found)
        aside = np.where(level, np.float32(0), aside)
        distance = np.where(level, np.minimum(distance, np.abs(height)), distance)
    return Measured(distance, weight, height, aside)
