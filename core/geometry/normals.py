"""Surface normals by local principal components."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from core.geometry.checks import as_points, on_cuda
from core.geometry.neighbors import nearest_batch
from core.geometry.ordering import along_curve, scattered
from core.runtime import Runtime, in_chunks


def estimate_normals(
    points: NDArray[np.float32],
    *,
    radius: float | None = None,
    k: int = 30,
    viewpoint: ArrayLike | None = None,
    runtime: Runtime | None = None,
) -> NDArray[np.float32]:
    """The direction in which each point's neighbourhood is thinnest: the last principal axis of its covariance.

    Parameters
    ----------
    points : (N, 3) float32
    radius : float, optional
        Neighbours lie within it; without limit if not given.
    k : int
        At most this many nearest neighbours, the point itself among them; at least 3, more than N means N.
    viewpoint : (3,), optional
        Normals are turned towards it. If not given their sign is arbitrary, but the same on every run.
    runtime : Runtime, optional
        Where to compute; the CPU if not given.

    Returns
    -------
    (N, 3) float32
        Unit length. Where fewer than three neighbours are found: (0, 0, 1).

    Raises
    ------
    ValueError
        If ``k`` is below 3 or ``radius`` is not above 0.
    """
    points = as_points(points)
    if k < 3 or (radius is not None and not radius > 0):
        raise ValueError(f"k = {k} must be at least 3 and radius {radius} above 0")
    if len(points) < 3:
        return np.tile(np.array([0, 0, 1], np.float32), (len(points), 1))
    k = min(k, len(points))
    centered = points - points.mean(axis=0, dtype=np.float64).astype(np.float32)
    if on_cuda(runtime):
        assert runtime is not None
        normals = _by_torch(centered, radius, k, runtime)
    elif scattered(centered):
        order = along_curve(centered)
        normals = np.empty_like(points)
        normals[order] = _by_open3d(centered[order], radius, k)
    else:
        normals = _by_open3d(centered, radius, k)
    if viewpoint is not None:
        towards = np.asarray(viewpoint, np.float32) - points
        normals[np.einsum("ij,ij->i", normals, towards) < 0] *= -1
    return normals


def _by_open3d(points: NDArray[np.float32], radius: float | None, k: int) -> NDArray[np.float32]:
    o3d: Any = import_module("open3d")
    # Brought to unit size: open3d takes the covariances of clouds in small units (metres) for degenerate ones.
    size = float(np.abs(points).max()) or 1.0
    cloud = o3d.t.geometry.PointCloud(o3d.core.Tensor(points / np.float32(size)))
    cloud.estimate_normals(max_nn=k, radius=None if radius is None else radius / size)
    normals = np.array(cloud.point.normals.numpy(), np.float32)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(lengths > 0.5, normals / np.maximum(lengths, 1e-30), np.array([0, 0, 1], np.float32))


def _by_torch(points: NDArray[np.float32], radius: float | None, k: int, runtime: Runtime) -> NDArray[np.float32]:
    cloud = torch.from_numpy(points).to(runtime.device)
    normals = np.empty_like(points)

    def work(rows: slice) -> None:
        distances, found = (part[0] for part in nearest_batch(cloud[None], cloud[None, rows], k))
        near = torch.ones_like(distances) if radius is None else (distances < radius).float()
        count = near.sum(dim=1)
        around = cloud[found].double()
        weights = (near / count[:, None]).double()
        offsets = around - (around * weights[..., None]).sum(dim=1, keepdim=True)
        covariances = torch.einsum("nk,nki,nkj->nij", weights, offsets, offsets)
        axes = torch.linalg.eigh(covariances).eigenvectors[..., 0].float()
        axes[count < 3] = torch.tensor([0.0, 0.0, 1.0], device=axes.device)
        normals[rows] = axes.cpu().numpy()

    in_chunks(len(points), runtime.rows_per_chunk(12 * len(points) + 200 * k), work)
    return normals
