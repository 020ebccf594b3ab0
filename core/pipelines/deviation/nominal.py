"""The nominal surface: what registered good scans have in common, and how far they stray from it at each place."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from core.geometry.neighbors import nearest
from core.geometry.normals import estimate_normals
from core.geometry.orientation import oriented
from core.geometry.voxels import VoxelGrid, voxel_grid
from core.progress import Progress

Array = NDArray[np.float32]

_NORMAL_POINTS = 16
_POOL = 9
"""Neighbouring places whose spreads are pooled."""
_FORGIVE = 25
"""Neighbouring places of which the largest spread counts (2.8 steps about): beside an edge, a pose that is off by a
step brings the edge's spread here."""
_GAP = 1.5
"""A point may lie this many steps aside of the nearest nominal point and still be on the surface."""
_SPREAD_SCANS = 64
"""At most this many scans, evenly chosen, say how much good parts spread."""
_ASIDE = 0.5
"""Weight of lying beyond the surface's edge, beside lying off the surface."""
_LEAST = 0.01
"""Least spread, in steps: good scans that are equal to the last digit promise nothing about the next."""


@dataclass(frozen=True, eq=False)
class Residuals:
    """How points depart from the nominal surface, in its unit.

    Attributes
    ----------
    height : (N,) float32
        Signed, along the nominal normal.
    aside : (N,) float32
        How far beyond the surface's edge, 0 or more; halved, for good scans too end a little here or there.
    near : (N, k) int64
        The nominal points compared with, nearest first.
    """

    height: Array
    aside: Array
    near: NDArray[np.int64]


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
    def tree(self) -> cKDTree:
        """Built once, searched by every scan."""
        return cKDTree(self.points)

    def residuals(self, points: Array, neighbours: int, shift: Array | None = None) -> Residuals:
        """Raw residuals of registered points.

        Parameters
        ----------
        points : (N, 3) float32
        neighbours : int
            Nominal points that each is compared with.
        shift : (V,) float32, optional
            Added to the heights of each nominal point.
        """
        count = min(neighbours, len(self.points))
        distance, near = self.tree.query(points, k=[*range(1, count + 1)], workers=-1)
        gaps = points[:, None] - self.points[near]
        heights = np.einsum("nkc,nkc->nk", gaps, self.normals[near])
        away = np.sqrt(np.maximum(distance[:, 0] ** 2 - heights[:, 0] ** 2, 0.0))
        # Nearer nominal points speak louder, so that the height is continuous along the surface.
        weight = 1.0 / (distance**2 + (0.5 * self.step) ** 2)
        weight /= weight.sum(axis=1, keepdims=True)
        if shift is not None:
            heights = heights + shift[near]
        return Residuals(
            height=(weight * heights).sum(axis=1).astype(np.float32),
            aside=(_ASIDE * np.maximum(away - _GAP * self.step, 0.0)).astype(np.float32),
            near=near,
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        return {name: np.asarray(getattr(self, name)) for name in ("points", "normals", "offset", "spread", "step")}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Nominal:
        """What ``state`` gave."""
        return cls(state["points"], state["normals"], state["offset"], state["spread"], float(state["step"]))


@dataclass(frozen=True)
class Smoothing:
    """Averages over a small disc of a scan's surface.

    Attributes
    ----------
    count : int
        Points in the disc; 1 smooths nothing.
    radius : float
        The disc's radius in the scan's unit.
    """

    count: int
    radius: float

    @classmethod
    def over(cls, spacings: float, spacing: float) -> Smoothing:
        """Over a radius given in point spacings."""
        return cls(max(1, round(np.pi * spacings**2)), spacings * spacing)

    def neighbours(self, points: Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Indices (N, m) of the disc's points, and which of them lie within the radius."""
        count = min(self.count, len(points))
        distance, index = nearest(points, points, count)
        inside = distance <= self.radius
        inside[:, 0] = True
        return index, inside


def smoothed(values: Array, disc: tuple[NDArray[np.int64], NDArray[np.bool_]]) -> Array:
    """Mean of ``values`` over each point's disc, without its highest and its lowest value where it has four or more."""
    index, inside = disc
    if index.shape[1] == 1:
        return values
    around = values[index]
    count = inside.sum(axis=1)
    low = np.where(inside, around, np.float32(np.inf)).min(axis=1)
    high = np.where(inside, around, np.float32(-np.inf)).max(axis=1)
    total = np.einsum("nm,nm->n", around, inside.astype(np.float32))
    many = count >= 4
    result: Array = np.where(many, (total - low - high) / np.maximum(count - 2, 1), total / count).astype(np.float32)
    return result


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
        found = bare.residuals(placed[i], neighbours, shift)
        disc = smoothing.neighbours(placed[i])
        place = found.near[:, 0]
        counts = np.bincount(place, minlength=len(points))
        with np.errstate(invalid="ignore"):
            heights[row] = np.bincount(place, smoothed(found.height, disc), len(points)) / counts
            asides[row] = np.bincount(place, smoothed(found.aside, disc), len(points)) / counts
    offset = _pooled_median(heights, points)
    return Nominal(points, normals, offset, _spread(heights - offset, asides, points, shrink, step), step)


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


def _pooled_median(heights: Array, points: Array) -> Array:
    """(V,) median over scans, averaged over neighbouring places; 0 where no scan has a point."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # places that no scan's point is nearest to
        middle = np.nanmedian(heights, axis=0)
    _, near = nearest(points, points, min(4, len(points)))
    known = np.isfinite(middle[near])
    total = np.where(known, middle[near], 0.0).sum(axis=1)
    return (total / np.maximum(known.sum(axis=1), 1)).astype(np.float32)


def _spread(heights: Array, asides: Array, points: Array, shrink: float, step: float) -> Array:
    """(V,) standard deviation of good scans at each place.

    The squares of one scan in ten, the largest, count as the next one (a good scan with a bad spot), neighbouring
    places are pooled, and the variance is drawn towards the part's median variance as if that had been seen in
    ``shrink`` scans (the moderated variance of Smyth: *Linear models and empirical Bayes methods*, SAGMB 2004). Of
    what the places around have, the largest counts.
    """
    squares = np.sort(heights**2 + asides**2, axis=0)  # NaN last
    counts = np.isfinite(squares).sum(axis=0)
    last = np.maximum(counts - counts // 10 - 1, 0)
    ceiling = np.take_along_axis(squares, last[None], axis=0)
    sums = np.nansum(np.minimum(squares, ceiling), axis=0)
    _, near = nearest(points, points, min(_POOL, len(points)))
    pooled_counts = counts[near].sum(axis=1)
    local = sums[near].sum(axis=1) / np.maximum(pooled_counts, 1)
    scans = np.minimum(pooled_counts, len(heights)) * (counts[near].mean(axis=1) > 0)
    seen = scans > 0
    whole = float(np.median(local[seen])) if seen.any() else 0.0
    variance = (shrink * whole + scans * local) / np.maximum(shrink + scans, 1e-12)
    variance = np.where(shrink + scans > 0, variance, whole)
    _, near = nearest(points, points, min(_FORGIVE, len(points)))
    return np.sqrt(variance[near].max(axis=1) + (_LEAST * step) ** 2).astype(np.float32)
