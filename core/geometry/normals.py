"""Surface normals by local principal components."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.checks import as_points
from core.runtime import Runtime


def estimate_normals(
    points: NDArray[np.float32],
    *,
    radius: float | None = None,
    k: int = 30,
    viewpoint: ArrayLike | None = None,
    runtime: Runtime | None = None,
) -> NDArray[np.float32]:
    """The direction in which each point's neighbourhood is thinnest.

    Parameters
    ----------
    points : (N, 3) float32
    radius : float, optional
        Neighbours lie within it; without limit if not given.
    k : int
        At most this many nearest neighbours, the point itself among them; at least 3, more than N means N.
    viewpoint : (3,), optional
        Normals are turned towards it. If not given their sign is arbitrary.

    Returns
    -------
    (N, 3) float32
        Unit length. Where fewer than three neighbours are found: (0, 0, 1).
    """
    points = as_points(points)
    if k < 3 or (radius is not None and not radius > 0):
        raise ValueError(f"k = {k} must be at least 3 and radius {radius} above 0")
    if len(points) < 3:
        return np.tile(np.float32([0, 0, 1]), (len(points), 1))
    import open3d as o3d

    cloud = o3d.t.geometry.PointCloud(o3d.core.Tensor(points - points.mean(axis=0)))
    cloud.estimate_normals(max_nn=min(k, len(points)), radius=radius)
    normals = cloud.point.normals.numpy().astype(np.float32)
    if viewpoint is not None:
        towards = np.asarray(viewpoint, np.float32) - points
        normals[np.einsum("ij,ij->i", normals, towards) < 0] *= -1
    return normals
