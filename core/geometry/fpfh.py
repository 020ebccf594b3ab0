"""Fast point feature histograms (Rusu, Blodow & Beetz 2009), only where they are asked for.

Every pair of a point and a neighbour is described by three angles in a frame set by one normal and the line between
them. The histogram of these over a neighbourhood is the point's simplified descriptor (SPFH); the FPFH is that plus
the neighbours' mean, weighted by 1 / d^2 as open3d does. So only the asked points and their neighbours need an SPFH.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.geometry.checks import as_points, on_cuda
from core.geometry.neighbors import nearest_batch
from core.geometry.ordering import along_curve, scattered
from core.runtime import Runtime, in_chunks

_BINS = 11


def fpfh(
    points: NDArray[np.float32],
    normals: NDArray[np.float32],
    queries_index: NDArray[np.int64],
    radius: float,
    max_neighbors: int = 100,
    *,
    runtime: Runtime | None = None,
) -> NDArray[np.float32]:
    """Descriptors of the points ``queries_index``, equal to open3d's ``compute_fpfh_feature``.

    Parameters
    ----------
    points : (N, 3) float32
    normals : (N, 3) float32
        Unit length. The descriptor depends on their signs: turn them consistently first.
    queries_index : (Q,) int
        Which points to describe.
    radius : float
        Of the neighbourhood (open); above 0.
    max_neighbors : int
        At most this many nearest, the point itself among them; at least 2.
    runtime : Runtime, optional
        Where to compute; the CPU if not given.

    Returns
    -------
    (Q, 33) float32
        Three blocks of 11 bins; each sums to 200 (100 own and 100 of the neighbours), to 0 for a point without
        neighbours.

    Raises
    ------
    ValueError
        If shapes do not match or a parameter is out of range.
    IndexError
        If an index is out of range.
    """
    points, normals = as_points(points), as_points(normals, "normals")
    queries = np.asarray(queries_index, np.int64)
    if len(points) != len(normals) or queries.ndim != 1:
        raise ValueError(f"{len(points)} points, {len(normals)} normals, queries of shape {queries.shape}")
    if not radius > 0 or max_neighbors < 2:
        raise ValueError(f"radius {radius} must be above 0 and max_neighbors {max_neighbors} at least 2")
    if len(queries) == 0:
        return np.empty((0, 3 * _BINS), np.float32)
    if queries.min() < 0 or queries.max() >= len(points):
        raise IndexError(f"queries {queries.min()} to {queries.max()} of {len(points)} points")
    if on_cuda(runtime):
        assert runtime is not None
        return _by_torch(points, normals, queries, radius, max_neighbors, runtime)
    if scattered(points):
        order = along_curve(points)
        place = np.empty(len(points), np.int64)
        place[order] = np.arange(len(points))
        return _by_open3d(points[order], normals[order], place[queries], radius, max_neighbors)
    return _by_open3d(points, normals, queries, radius, max_neighbors)


def _by_open3d(
    points: NDArray[np.float32],
    normals: NDArray[np.float32],
    queries: NDArray[np.int64],
    radius: float,
    max_neighbors: int,
) -> NDArray[np.float32]:
    o3d: Any = import_module("open3d")
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points.astype(np.float64)))
    cloud.normals = o3d.utility.Vector3dVector(normals.astype(np.float64))
    asked, inverse = np.unique(queries, return_inverse=True)  # ascending, which open3d answers in
    found = o3d.pipelines.registration.compute_fpfh_feature(
        cloud, o3d.geometry.KDTreeSearchParamHybrid(radius, max_neighbors), asked.tolist()
    )
    return np.asarray(found.data).T[inverse].astype(np.float32)


def _by_torch(
    points: NDArray[np.float32],
    normals: NDArray[np.float32],
    queries: NDArray[np.int64],
    radius: float,
    max_neighbors: int,
    runtime: Runtime,
) -> NDArray[np.float32]:
    device = runtime.device
    cloud = torch.from_numpy(points).to(device)
    directions = torch.from_numpy(normals).to(device)
    k = min(max_neighbors, len(points))
    asked = torch.from_numpy(queries).to(device)
    gaps, hoods = _hoods(cloud, asked, radius, k, runtime)
    needed = torch.unique(torch.cat([asked, hoods[torch.isfinite(gaps)]]))
    simple = torch.empty((len(needed), 3 * _BINS), device=device)

    def describe(rows: slice) -> None:
        some_gaps, some_hoods = _hoods(cloud, needed[rows], radius, k, runtime)
        simple[rows] = _simplified(cloud, directions, needed[rows], some_gaps, some_hoods)

    in_chunks(len(needed), runtime.rows_per_chunk(200 * k), describe)
    result = torch.empty((len(queries), 3 * _BINS), device=device)

    def gather(rows: slice) -> None:
        distance = gaps[rows, 1:].double()
        weights = torch.where((distance > 0) & torch.isfinite(distance), 1.0 / distance.square(), 0.0)
        members = torch.searchsorted(needed, torch.where(weights > 0, hoods[rows, 1:], asked[rows, None]))
        total = torch.einsum("qk,qkb->qb", weights, simple[members].double()).view(-1, 3, _BINS)
        sums = total.sum(dim=2, keepdim=True)
        total = torch.where(sums > 0, total * (100.0 / sums), 0.0).view(-1, 3 * _BINS)
        result[rows] = (total + simple[torch.searchsorted(needed, asked[rows])]).float()

    in_chunks(len(queries), runtime.rows_per_chunk(16 * 3 * _BINS * k), gather)
    return result.cpu().numpy()


def _hoods(
    cloud: torch.Tensor, which: torch.Tensor, radius: float, k: int, runtime: Runtime
) -> tuple[torch.Tensor, torch.Tensor]:
    """(Q, k) distances, infinite outside the radius, and indices; the first is the point itself or a copy."""
    gaps = torch.empty((len(which), k), device=cloud.device)
    hoods = torch.empty((len(which), k), dtype=torch.int64, device=cloud.device)

    def work(rows: slice) -> None:
        found, index = nearest_batch(cloud[None], cloud[None, which[rows]], k)
        gaps[rows] = torch.where(found[0] < radius, found[0], torch.inf)
        hoods[rows] = index[0]

    in_chunks(len(which), runtime.rows_per_chunk(12 * len(cloud)), work)
    return gaps, hoods


def _simplified(
    cloud: torch.Tensor, directions: torch.Tensor, which: torch.Tensor, gaps: torch.Tensor, hoods: torch.Tensor
) -> torch.Tensor:
    """(U, 33) histograms, each block summing to 100 where there are neighbours."""
    index, inside = hoods[:, 1:], torch.isfinite(gaps[:, 1:])
    angles = _pair_angles(
        cloud[which, None].double(), directions[which, None].double(), cloud[index].double(), directions[index].double()
    )
    low = torch.tensor([-torch.pi, -1.0, -1.0], dtype=torch.float64, device=cloud.device)
    span = torch.tensor([2 * torch.pi, 2.0, 2.0], dtype=torch.float64, device=cloud.device)
    bins = (_BINS * (angles - low) / span).floor().clamp_(0, _BINS - 1).long()
    bins += _BINS * torch.arange(3, device=cloud.device)
    counts = torch.zeros((len(which), 3 * _BINS), device=cloud.device)
    ones = inside.float()[..., None].expand(-1, -1, 3).reshape(len(which), -1)
    counts.scatter_add_(1, bins.view(len(which), -1), ones)  # whole numbers: the order of the sum does not matter
    return counts * (100.0 / inside.sum(dim=1).clamp(min=1))[:, None]


def _pair_angles(
    point: torch.Tensor, normal: torch.Tensor, other: torch.Tensor, other_normal: torch.Tensor
) -> torch.Tensor:
    """(..., 3) theta, alpha and phi of Rusu et al. 2009, eq. 1, zeros where undefined."""
    line = other - point
    length = line.norm(dim=-1, keepdim=True)
    line = line / length.clamp(min=1e-300)
    first, second = (normal * line).sum(dim=-1), (other_normal * line).sum(dim=-1)
    # The frame stands on the normal that makes the smaller angle with the line.
    swap = (first.abs() < second.abs())[..., None]
    base = torch.where(swap, other_normal, normal)
    far = torch.where(swap, normal, other_normal)
    line = torch.where(swap, -line, line)
    phi = torch.where(swap[..., 0], -second, first)
    v = torch.linalg.cross(line, base, dim=-1)
    size = v.norm(dim=-1, keepdim=True)
    v = v / size.clamp(min=1e-300)
    w = torch.linalg.cross(base.expand_as(v), v, dim=-1)
    theta = torch.atan2((w * far).sum(dim=-1), (base * far).sum(dim=-1))
    angles = torch.stack([theta, (v * far).sum(dim=-1), phi], dim=-1)
    return torch.where((length > 0) & (size > 0), angles, 0.0)
