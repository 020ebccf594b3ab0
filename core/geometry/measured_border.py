"""Where a scan, or what good scans have in common, ends because nothing was measured beyond.

A scanner sees one side of a part: its points end where it could not look, and good scans end so too. To read a defect
from such an end alone is wrong, to forgive everything near it as well. The rules that methods here follow:

1. A point of the scan that lies over the nominal surface is judged by its height, also at the scan's own border: what
   was not measured beside it says nothing about it.
2. A point beyond the nominal's *open* border, on about the same level (``beyond_border``), cannot be judged: the good
   scans never showed whether there is material. It is extra measurement, not a defect.
3. A point beyond the border that stands off that level is judged by its height: a burr or a bulge rises. So is a point
   beside a *closed* edge, where the surface goes on round the corner: that it is beside means that material stands out.
4. Missing material leaves no points to mark. Where the surface behind it was measured (a dent, the bottom of a hole, a
   fracture), those points lie below the nominal, and are judged by rule 1.

Closed or open is told by the largest angle, about a point in its tangent plane, in which there is no neighbour (G.
Bendels, R. Schnabel, R. Klein: *Detecting holes in point set surfaces*, WSCG 2006, section 3.1), with neighbours round
an edge unfolded into that plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_erosion
from scipy.spatial import cKDTree

from core.geometry.checks import as_points
from core.geometry.neighbors import nearest
from core.geometry.normals import estimate_normals
from core.geometry.orientation import oriented
from core.geometry.surface_distance import CloudSurface, SurfaceDistance

Floats = NDArray[np.float32]

_OPEN_ANGLE = 2.0 * np.pi / 3.0
"""A wider angle without neighbours makes a border: half a turn at a straight border, at 24 random neighbours inside
a surface less often than once in 400 points."""
_FAR = 2.5
"""Neighbours farther than this many usual farthest-neighbour distances are of another piece."""
_COMPANY = 3
"""A border is a line: a border point has at least this many others among its neighbours."""
_SLACK = 2.0
"""Steps by which a border point may be farther from a point beyond the border than the nearest surface point."""
_NORMAL_POINTS = 16
_X, _Y = np.array([1, 0, 0], np.float32), np.array([0, 1, 0], np.float32)
_CHUNK = 1 << 16
_HOLE = 2
"""Pixels: narrower gaps of an organised scan are dropped measurements, not its end."""


@dataclass(frozen=True, eq=False)
class Border:
    """The open border of a measured surface.

    Attributes
    ----------
    at : (N,) bool
        True for the points at the border.
    distance : (N,) float32
        From each point to the nearest border point, in the cloud's unit; inf if there is no border.
    outward : (N, 3) float32
        At border points the unit direction, along the surface, in which nothing was measured; 0 elsewhere.
    """

    at: NDArray[np.bool_]
    distance: Floats
    outward: Floats


def open_border(
    points: Floats,
    normals: Floats | None = None,
    *,
    grid: NDArray[np.int32] | None = None,
    neighbours: int = 24,
    angle: float = _OPEN_ANGLE,
) -> Border:
    """Where a cloud's surface ends.

    Parameters
    ----------
    points : (N, 3) float32
        Without background.
    normals : (N, 3) float32, optional
        Unit length, all on one side of the surface; found here if not given.
    grid : (H, W) int32, optional
        Of an organised scan, as ``Scan.grid``: points at its frame, or beside pixels without a point, are border too.
    neighbours : int
        Nearest points that are looked at, itself not counted: a gap narrower than these reach is none. At least 3.
    angle : float
        In radians, 0 to 2 pi.

    Raises
    ------
    ValueError
        If ``neighbours`` or ``angle`` is out of range, or shapes do not match.
    """
    points = as_points(points)
    if neighbours < 3 or not 0.0 < angle < 2.0 * np.pi:
        raise ValueError(f"{neighbours} neighbours, angle {angle}")
    if len(points) < 4:
        return _border(points, np.ones(len(points), np.bool_), np.zeros_like(points))
    if normals is None:
        normals = oriented(points, estimate_normals(points, k=_NORMAL_POINTS), None)
    normals = as_points(normals, "normals")
    if normals.shape != points.shape:
        raise ValueError(f"{len(points)} points but {len(normals)} normals")
    distances, near = nearest(points, points, min(neighbours + 1, len(points)))
    reach = _FAR * float(np.median(distances[:, -1]))
    at, outward = np.empty(len(points), np.bool_), np.empty_like(points)
    for start in range(0, len(points), _CHUNK):
        rows = slice(start, start + _CHUNK)
        widest, outward[rows] = _widest_gap(points, normals, rows, near[rows, 1:], distances[rows, 1:] <= reach)
        at[rows] = widest > angle
    at &= at[near[:, 1:]].sum(axis=1) >= min(_COMPANY, near.shape[1] - 1)
    if grid is not None:
        at |= grid_border(grid, len(points))
    return _border(points, at, outward)


def grid_border(grid: NDArray[np.int32], count: int) -> NDArray[np.bool_]:
    """(N,) True for the points of an organised scan at its frame, or beside pixels that hold no point.

    Parameters
    ----------
    grid : (H, W) int32
        As ``Scan.grid``.
    count : int
        Points of the scan.
    """
    held = np.pad(grid >= 0, _HOLE + 1)
    closed = binary_closing(held, np.ones((2 * (_HOLE // 2) + 1,) * 2, np.bool_)) | held
    inside = binary_erosion(closed, np.ones((3, 3), np.bool_))
    cut = slice(_HOLE + 1, -_HOLE - 1)
    edge = (held & ~inside)[cut, cut]
    at = np.zeros(count, np.bool_)
    at[grid[edge]] = True
    return at


def beyond_border(
    surface: CloudSurface, border: Border, points: Floats, found: SurfaceDistance, level: float = 1.0
) -> NDArray[np.bool_]:
    """(Q,) True for points beyond the open border of a surface, about level with it: they cannot be judged.

    Parameters
    ----------
    surface : CloudSurface
        Of N points.
    border : Border
        Of the same N points.
    points : (Q, 3) float32
    found : SurfaceDistance
        What ``surface.distance(points)`` gave.
    level : float
        How steeply the surface may go on beyond its border: height over distance aside. 1 is 45 degrees.
    """
    result = np.zeros(len(points), np.bool_)
    rows = np.flatnonzero(found.aside > 0)
    rim = np.flatnonzero(border.at)
    if not len(rows) or not len(rim):
        return result
    asked = as_points(points)[rows]
    away, nearest_rim = cKDTree(surface.points[rim]).query(asked, workers=-1)
    own = rim[nearest_rim]
    least = np.linalg.norm(asked - surface.points[found.near[rows, 0]], axis=1)
    out = np.einsum("qc,qc->q", asked - surface.points[own], border.outward[own])
    beside = (away <= least + _SLACK * surface.step) & (out > 0)
    result[rows] = beside & (np.abs(found.height[rows]) <= level * out)
    return result


def _border(points: Floats, at: NDArray[np.bool_], outward: Floats) -> Border:
    outward = np.where(at[:, None], outward, np.float32(0))
    if not at.any():
        return Border(at, np.full(len(points), np.inf, np.float32), outward)
    distance, _ = cKDTree(points[at]).query(points, workers=-1)
    return Border(at, distance.astype(np.float32), outward)


def _widest_gap(
    points: Floats, normals: Floats, rows: slice, near: NDArray[np.int64], within: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], Floats]:
    """(n,) the widest angle without a neighbour, and (n, 3) the direction of its middle."""
    own = normals[rows]
    helper = np.where(np.abs(own[:, :1]) > 0.9, _Y, _X)
    first = np.cross(own, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(own, first)
    offsets = points[near] - points[rows, None]
    unfolded = offsets + _turned(offsets, normals[near], own[:, None])
    turn = np.arctan2(np.einsum("nkc,nc->nk", unfolded, second), np.einsum("nkc,nc->nk", unfolded, first))
    turn = np.sort(np.where(within, turn, np.nan), axis=1)  # NaN last
    count = within.sum(axis=1)
    following = np.concatenate([turn[:, 1:], np.full((len(turn), 1), np.nan)], axis=1)
    last = np.maximum(count - 1, 0)
    following[np.arange(len(turn)), last] = turn[:, 0] + 2.0 * np.pi
    gaps = np.where(np.isfinite(following), following - turn, 0.0)
    widest = gaps.argmax(axis=1)
    picked = np.arange(len(turn)), widest
    middle = turn[picked] + 0.5 * gaps[picked]
    middle = np.where(count > 0, middle, 0.0)[:, None]
    outward = (np.cos(middle) * first + np.sin(middle) * second).astype(np.float32)
    return np.where(count > 0, gaps[picked], 2.0 * np.pi), outward


def _turned(vectors: Floats, source: Floats, target: Floats) -> Floats:
    """``vectors`` under the smallest turn that takes the unit directions ``source`` to ``target``.

    With s and t these, R v = v - (s + t) ((s + t) . v) / (1 + s . t) + 2 t (s . v).
    """
    both = source + target
    weight = np.einsum("nkc,nkc->nk", both, vectors) / np.maximum(0.5 * np.square(both).sum(axis=2), 1e-3)
    result: Floats = (
        vectors - both * weight[..., None] + 2.0 * target * np.einsum("nkc,nkc->nk", source, vectors)[..., None]
    )
    return result
