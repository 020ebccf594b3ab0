"""From where to look at a part: as its sensor did, or from enough sides that every point is seen."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.checks import as_points
from core.geometry.neighbors import spacing
from core.geometry.shading import DISTANCE, FIELD_OF_VIEW, Rendering, render_normals
from core.scan import Scan

Floats = NDArray[np.float64]

_ALIGNED = math.cos(math.radians(15.0))
_GRAZING = math.cos(math.radians(75.0))
"""A point seen at a flatter angle than this shows too little to count as seen when views are chosen."""
_LOOKED_AT = 20_000
"""Points, spread over the cloud, that decide between views."""
_WIDEST = 21


@dataclass(frozen=True, eq=False)
class ViewSet:
    """Views chosen to cover a part.

    Attributes
    ----------
    views : (K, 3, 3) float64
        Rotations for ``render_normals``, the most useful first.
    center : (3,) float64
    extent : float
        The same for every view, so that all pictures have one scale and none is cut.
    covered : float
        Share of the points seen in at least one of them.
    """

    views: Floats
    center: Floats
    extent: float
    covered: float

    def render(
        self, points: NDArray[np.float32], normals: NDArray[np.float32], *, size: int = 224, splat: int | None = None
    ) -> tuple[tuple[Rendering, ...], NDArray[np.bool_]]:
        """Every view's picture, and (N, K) which views see each point.

        ``splat`` is ``closing_splat`` if not given.
        """
        splat = closing_splat(points, self.extent, size) if splat is None else splat
        pictures = tuple(
            render_normals(points, normals, view=view, size=size, splat=splat, center=self.center, extent=self.extent)
            for view in self.views
        )
        return pictures, np.stack([picture.visible for picture in pictures], axis=1)


def sensor_view(scan: Scan) -> Floats:
    """The rotation that shows an organised scan as its sensor saw it: columns to the right, rows down.

    Where rows and columns run nearly along axes of the scan's frame, exactly along these: for MVTec 3D-AD
    diag(1, -1, -1), as CPMF turns it.

    Returns
    -------
    (3, 3) float64

    Raises
    ------
    ValueError
        If the scan is not organised.
    """
    if scan.grid is None:
        raise ValueError("an unorganised scan says nothing of its sensor")
    right, down = (_along(scan, axis) for axis in (1, 0))
    front = np.cross(right, -down)
    if np.linalg.norm(front) < 1e-9:
        return np.eye(3)
    rotation = _facing(front, -down)
    snapped = np.zeros((3, 3))
    snapped[np.arange(3), np.abs(rotation).argmax(axis=1)] = 1.0
    snapped *= np.sign(rotation)
    near = (np.einsum("ij,ij->i", rotation, snapped) >= _ALIGNED).all()
    return snapped if near else rotation


def viewing_directions() -> Floats:
    """(26, 3) unit directions to the faces, edges and corners of a cube, in that order."""
    steps = np.array([s for s in itertools.product((1.0, 0.0, -1.0), repeat=3) if any(s)])
    steps = steps[np.argsort(np.abs(steps).sum(axis=1), kind="stable")]
    return steps / np.linalg.norm(steps, axis=1, keepdims=True)


def view_along(direction: ArrayLike) -> Floats:
    """The (3, 3) rotation by which the eye lies in ``direction``, with y up (z where the eye looks along y)."""
    front = np.asarray(direction, np.float64)
    up = np.array([0.0, 0.0, 1.0] if abs(front[1]) > 0.99 * np.linalg.norm(front) else [0.0, 1.0, 0.0])
    return _facing(front, up)


def whole_extent(points: NDArray[np.float32]) -> float:
    """The least extent by which a camera has the box of ``points`` in the picture from every side.

    The box's ball, of radius D/2, is inside of a field of 60° if the eye is at least D away.
    """
    diagonal = float(np.linalg.norm(np.ptp(points, axis=0)))
    return max(diagonal / DISTANCE, 1e-12)


def closing_splat(points: NDArray[np.float32], extent: float, size: int = 224) -> int:
    """The side of a point's square, in pixels, at which a surface shows no gaps: 5 as in the viewer, or more.

    Points strewn at random with n to a pixel leave a gap with probability exp(-n s²), and the median distance to the
    nearest is sqrt(ln 2 / (π n)); s = 6 such distances leaves e⁻⁸, 1.5 allows for what is nearer than the centre.
    """
    pixel = DISTANCE * extent / (size / 2 / math.tan(math.radians(FIELD_OF_VIEW / 2)))
    side = math.ceil(1.5 * 6.0 * spacing(points) / pixel)
    return min(max(5, side + 1 - side % 2), _WIDEST)


def covering_views(
    points: NDArray[np.float32],
    normals: NDArray[np.float32],
    limit: int = 6,
    *,
    share: float = 0.995,
    directions: ArrayLike | None = None,
    center: ArrayLike | None = None,
    extent: float | None = None,
) -> ViewSet:
    """Few views that together see all of a part, chosen greedily.

    Each next view is the one that raises most the sum over points of the best cosine under which a point is seen;
    points seen flatter than 75° count as unseen. It ends when ``share`` of the points that any direction sees are
    seen, or at ``limit``.

    Parameters
    ----------
    points, normals : (N, 3) float32
        The part without its background; signs of the normals do not matter.
    limit : int
        Most views, at least 1.
    share : float
        0 to 1.
    directions : (D, 3), optional
        Where the eye may be; ``viewing_directions()`` if not given. Ties go to the earlier one.
    center, extent : optional
        Of every picture; the box's centre and ``whole_extent`` if not given.

    Raises
    ------
    ValueError
        If ``limit`` is below 1.
    """
    points, normals = as_points(points, least=1), as_points(normals, "normals")
    if limit < 1:
        raise ValueError(f"{limit} views were asked for")
    middle = (points.min(axis=0) + points.max(axis=0)) / 2.0 if center is None else np.asarray(center)
    extent = whole_extent(points) if extent is None else extent
    some = np.unique(np.linspace(0, len(points) - 1, min(_LOOKED_AT, len(points))).astype(np.int64))
    eyes = viewing_directions() if directions is None else np.asarray(directions, np.float64)
    rotations = np.stack([view_along(eye) for eye in eyes])
    points, normals = points[some], normals[some]
    splat = closing_splat(points, extent)
    cosines = np.stack([_cosines(points, normals, view, middle, extent, splat) for view in rotations])
    chosen = _greedy(cosines, limit, share)
    covered = float((cosines[chosen] > 0).any(axis=0).mean())
    return ViewSet(rotations[chosen], np.asarray(middle, np.float64), float(extent), covered)


def _greedy(cosines: Floats, limit: int, share: float) -> list[int]:
    """Rows of (D, N) ``cosines`` chosen one after another."""
    wanted = share * (cosines > 0).any(axis=0).sum()
    best = np.zeros(cosines.shape[1])
    chosen: list[int] = []
    while len(chosen) < min(limit, len(cosines)):
        gains = np.maximum(cosines, best).sum(axis=1)
        chosen.append(int(gains.argmax()))
        best = np.maximum(best, cosines[chosen[-1]])
        if (best > 0).sum() >= wanted:
            break
    return chosen


def _cosines(
    points: NDArray[np.float32],
    normals: NDArray[np.float32],
    view: Floats,
    center: ArrayLike,
    extent: float,
    splat: int,
) -> Floats:
    """(N,) cosine between each point's normal and the line to the eye, 0 where it is hidden or too flat."""
    seen = render_normals(points, normals, view=view, center=center, extent=extent, splat=splat).visible
    lines = np.asarray(center) + DISTANCE * extent * view[2] - points
    cosine = np.abs(np.einsum("ij,ij->i", normals, lines)) / np.linalg.norm(lines, axis=1)
    return np.where(seen & (cosine >= _GRAZING), cosine, 0.0)


def _facing(front: Floats, up: Floats) -> Floats:
    """The rotation whose last row is ``front``, with ``up`` as near to its second row as can be."""
    front = front / np.linalg.norm(front)
    right = np.cross(up, front)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(front, right), front])


def _along(scan: Scan, axis: int) -> Floats:
    """(3,) unit direction in which points run along an axis of the grid: median step between neighbouring pixels."""
    grid = scan.grid
    assert grid is not None
    one, other = np.split(grid, [1], axis=axis)[1], np.split(grid, [grid.shape[axis] - 1], axis=axis)[0]
    both = (one >= 0) & (other >= 0)
    if not both.any():
        return np.eye(3)[1 - axis]
    steps = scan.points[one[both]].astype(np.float64) - scan.points[other[both]]
    step = np.median(steps, axis=0)
    length = float(np.linalg.norm(step))
    return step / length if length > 0 else np.eye(3)[1 - axis]


def mean_over_views(
    values: Sequence[NDArray[np.float32]], seen: NDArray[np.bool_], weights: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """What the views that see a point say of it on average; NaN where none does.

    Parameters
    ----------
    values : K arrays (N,) or (N, C)
    seen : (N, K) bool
    weights : (N, K) float32, optional
        Above 0: what each view counts; all alike if not given.
    """
    total = np.zeros(np.shape(values[0]), np.float64)
    for k, value in enumerate(values):
        rows = seen[:, k]
        share = 1.0 if weights is None else weights[rows, k].reshape(-1, *[1] * (total.ndim - 1))
        total[rows] += share * value[rows]
    count = (seen if weights is None else seen * weights).sum(axis=1, dtype=np.float64)
    count[count == 0] = np.nan
    return (total / count.reshape(-1, *[1] * (total.ndim - 1))).astype(np.float32)
