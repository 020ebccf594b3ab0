"""Planes fitted to points that are not all on one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.checks import as_points

_SAMPLE = 4000
_TRIES = 400


@dataclass(frozen=True, eq=False)
class Plane:
    """The points x with normal . x + offset = 0.

    Attributes
    ----------
    normal : (3,) float64, unit length
    offset : float
    """

    normal: NDArray[np.float64]
    offset: float

    def heights(self, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N,) signed distance of each point, positive on the side that the normal points to."""
        return points @ self.normal + self.offset

    def flipped(self) -> Plane:
        """The same plane with the normal on its other side."""
        return Plane(-self.normal, -self.offset)


def fit_plane(points: NDArray[np.float32], distance: float, seed: int = 0) -> Plane | None:
    """The plane with most points within ``distance``: RANSAC (Fischler & Bolles 1981), then least squares on those.

    Parameters
    ----------
    points : (N, 3) float32
    distance : float
        Points nearer than this to a plane are its own; above 0.
    seed : int
        Of the draws: same points and seed, same plane.

    Returns
    -------
    Plane or None
        None for fewer than three points, or points on one line.
    """
    points = as_points(points)
    if not distance > 0:
        raise ValueError(f"distance {distance} must be above 0")
    if len(points) < 3:
        return None
    rng = np.random.default_rng(seed)
    center = points.mean(axis=0, dtype=np.float64)
    sample = points if len(points) <= _SAMPLE else points[rng.choice(len(points), _SAMPLE, replace=False)]
    sample = sample - center
    corners = sample[rng.integers(len(sample), size=(_TRIES, 3))]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    sound = lengths > 1e-9 * np.square(np.ptp(sample, axis=0).max())
    if not sound.any():
        return None
    normals = normals[sound] / lengths[sound, None]
    offsets = -np.einsum("ij,ij->i", normals, corners[sound, 0])
    inside = np.abs(sample @ normals.T + offsets) < distance
    best = int(inside.sum(axis=0).argmax())
    normal, offset = normals[best], float(offsets[best])
    for _ in range(3):
        own = sample[np.abs(sample @ normal + offset) < distance]
        if len(own) < 3:
            break
        middle = own.mean(axis=0)
        normal = np.linalg.eigh(np.cov((own - middle).T))[1][:, 0]
        offset = -float(normal @ middle)
    normal = normal * np.sign(normal[np.abs(normal).argmax()])  # one of the two signs, always the same
    offset = -float(normal @ middle) if len(own) >= 3 else offset
    return Plane(normal, offset - float(normal @ center))
