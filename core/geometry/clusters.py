"""Density clusters."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from core.geometry.checks import as_points
from core.geometry.voxels import number_cells

_PAIRS_AT_ONCE = 4_000_000


def dbscan(points: NDArray[np.float32], eps: float, min_points: int) -> NDArray[np.int64]:
    """DBSCAN (Ester et al. 1996), exact, and fast where points are much denser than ``eps``.

    Points in one cube of side eps / sqrt(3) are neighbours of each other, so that whole cubes are joined instead of
    points (Gunawan 2013; Gan & Tao 2015).

    Parameters
    ----------
    points : (N, 3) float32
    eps : float
        Neighbours are at most this far apart; above 0.
    min_points : int
        A core point has this many neighbours, itself among them.

    Returns
    -------
    (N,) int64
        The cluster of each point, numbered by their first core point; -1 is noise. A border point belongs to the
        lowest-numbered cluster in reach.

    Raises
    ------
    ValueError
        If ``eps`` or ``min_points`` is out of range.
    """
    points = as_points(points)
    if not eps > 0 or min_points < 1:
        raise ValueError(f"eps = {eps} must be above 0 and min_points = {min_points} at least 1")
    labels = np.full(len(points), -1, np.int64)
    if len(points) == 0:
        return labels
    exact = points.astype(np.float64)
    cells, cell, counts = _cells(exact, eps / math.sqrt(3.0) * (1 - 1e-9))
    core = counts[cell] >= min_points
    doubtful = np.flatnonzero(~core)
    if len(doubtful):
        near = cKDTree(exact).query_ball_point(exact[doubtful], eps, return_length=True, workers=-1)
        core[doubtful] = near >= min_points
    if not core.any():
        return labels
    kernel = exact[core]
    kept, cell_of_core = np.unique(cell[core], return_inverse=True)
    components = _joined(kernel, cells[kept], cell_of_core, eps)[cell_of_core]
    _, first, inverse = np.unique(components, return_index=True, return_inverse=True)
    labels[core] = np.argsort(np.argsort(first))[inverse]
    border = np.flatnonzero(~core)
    if len(border):
        # A point that is no core has fewer than min_points neighbours, so that these few are all.
        reach, found = cKDTree(kernel).query(
            exact[border],
            k=list(range(1, min(max(min_points - 1, 1), len(kernel)) + 1)),
            distance_upper_bound=np.nextafter(eps, np.inf),
            workers=-1,
        )
        names = np.append(labels[core], np.iinfo(np.int64).max)[found]  # scipy gives the index len(kernel) for none
        labels[border] = np.where(np.isfinite(reach[:, 0]), names.min(axis=1), -1)
    return labels


def largest_cluster(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) True on the points of the cluster with most points; all False where all is noise."""
    found = labels[labels >= 0]
    if len(found) == 0:
        return np.zeros(len(labels), bool)
    return labels == np.bincount(found).argmax()


def _cells(points: NDArray[np.float64], side: float) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(V, 3) integer coordinates of the occupied cubes, the cube of each point, the points of each cube."""
    places = np.floor(np.minimum((points - points.min(axis=0)) / side, 2.0**52)).astype(np.int64)
    inverse, counts = number_cells(places)
    cells = np.empty((len(counts), 3), np.int64)
    cells[inverse] = places
    return cells, inverse, counts


def _joined(
    kernel: NDArray[np.float64], cells: NDArray[np.int64], cell: NDArray[np.int64], eps: float
) -> NDArray[np.int64]:
    """The component of each cube, where two cubes are joined if any two of their points are within ``eps``."""
    number = len(cells)
    pairs = cKDTree(cells).query_pairs(2.5, p=np.inf, output_type="ndarray")
    order = np.argsort(cell, kind="stable")
    counts = np.bincount(cell, minlength=number)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    someone = kernel[order[starts]]
    close = np.linalg.norm(someone[pairs[:, 0]] - someone[pairs[:, 1]], axis=1) <= eps
    edges, open_pairs = pairs[close], pairs[~close]
    components = _components(edges, number)
    while True:  # only pairs that would still join something are looked at point by point
        open_pairs = open_pairs[components[open_pairs[:, 0]] != components[open_pairs[:, 1]]]
        if len(open_pairs) == 0:
            return components
        work = np.cumsum(counts[open_pairs[:, 0]] * counts[open_pairs[:, 1]])
        now = max(1, int(np.searchsorted(work, _PAIRS_AT_ONCE)))
        touching = _touching(kernel[order], starts, counts, open_pairs[:now], eps)
        edges = np.concatenate([edges, open_pairs[:now][touching]])
        open_pairs = open_pairs[now:]
        components = _components(edges, number)


def _touching(
    kernel: NDArray[np.float64],
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    pairs: NDArray[np.int64],
    eps: float,
) -> NDArray[np.bool_]:
    """Whether any two points of each pair of cubes are within ``eps``; all combinations laid out in one row."""
    second = counts[pairs[:, 1]]
    sizes = counts[pairs[:, 0]] * second
    pair = np.repeat(np.arange(len(pairs)), sizes)
    place = np.arange(len(pair)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    a = kernel[starts[pairs[pair, 0]] + place // second[pair]]
    b = kernel[starts[pairs[pair, 1]] + place % second[pair]]
    near = np.einsum("ij,ij->i", a - b, a - b) <= eps * eps
    return np.bincount(pair, near, minlength=len(pairs)) > 0


def _components(edges: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    graph = coo_matrix((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), shape=(number, number))
    return connected_components(graph, directed=False)[1].astype(np.int64)
