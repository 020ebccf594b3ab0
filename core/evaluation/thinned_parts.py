"""What a point network is shown of a part, and the way back from its patches to the points."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.evaluation.probe_scans import ProbeScan
from core.geometry.interpolation import interpolate
from core.geometry.normals import estimate_normals
from core.geometry.patches import Patches, make_patches
from core.geometry.voxels import voxel_grid
from core.runtime import Runtime

Floats = NDArray[np.float32]

_POINTS = 10_000
"""About as many are left of a part."""
_PATCHES, _PATCH_POINTS = 1024, 32
_NORMAL_NEIGHBORS = 20


@dataclass(frozen=True, eq=False)
class ThinnedPart:
    """A part thinned to one point a voxel, cut into patches.

    Attributes
    ----------
    points, normals : (V, 3) float32
        Normals are turned outwards.
    patches : Patches
    inverse : (P,) int64
        The voxel of each of the part's points.
    """

    points: Floats
    normals: Floats
    patches: Patches
    inverse: NDArray[np.int64]

    def to_points(self, scores: Floats) -> Floats:
        """(P,) scores of the part's points from scores of the patches, between the three nearest centres."""
        # In part sizes, so that interpolation's eps is small against any distance.
        size = max(float(np.ptp(self.points, axis=0).max()), 1e-30)
        middle = self.points.mean(axis=0)
        places = (self.points - middle) / np.float32(size)
        return interpolate(scores, places[self.patches.centers_index], places)[self.inverse]


def voxel_for(points: Floats) -> float:
    """The voxel that leaves about ``_POINTS`` of a part: counts fall with its square, as a surface's area."""
    size = max(float(np.linalg.norm(np.ptp(points, axis=0))), 1e-30)
    voxel = size / 150.0
    for _ in range(3):
        voxel *= math.sqrt(len(voxel_grid(points, voxel).points) / _POINTS)
        voxel = min(max(voxel, size / 5000.0), size / 4.0)
    return voxel


def thin(scan: ProbeScan, voxel: float, runtime: Runtime) -> ThinnedPart:
    """The part of a scan, thinned and cut."""
    grid = voxel_grid(scan.points, voxel)
    count = len(grid.points)
    normals = estimate_normals(grid.points, k=_NORMAL_NEIGHBORS)
    signs = np.zeros(count)
    np.add.at(signs, grid.inverse, np.einsum("ij,ij->i", normals[grid.inverse], scan.normals))
    normals[signs < 0] *= -1.0
    return ThinnedPart(
        grid.points, normals, make_patches(grid.points, _PATCHES, _PATCH_POINTS, runtime=runtime), grid.inverse
    )
