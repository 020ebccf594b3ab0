"""A part thinned and cut into patches for point features, and the way back from patches to points."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.interpolation import interpolate
from core.geometry.neighbors import nearest
from core.geometry.normals import estimate_normals
from core.geometry.orientation import oriented
from core.geometry.patches import Patches, make_patches
from core.geometry.voxels import voxel_grid
from core.runtime import Runtime

Floats = NDArray[np.float32]

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

    @property
    def centers(self) -> Floats:
        """(G, 3) middles of the patches."""
        return self.points[self.patches.centers_index]

    def to_points(self, scores: Floats, points: Floats | None = None) -> Floats:
        """(P,) scores of the part's points from (G,) scores of the patches, between the three nearest centres.

        Parameters
        ----------
        scores : (G,) float32
        points : (P, 3) float32, optional
            Where the part's points are; if not given, each has the score of its voxel's point.
        """
        # In part sizes, so that interpolation's eps is small against any distance.
        size = max(float(np.ptp(self.points, axis=0).max()), 1e-30)
        middle = self.points.mean(axis=0)
        asked = self.points if points is None else points
        found = interpolate(scores, (self.centers - middle) / np.float32(size), (asked - middle) / np.float32(size))
        return found[self.inverse] if points is None else found


def voxel_for(points: Floats, wanted: int = 10_000) -> float:
    """The voxel that leaves about ``wanted`` points of a part: counts fall with its square, as a surface's area."""
    size = max(float(np.linalg.norm(np.ptp(points, axis=0))), 1e-30)
    voxel = size / 150.0
    for _ in range(3):
        voxel *= math.sqrt(len(voxel_grid(points, voxel).points) / wanted)
        voxel = min(max(voxel, size / 5000.0), size / 4.0)
    return voxel


def thin(
    points: Floats,
    outwards: Floats | None,
    voxel: float,
    *,
    patches: int = 1024,
    patch_points: int = 32,
    normal_points: int = _NORMAL_NEIGHBORS,
    runtime: Runtime | None = None,
) -> ThinnedPart:
    """A part, thinned and cut.

    Parameters
    ----------
    points : (P, 3) float32
    outwards : (P, 3) float32, optional
        Rough outward directions; found as ``core.geometry.orientation`` does it if not given.
    voxel : float
        Side of the voxels, in the unit of the points.
    patches : int
        Farthest-point centres; 0 makes every thinned point one.
    patch_points, normal_points : int
        Thinned points that make a patch, and a normal.
    runtime : Runtime, optional
    """
    grid = voxel_grid(points, voxel)
    count = len(grid.points)
    normals = estimate_normals(grid.points, k=max(3, min(normal_points, count)), runtime=runtime)
    hints = None
    if outwards is not None:
        sums = [np.bincount(grid.inverse, outwards[:, axis], minlength=count) for axis in range(3)]
        hints = np.stack(sums, axis=1).astype(np.float32)
    normals = oriented(grid.points, normals, hints)
    if patches:
        cut = make_patches(grid.points, patches, patch_points, runtime=runtime)
    else:
        around = nearest(grid.points, grid.points, min(patch_points, count), runtime=runtime)[1]
        cut = Patches(np.arange(count), around)
    return ThinnedPart(grid.points, normals, cut, grid.inverse)
