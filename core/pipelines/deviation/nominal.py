"""The nominal surface: what registered good scans have in common, and how far they stray from it at each place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.clusters import dbscan
from core.geometry.discs import Smoothing, smoothed
from core.geometry.measured_border import Border, beyond_border, open_border
from core.geometry.normals import estimate_normals
from core.geometry.orientation import oriented
from core.geometry.surface_distance import CloudSurface, SurfaceDistance
from core.geometry.voxels import VoxelGrid, voxel_grid
from core.pipelines.deviation.spread import expected_spread, pooled_median
from core.progress import Progress

Array = NDArray[np.float32]

_NORMAL_POINTS = 16
_JOINED = 5.0
"""Points nearer than this many steps are of one piece."""
_SPREAD_SCANS = 64
"""At most this many scans, evenly chosen, say how much good parts spread."""
ASIDE = 0.5
"""Weight of lying beyond the surface's edge beside lying off the surface: good scans too end a little here or there."""


@dataclass(frozen=True, eq=False)
class Nominal:
    """The nominal surface.

    Attributes
    ----------
    points, normals : (V, 3) float32
        Evenly thinned mean of the good scans, normals outward.
    offset : (V,) float32
        Mean height of good scans there (an edge's points lie beside their plane in every scan).
    spread : (V,) float32
        Standard deviation of good scans there.
    step : float
        Spacing of the points.
    """

    points: Array
    normals: Array
    offset: Array
    spread: Array
    step: float

    @cached_property
    def surface(self) -> CloudSurface:
        """What points are compared with; built once, searched by every scan."""
        return CloudSurface(self.points, self.normals, self.step)

    @cached_property
    def border(self) -> Border:
        """Where the good scans end because they show nothing beyond."""
        return open_border(self.points, self.normals)

    def never_shown(self, points: Array, found: SurfaceDistance, reach: float) -> NDArray[np.bool_]:
        """(N,) True for points of surface that no good scan showed, so that nothing can be said of them.

        They lie beyond the open border, level with it (``beyond_border``), in a connected piece that goes on for more
        than ``reach``. A smaller one is a burr: it is judged, by how far good scans too end here or there.
        """
        if not (found.aside > reach).any():
            return np.zeros(len(points), np.bool_)
        beside = beyond_border(self.surface, self.border, points, found)
        rows = np.flatnonzero(beside)
        pieces = dbscan(points[rows], _JOINED * self.step, 1)
        far = np.unique(pieces[found.aside[rows] > reach])
        beside[rows] = np.isin(pieces, far)
        return beside

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        return {name: np.asarray(getattr(self, name)) for name in ("points", "normals", "offset", "spread", "step")}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Nominal:
        """What ``state`` gave."""
        return cls(state["points"], state["normals"], state["offset"], state["spread"], float(state["step"]))


def mean_surface(placed: Sequence[Array], step: float, max_points: int) -> tuple[VoxelGrid, float]:
    """The registered scans thinned together, with the step that leaves about ``max_points``."""
    union = np.concatenate(placed)
    grid = voxel_grid(union, step)
    while len(grid.points) > 1.1 * max_points:
        step *= float(np.sqrt(len(grid.points) / max_points))
        grid = voxel_grid(union, step)
    return grid, step


def build(
    placed: Sequence[Array],
    hints: Array | None,
    *,
    step: float,
    max_points: int,
    neighbours: int,
    smoothing: Smoothing,
    shrink: float,
    progress: Progress,
) -> Nominal:
    """The nominal surface of registered good scans.

    The spread at a place is that of each scan against the mean of the *others*, by the closed form of leaving a scan's
    share out of a mean, smoothed as in scoring, so that it is what a new good scan will show.

    Parameters
    ----------
    placed : sequence of (N, 3) float32
        Two or more scans in one pose.
    hints : (sum of N, 3) float32, optional
        Rough outward directions of their points.
    step, max_points, neighbours, smoothing, shrink
        See ``DeviationConfig``.
    """
    grid, step = mean_surface(placed, step, max_points)
    owners = np.split(grid.inverse, np.cumsum([len(p) for p in placed])[:-1])
    kept = _seen_often(grid, owners, placed, step)
    normals = estimate_normals(grid.points, k=_NORMAL_POINTS)
    outwards = None
    if hints is not None:
        sums = [np.bincount(grid.inverse, hints[:, c], len(grid.points)) for c in range(3)]
        outwards = np.stack(sums, axis=1).astype(np.float32)[kept]
    points = np.ascontiguousarray(grid.points[kept])
    normals = oriented(points, normals[kept], outwards)
    nothing = np.zeros(len(points), np.float32)
    bare = Nominal(points, normals, nothing, nothing, step)

    some = np.unique(np.linspace(0, len(placed) - 1, min(len(placed), _SPREAD_SCANS)).astype(np.int64))
    heights = np.full((len(some), len(points)), np.nan, np.float32)
    asides = np.full((len(some), len(points)), np.nan, np.float32)
    for row, i in enumerate(progress.over(some.tolist(), "Comparing good scan {i} of {n} with the others")):
        shift = _left_out(bare, placed[i], owners[i], kept, grid)
        found = bare.surface.distance(placed[i], neighbours, shift)
        disc = smoothing.neighbours(placed[i])
        place = found.near[:, 0]
        counts = np.bincount(place, minlength=len(points))
        with np.errstate(invalid="ignore"):
            heights[row] = np.bincount(place, smoothed(found.height, disc), len(points)) / counts
            asides[row] = np.bincount(place, smoothed(found.aside, disc), len(points)) / counts
    offset = pooled_median(heights, points)
    spread = expected_spread(heights - offset, ASIDE * asides, points, normals, shrink=shrink, step=step)
    return Nominal(points, normals, offset, spread, step)


def _seen_often(
    grid: VoxelGrid, owners: Sequence[NDArray[np.int64]], placed: Sequence[Array], step: float
) -> NDArray[np.bool_]:
    """(V,) True where enough scans measured something nearby: a stray point of one scan is no surface."""
    coarse = voxel_grid(np.concatenate(placed), 2.5 * step)
    seen = np.zeros(len(coarse.points), np.int64)
    own = np.zeros(len(grid.points), np.int64)
    start = 0
    for owner in owners:
        seen[np.unique(coarse.inverse[start : start + len(owner)])] += 1
        own[np.unique(owner)] += 1
        start += len(owner)
    nearby = np.zeros(len(grid.points), np.int64)
    nearby[grid.inverse] = seen[coarse.inverse]
    result: NDArray[np.bool_] = (nearby >= max(2, ceil(0.15 * len(owners)))) & (own >= (2 if len(owners) > 5 else 1))
    return result if result.any() else np.ones(len(grid.points), np.bool_)


def _left_out(
    nominal: Nominal, points: Array, owner: NDArray[np.int64], kept: NDArray[np.bool_], grid: VoxelGrid
) -> Array:
    """(V,) what leaving one scan out of the mean adds to heights over each nominal point.

    With m_s of the m points of a cell from the scan, and their mean lying h_s over the mean of all, the mean of the
    others lies m_s / (m - m_s) h_s below the mean of all.
    """
    place = np.cumsum(kept) - 1
    used = kept[owner]
    cell = place[owner[used]]
    height = np.einsum("nc,nc->n", points[used] - nominal.points[cell], nominal.normals[cell])
    own = np.bincount(cell, minlength=len(nominal.points))
    total = np.bincount(cell, height, len(nominal.points))
    others = grid.counts[kept] - own
    return np.where(others > 0, total / np.maximum(others, 1), 0.0).astype(np.float32)
