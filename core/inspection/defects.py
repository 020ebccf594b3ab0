"""Defects: connected groups of marked points, measured, for any threshold at once.

Two marked points are connected if they are neighbours: one is among the other's nearest points, and no farther than a
few times the point spacing there. Give each edge of this neighbour graph the lower of its two scores. The groups at a
threshold t are the components of the edges above t, and these are the same in the graph's maximum spanning forest,
which has fewer edges than points (the bottleneck property of spanning trees). The forest is found once a scan, sorted;
each threshold is a cut of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from core.geometry.neighbors import nearest
from core.inspection.thresholds import Thresholds
from core.scan import Scan
from core.scores import Scores

_NEIGHBOURS = 8
_AREA_RANKS = slice(3, 8)  # the 4th to the 8th nearest
_ROUNDING = 1e-6  # coordinates are float32: thinner than this share of its length, a defect has no thickness
_REACH = 2.5  # longest edge, in spacings of the denser of its two ends


@dataclass(frozen=True, eq=False)
class Defect:
    """A connected group of marked points. Lengths are in the scan's unit.

    Attributes
    ----------
    id : int
        1 for the defect with the highest peak, then 2, ...
    points : int
        How many points it has.
    position : (3,) float64
        Centroid, each point weighted by how far its score is above the threshold.
    extent : (3,) float64
        Length, width and thickness: its sizes along its own principal axes, longest first.
    bounds : (2, 3) float64
        Lowest and highest corner of its axis-aligned box.
    area : float
        Surface that its points stand for.
    peak, mean : float
        Highest and mean score.
    height : float or None
        Highest departure from the reference surface, signed: above it positive, a dent negative.
    volume : float or None
        Integral of the signed departure over the area: material too much positive, missing negative.
    """

    id: int
    points: int
    position: NDArray[np.float64]
    extent: NDArray[np.float64]
    bounds: NDArray[np.float64]
    area: float
    peak: float
    mean: float
    height: float | None
    volume: float | None


@dataclass(frozen=True, eq=False)
class Defects:
    """What a scan shows at some thresholds.

    Attributes
    ----------
    mask : (N,) bool
        True for every point above the point threshold, also in groups too small to be a defect.
    ids : (N,) int32
        The point's defect, 0 where it is in none.
    defects : tuple of Defect
        By id.
    """

    mask: NDArray[np.bool_]
    ids: NDArray[np.int32]
    defects: tuple[Defect, ...]

    def __len__(self) -> int:
        return len(self.defects)


class DefectFinder:
    """Finds the defects of one scored scan at any thresholds.

    Making one takes the neighbour search and the spanning forest (about a second for 200,000 points); ``find`` is fast
    enough to follow a slider.

    Parameters
    ----------
    scan : Scan
    scores : Scores
        Of the same N points. Points without a score are in no defect and connect nothing.
    """

    def __init__(self, scan: Scan, scores: Scores) -> None:
        if len(scan) != len(scores.points):
            raise ValueError(f"{len(scan)} points but {len(scores.points)} scores")
        self._scores = scores.points
        self._points = scan.points
        self._heights = scores.heights
        count = min(_NEIGHBOURS, len(scan) - 1)
        distances, neighbours = _others(scan.points, count)
        self.areas = _areas(distances)
        self._edges, self._weights = _forest(self._scores, self.areas, distances, neighbours)

    def find(self, thresholds: Thresholds) -> Defects:
        """Mask, ids and defects at these thresholds, sorted by peak score."""
        with np.errstate(invalid="ignore"):
            mask = self._scores > thresholds.point
        ids = np.zeros(len(mask), dtype=np.int32)
        nodes = np.flatnonzero(mask)
        if len(nodes) == 0:
            return Defects(mask, ids, ())
        labels, groups = self._components(nodes, thresholds.point)
        counts = np.bincount(labels, minlength=groups)
        areas = np.bincount(labels, weights=self.areas[nodes], minlength=groups)
        kept = (counts >= max(1, thresholds.min_points)) & (areas >= thresholds.min_area)
        if not kept.any():
            return Defects(mask, ids, ())
        peaks = np.full(groups, -np.inf, dtype=np.float32)
        np.maximum.at(peaks, labels, self._scores[nodes])
        ranked = np.lexsort((np.arange(groups), -peaks, ~kept))[: int(kept.sum())]
        renumber = np.zeros(groups, dtype=np.int32)
        renumber[ranked] = np.arange(1, len(ranked) + 1)
        ids[nodes] = renumber[labels]
        return Defects(mask, ids, self._measure(ids, nodes, thresholds.point))

    def _components(self, nodes: NDArray[np.int64], threshold: float) -> tuple[NDArray[np.int32], int]:
        """Component of each marked point, and how many there are."""
        used = int(np.searchsorted(-self._weights, -np.float32(threshold), side="left"))
        place = np.empty(len(self._scores), dtype=np.int32)
        place[nodes] = np.arange(len(nodes), dtype=np.int32)
        ends = place[self._edges[:, :used]]
        graph = coo_array((np.ones(used, dtype=np.int8), (ends[0], ends[1])), shape=(len(nodes), len(nodes)))
        groups, labels = connected_components(graph, directed=False)
        return labels, groups

    def _measure(self, ids: NDArray[np.int32], nodes: NDArray[np.int64], threshold: float) -> tuple[Defect, ...]:
        """The defects of the points ``nodes``, those with id 0 left out."""
        of = ids[nodes]
        order = np.argsort(of, kind="stable")
        order = order[np.searchsorted(of[order], 1) :]
        members = nodes[order]
        group = of[order] - 1
        starts = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
        counts = np.diff(np.append(starts, len(group)))

        scores = self._scores[members].astype(np.float64)
        points = self._points[members].T.astype(np.float64)  # (3, n): one axis after the other is summed faster
        areas = self.areas[members]
        excess = np.minimum(scores - threshold, np.finfo(np.float32).max)
        excess /= np.repeat(np.maximum.reduceat(excess, starts), counts)  # scores may be of any size
        weight = np.add.reduceat(excess, starts)
        position = (np.add.reduceat(points * excess, starts, axis=1) / weight).T
        low, high = np.minimum.reduceat(points, starts, axis=1).T, np.maximum.reduceat(points, starts, axis=1).T

        height = volume = None
        if self._heights is not None:
            heights = self._heights[members].astype(np.float64)
            top, bottom = np.fmax.reduceat(heights, starts), np.fmin.reduceat(heights, starts)
            height = np.where(top >= -bottom, top, bottom)
            volume = np.add.reduceat(np.where(np.isfinite(heights), heights, 0.0) * areas, starts)

        extent = _extents(points, starts, counts)
        bounds = np.stack([low, high], axis=1)
        total = np.add.reduceat(areas, starts).tolist()
        peak = np.maximum.reduceat(scores, starts).tolist()
        mean = (np.add.reduceat(scores, starts) / counts).tolist()
        return tuple(
            Defect(
                id=i + 1,
                points=int(counts[i]),
                position=position[i],
                extent=extent[i],
                bounds=bounds[i],
                area=total[i],
                peak=peak[i],
                mean=mean[i],
                height=None if height is None or not np.isfinite(height[i]) else float(height[i]),
                volume=None if volume is None else float(volume[i]),
            )
            for i in range(len(starts))
        )


def _others(points: NDArray[np.float32], count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Distances and indices (N, count) of each point's nearest other points."""
    distances, neighbours = nearest(points, points, count + 1)
    # Among points at the same place the point itself need not come first.
    itself = neighbours == np.arange(len(points))[:, None]
    itself[~itself.any(axis=1), -1] = True
    shape = (len(points), count)
    return distances[~itself].reshape(shape), neighbours[~itself].reshape(shape)


def _areas(distances: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N,) surface that each point stands for: the sum of pi r_k^2 over the sum of k, for the 4th to 8th neighbour.

    For points strewn evenly at random the disc to the k-th other point holds k points' area in the mean, so this is
    free of bias; on a square lattice it reads 6 % low, on a hexagonal one 9 % high.
    """
    if distances.shape[1] == 0:
        return np.zeros(len(distances))
    ranks = np.arange(1, distances.shape[1] + 1)
    chosen = _AREA_RANKS if len(ranks) >= _AREA_RANKS.stop else slice(None)
    squares = (distances[:, chosen].astype(np.float64) ** 2).sum(axis=1)
    result: NDArray[np.float64] = np.pi * squares / ranks[chosen].sum()
    return result


def _forest(
    scores: NDArray[np.float32],
    areas: NDArray[np.float64],
    distances: NDArray[np.float32],
    neighbours: NDArray[np.int64],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Edges (2, E) of the maximum spanning forest and their weights (E,), highest first."""
    count, width = neighbours.shape
    start = np.repeat(np.arange(count, dtype=np.int32), width)
    end = neighbours.ravel().astype(np.int32)
    length = distances.ravel()
    judged = np.isfinite(scores) | (scores == np.inf)
    spacing = np.sqrt(areas).astype(np.float32)
    limit = _REACH * np.minimum(spacing[start], spacing[end])
    used = (length <= limit) & judged[start] & judged[end]
    start, end = start[used], end[used]
    # An edge may come from both of its ends; of such twins one is kept, for a sparse matrix adds them up.
    low, high = np.minimum(start, end), np.maximum(start, end)
    _, unique = np.unique(low.astype(np.int64) * count + high, return_index=True)
    low, high = low[unique], high[unique]
    weights = np.minimum(scores[low], scores[high])
    # The tree depends on the order of the weights only; ranks avoid zeros and negatives, which a sparse graph drops.
    order = np.argsort(-weights, kind="stable")
    rank = np.empty(len(order), dtype=np.float64)
    rank[order] = np.arange(1, len(order) + 1)
    tree = minimum_spanning_tree(coo_array((rank, (low, high)), shape=(count, count)).tocsr()).tocoo()
    chosen = order[np.sort(tree.data).astype(np.int64) - 1]
    return np.stack([low[chosen], high[chosen]]), weights[chosen]


def _extents(points: NDArray[np.float64], starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(D, 3) sizes of each group of points (3, n) along its principal axes, longest first; 0 where flat."""
    x, y, z = points - np.repeat(np.add.reduceat(points, starts, axis=1) / counts, counts, axis=1)
    xx, xy, xz, yy, yz, zz = (np.add.reduceat(p, starts) for p in (x * x, x * y, x * z, y * y, y * z, z * z))
    _, axes = np.linalg.eigh(np.stack([xx, xy, xz, xy, yy, yz, xz, yz, zz], axis=1).reshape(-1, 3, 3))
    sizes = []
    for axis in np.moveaxis(axes, 2, 0):
        a, b, c = np.repeat(axis.T, counts, axis=1)
        along = x * a + y * b + z * c
        sizes.append(np.maximum.reduceat(along, starts) - np.minimum.reduceat(along, starts))
    result: NDArray[np.float64] = -np.sort(-np.stack(sizes, axis=1), axis=1)
    return np.where(result > _ROUNDING * result[:, :1], result, 0.0)
