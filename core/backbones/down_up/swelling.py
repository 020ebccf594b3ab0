"""Gaussian noise that neighbours share: smooth displacements of a surface, as dents and bulges are (beyond the paper).

The paper's noise is drawn for every point on its own. A network that only ever repairs such noise learns to average
neighbours, and a dent, whose points all moved together, is left as it is. Noise with a correlation length is Gaussian
noise all the same; it teaches that what moved together may be wrong too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Swelling:
    """Noise of correlation lengths between two bounds.

    Attributes
    ----------
    most : int
        Most swellings of a part; their number is drawn from 0 to this.
    smallest, largest : float
        Radius of a swelling, in the radius of the part; drawn evenly on a logarithmic scale.
    height : float
        Standard deviation of its height, as a share of its radius.
    tallest : float
        Bound of the height, in the radius of the part.
    """

    most: int = 8
    smallest: float = 0.02
    largest: float = 0.3
    height: float = 0.2
    tallest: float = 0.04

    def __call__(self, rng: np.random.Generator, points: Floats, normals: Floats) -> Floats:
        """The displaced points (N, 3) of a part of radius 1.

        Parameters
        ----------
        points : (N, 3) float32
        normals : (N, 3) float32
            Of any sign.
        """
        moved = points.astype(np.float64)
        for _ in range(int(rng.integers(0, self.most + 1)) if self.most else 0):
            at = int(rng.integers(len(points)))
            radius = float(np.exp(rng.uniform(np.log(self.smallest), np.log(self.largest))))
            height = float(np.clip(self.height * radius * rng.standard_normal(), -self.tallest, self.tallest))
            away = (points - points[at]).astype(np.float64)
            stretched = away - rng.uniform(0.0, 0.8) * np.outer(away @ (side := _sideways(rng, normals[at])), side)
            q = np.sqrt((stretched * stretched).sum(1)) / radius
            # Round, flat-topped or pointed, by the exponent.
            profile = np.maximum(1.0 - q ** rng.choice([1.0, 2.0, 6.0]), 0.0)
            alike = np.abs(normals @ normals[at]) > 0.5  # what stands across, such as another wall, stays
            moved += (height * profile * alike)[:, None] * normals[at]
        return moved.astype(np.float32)


def _sideways(rng: np.random.Generator, normal: Floats) -> NDArray[np.float64]:
    """A unit direction along the surface."""
    drawn = rng.standard_normal(3)
    along = drawn - (drawn @ normal) * normal
    unit: NDArray[np.float64] = along / max(float(np.linalg.norm(along)), 1e-12)
    return unit
