"""Plain versions that operations are held against: as one would write them with NumPy, SciPy, scikit-learn, open3d."""

from __future__ import annotations

import numpy as np
import open3d as o3d
from scipy.spatial import cKDTree
from sklearn.cluster import DBSCAN


def farthest(points: np.ndarray, count: int) -> np.ndarray:
    """NumPy: one pass over all points for each chosen one."""
    distance, chosen = np.full(len(points), np.inf, np.float32), [0]
    for _ in range(count - 1):
        np.minimum(distance, np.square(points - points[chosen[-1]]).sum(axis=1), out=distance)
        chosen.append(int(distance.argmax()))
    return np.array(chosen)


def nearest(points: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """SciPy's tree, on one core."""
    found: np.ndarray = cKDTree(points).query(queries, k=k)[1]
    return found


def within(points: np.ndarray, radius: float) -> object:
    """SciPy's tree: all neighbours within a radius, as lists."""
    return cKDTree(points).query_ball_point(points, radius)


def voxels(points: np.ndarray, size: float) -> object:
    """NumPy: distinct rows of voxel numbers."""
    return np.unique(np.floor((points - points.min(axis=0)) / size).astype(np.int64), axis=0, return_inverse=True)


def interpolated(values: np.ndarray, centers: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """SciPy's tree and NumPy: three nearest, weighted by inverse squared distance."""
    distances, indices = cKDTree(centers).query(queries, k=3)
    weights = 1 / (distances**2 + 1e-8)
    mixed: np.ndarray = (values[indices] * (weights / weights.sum(axis=1, keepdims=True))[..., None]).sum(axis=1)
    return mixed


def clustered(points: np.ndarray, radius: float, least: int) -> object:
    """scikit-learn's DBSCAN."""
    return DBSCAN(eps=radius, min_samples=least).fit(points)


def cloud(points: np.ndarray, normals: np.ndarray | None = None) -> o3d.geometry.PointCloud:
    """The points as open3d has them."""
    made = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points.astype(np.float64)))
    if normals is not None:
        made.normals = o3d.utility.Vector3dVector(normals.astype(np.float64))
    return made


def normals(points: np.ndarray, k: int) -> object:
    """open3d's."""
    return cloud(points).estimate_normals(o3d.geometry.KDTreeSearchParamKNN(k))


def fpfh(points: np.ndarray, of: np.ndarray, radius: float) -> object:
    """open3d's, which describes every point."""
    search = o3d.geometry.KDTreeSearchParamHybrid(radius, 100)
    return o3d.pipelines.registration.compute_fpfh_feature(cloud(points, of), search)


def outliers(points: np.ndarray) -> object:
    """open3d's."""
    return cloud(points).remove_statistical_outlier(20, 2.0)
