"""Fast point feature histograms (Rusu et al. 2009), where they are asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.geometry.checks import as_points
from core.runtime import Runtime


def fpfh(
    points: NDArray[np.float32],
    normals: NDArray[np.float32],
    queries_index: NDArray[np.int64],
    radius: float,
    max_neighbors: int = 100,
    *,
    runtime: Runtime | None = None,
) -> NDArray[np.float32]:
    """Descriptors of the points ``queries_index``."""
    import open3d as o3d

    points, normals = as_points(points), as_points(normals, "normals")
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points.astype(np.float64)))
    cloud.normals = o3d.utility.Vector3dVector(normals.astype(np.float64))
    found = o3d.pipelines.registration.compute_fpfh_feature(
        cloud, o3d.geometry.KDTreeSearchParamHybrid(radius, max_neighbors), [int(i) for i in queries_index]
    )
    return np.ascontiguousarray(np.asarray(found.data).T, dtype=np.float32)
