"""Which side of a surface is outside: normals of one sign, so that above and below mean the same all over a part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.geometry.neighbors import nearest
from core.geometry.voxels import voxel_grid
from core.scan import Scan

_COARSE = 6_000


def outward(scan: Scan) -> NDArray[np.float32] | None:
    """(N, 3) a rough outward direction of each point, as far as the scan itself tells: not unit length.

    Normals that the file holds are taken as they are. An organised scan was seen from one side: from the origin if
    the whole scan lies in front of it (camera coordinates), else from above (height maps). Otherwise None.
    """
    if scan.normals is not None:
        return scan.normals
    if not scan.organised:
        return None
    z = scan.points[:, 2]
    if min(abs(float(z.min())), abs(float(z.max()))) > float(np.ptp(z)):
        return -scan.points
    return np.broadcast_to(np.array([0, 0, 1], np.float32), scan.points.shape)


def oriented(
    points: NDArray[np.float32], normals: NDArray[np.float32], hints: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """``normals`` turned to the outside.

    Parameters
    ----------
    points, normals : (N, 3) float32
    hints : (N, 3) float32, optional
        Rough outward directions. Without them neighbouring normals are made alike along a spanning tree (Hoppe et
        al.: *Surface reconstruction from unorganized points*, SIGGRAPH 1992) of a thinned cloud, and most of them
        turned away from the centroid.

    Returns
    -------
    (N, 3) float32
    """
    if hints is None:
        hints = _consistent(points, normals)
    against = np.einsum("ij,ij->i", normals, hints) < 0
    return np.where(against[:, None], -normals, normals)


def _consistent(points: NDArray[np.float32], normals: NDArray[np.float32]) -> NDArray[np.float32]:
    import open3d as o3d

    side = float(np.linalg.norm(np.ptp(points, axis=0))) / 60
    for _ in range(3):
        side *= float(np.sqrt(len(voxel_grid(points, side).points) / _COARSE))
    centers = voxel_grid(points, side).points if len(points) > _COARSE else points
    _, own = nearest(points, centers, 1)
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(centers.astype(np.float64)))
    cloud.normals = o3d.utility.Vector3dVector(normals[own[:, 0]].astype(np.float64))
    if len(centers) > 10:
        cloud.orient_normals_consistent_tangent_plane(min(15, len(centers) - 1))
    coarse = np.asarray(cloud.normals, dtype=np.float32)
    away = np.einsum("ij,ij->i", coarse, centers - centers.mean(axis=0))
    if away.sum() < 0:
        coarse = -coarse
    _, near = nearest(centers, points, 1)
    return coarse[near[:, 0]]
