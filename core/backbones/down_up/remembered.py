"""The surface that good parts of a category share, as a network can ask for it (beyond the paper).

Down-Net sees a patch and where it lies. From these alone it cannot know that a smooth dent is one: the paper's
noise is independent from point to point, so that averaging neighbours takes it away, and a dent stays. Where scans are
laid on one another, the position of a centre says where the good surface passes; a coordinate MLP would have to
memorise that to a thousandth of the part. ``GoodSurface`` remembers it exactly: from any place it gives the step to
the surface of the good scans, which Down-Net takes as part of the position embedding and may follow or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from core.geometry.normals import estimate_normals
from core.geometry.voxels import voxel_grid

Floats = NDArray[np.float32]

NEIGHBORS = 8
RECALLED = 7
"""Numbers that tell of a step: itself, its length, how far its planes disagree, how far aside the surface is, and
whether there is one."""
_NORMAL_NEIGHBORS = 16


@dataclass(frozen=True, eq=False)
class GoodSurface:
    """Points of good parts in one pose.

    Attributes
    ----------
    points, normals : (V, 3) float32
        Normals of any sign.
    step : float
        Their spacing.
    """

    points: Floats
    normals: Floats
    step: float

    @classmethod
    def of(cls, points: Floats, step: float) -> GoodSurface:
        """From points of one or several parts, thinned to one in a voxel of side ``step``."""
        thinned = voxel_grid(points, step).points
        return cls(thinned, estimate_normals(thinned, k=max(3, min(_NORMAL_NEIGHBORS, len(thinned)))), step)

    @cached_property
    def tree(self) -> cKDTree:
        """Built once."""
        return cKDTree(self.points)

    def turned(self, turn: NDArray[np.float64], scale: float = 1.0) -> GoodSurface:
        """The surface of points and normals whose rows are multiplied with a rotation (3, 3), and scaled."""
        points = (scale * (self.points @ turn)).astype(np.float32)
        return GoodSurface(points, (self.normals @ turn).astype(np.float32), scale * self.step)

    def recall(self, places: Floats, radius: float) -> tuple[Floats, Floats]:
        """The steps from places to the surface, and what a network is told of them.

        A step goes to the planes of the nearest remembered points, weighted by 1 / (d^2 + (step / 2)^2).

        Parameters
        ----------
        places : (Q, 3) float32
        radius : float
            Unit of what the network is told.

        Returns
        -------
        steps : (Q, 3) float32
        told : (Q, 7) float32
            In units of ``radius``, drawn into -1..1 by x / (1 + |x|).
        """
        count = min(NEIGHBORS, len(self.points))
        distance, near = self.tree.query(places, k=[*range(1, count + 1)], workers=-1)
        gaps = places[:, None] - self.points[near]
        normals = self.normals[near]
        heights = np.einsum("qkc,qkc->qk", gaps, normals)[..., None] * normals
        weight = 1.0 / (distance**2 + (0.5 * self.step) ** 2)
        weight = (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
        mean = np.einsum("qk,qkc->qc", weight, heights)
        spread = np.sqrt(np.einsum("qk,qkc->q", weight, np.square(heights - mean[:, None])))
        length = np.linalg.norm(mean, axis=1)
        aside = np.sqrt(np.maximum(distance[:, 0] ** 2 - length**2, 0.0))
        told = np.column_stack([-mean, length, spread, aside, np.full(len(places), np.inf)]) / radius
        told[:, :6] /= 1.0 + np.abs(told[:, :6])
        told[:, 6] = 1.0
        return (-mean).astype(np.float32), told.astype(np.float32)

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        return {"points": self.points, "normals": self.normals, "step": np.array(self.step)}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> GoodSurface:
        """What ``state`` gave."""
        return cls(state["points"], state["normals"], float(state["step"]))
