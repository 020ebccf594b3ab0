"""Nearest neighbours and ball queries, exact."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from core.geometry.checks import as_points, on_cuda
from core.geometry.ordering import along_curve, scattered
from core.runtime import Runtime, in_chunks

_CUDA_PAIRS = 2e11
"""Up to this many point pairs, comparing all of them on CUDA beats a tree on the CPU."""


def nearest(
    points: NDArray[np.float32],
    queries: NDArray[np.float32],
    k: int,
    *,
    runtime: Runtime | None = None,
    workers: int = -1,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The ``k`` points nearest to each query.

    Parameters
    ----------
    points : (N, 3) float32
    queries : (Q, 3) float32
        May be empty.
    k : int
        1 to N. A query that is itself one of ``points`` finds itself (or a copy) first.
    runtime : Runtime, optional
        Where to compute; the CPU if not given.
    workers : int
        Threads of the CPU search, -1 for all cores.

    Returns
    -------
    distances : (Q, k) float32
        Ascending.
    indices : (Q, k) int64
        Among equally near points the order is not defined, but always the same.

    Raises
    ------
    ValueError
        If ``k`` is not 1 to N.
    """
    points, queries = as_points(points), as_points(queries, "queries")
    if not 1 <= k <= len(points):
        raise ValueError(f"{k} nearest of {len(points)} points were asked for")
    if len(queries) == 0:
        return np.empty((0, k), np.float32), np.empty((0, k), np.int64)
    if on_cuda(runtime) and len(points) * len(queries) <= _CUDA_PAIRS:
        assert runtime is not None
        return _by_comparing_all(points, queries, k, runtime)
    return _by_tree(points, queries, k, workers)


def _by_tree(
    points: NDArray[np.float32], queries: NDArray[np.float32], k: int, workers: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    names = back = None
    asked = queries
    many = 4 * len(queries) > len(points)  # else building the tree is most of the work
    if many and scattered(points):  # a third of the time at 500,000 points, because the search finds them in the cache
        names = along_curve(points)
    if queries is points and names is not None:
        back, asked = names, points[names]
    elif scattered(queries):
        back = along_curve(queries)
        asked = queries[back]
    tree = cKDTree(points if names is None else points[names], balanced_tree=many, compact_nodes=many)
    near, found = tree.query(asked, k=[1] if k == 1 else k, workers=workers)
    if names is not None:
        found = names[found]
    if back is None:
        return near.astype(np.float32), found.astype(np.int64, copy=False)
    distances, indices = np.empty(near.shape, np.float32), np.empty(found.shape, np.int64)
    distances[back], indices[back] = near, found
    return distances, indices


def _by_comparing_all(
    points: NDArray[np.float32], queries: NDArray[np.float32], k: int, runtime: Runtime
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    distances = np.empty((len(queries), k), np.float32)
    indices = np.empty((len(queries), k), np.int64)
    cloud = torch.from_numpy(points).to(runtime.device)
    asked = torch.from_numpy(queries).to(runtime.device)

    def work(rows: slice) -> None:
        found = nearest_batch(cloud[None], asked[None, rows], k)
        distances[rows], indices[rows] = found[0][0].cpu().numpy(), found[1][0].cpu().numpy()

    in_chunks(len(queries), runtime.rows_per_chunk(12 * len(points)), work)
    return distances, indices


def nearest_batch(points: torch.Tensor, queries: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """``nearest`` for a batch of clouds on their device, all pairs at once: mind the (B, Q, N) memory.

    Parameters
    ----------
    points : (B, N, 3) floating
    queries : (B, Q, 3) floating
    k : int
        1 to N.

    Returns
    -------
    distances : (B, Q, k) floating, ascending
    indices : (B, Q, k) int64
    """
    # The |a|^2 + |b|^2 - 2ab form is faster, and reorders near ties: differences it is.
    distances = torch.cdist(queries, points, compute_mode="donot_use_mm_for_euclid_dist")
    found = distances.topk(k, dim=2, largest=False, sorted=True)
    return found.values, found.indices


def ball(
    points: NDArray[np.float32],
    queries: NDArray[np.float32],
    radius: float,
    max_neighbors: int | None = None,
    *,
    runtime: Runtime | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The points nearer than ``radius`` to each query, nearest first.

    Parameters
    ----------
    points : (N, 3) float32
    queries : (Q, 3) float32
    radius : float
        Above 0; a point exactly at the radius (to float32 rounding) does not count.
    max_neighbors : int, optional
        Keep only this many nearest of each query; all if not given.
    runtime : Runtime, optional
        Accepted for symmetry; the search runs on the CPU, where a tree beats comparing all pairs.

    Returns
    -------
    offsets : (Q + 1,) int64
        The neighbours of query q lie at ``offsets[q]:offsets[q + 1]``.
    indices : (M,) int64
    distances : (M,) float32

    Raises
    ------
    ValueError
        If ``radius`` or ``max_neighbors`` is not positive.
    """
    points, queries = as_points(points), as_points(queries, "queries")
    if not radius > 0 or (max_neighbors is not None and max_neighbors < 1):
        raise ValueError(f"radius {radius} and max_neighbors {max_neighbors} must be above 0")
    if len(points) == 0 or len(queries) == 0:
        return np.zeros(len(queries) + 1, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    o3c: Any = import_module("open3d.core")
    back = along_curve(queries) if scattered(queries) else np.arange(len(queries))
    asked = o3c.Tensor(np.ascontiguousarray(queries[back]))
    search = o3c.nns.NearestNeighborSearch(o3c.Tensor(points))
    if max_neighbors is None:
        search.fixed_radius_index(radius)
        found = search.fixed_radius_search(asked, radius, sort=True)
        indices, squared, ends = (part.numpy() for part in found)
        counts, flat, gaps = np.diff(ends), indices, np.sqrt(squared)
    else:
        search.hybrid_index(radius)
        found = search.hybrid_search(asked, radius, min(max_neighbors, len(points)))
        table, squared, counts = (part.numpy() for part in found)
        kept = np.arange(table.shape[1]) < counts[:, None]
        flat, gaps = table[kept], np.sqrt(squared[kept])
    offsets = np.zeros(len(queries) + 1, np.int64)
    offsets[back + 1] = counts
    np.cumsum(offsets, out=offsets)
    # From the order that was searched to the order that was asked.
    starts = np.cumsum(counts) - counts
    place = np.repeat(offsets[back] - starts, counts) + np.arange(len(flat))
    found_indices, found_distances = np.empty(len(flat), np.int64), np.empty(len(flat), np.float32)
    found_indices[place], found_distances[place] = flat, gaps
    return offsets, found_indices, found_distances


def spacing(points: NDArray[np.float32], sample: int = 2000) -> float:
    """Median distance of a point to its nearest other point, looked at on ``sample`` points spread over the order.

    Copies of a point count as distance 0 only if most points have copies. A cloud of fewer than two points has
    spacing 0.
    """
    points = as_points(points)
    if len(points) < 2:
        return 0.0
    picked = np.unique(np.linspace(0, len(points) - 1, min(sample, len(points))).astype(np.int64))
    distances, _ = nearest(points, points[picked], 2)
    return float(np.median(distances[:, 1]))
