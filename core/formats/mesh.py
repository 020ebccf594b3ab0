"""Triangle meshes as scans: points drawn evenly over the surface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ScanError
from core.formats.limits import check_points
from core.formats.raw import RawScan


@dataclass(frozen=True)
class MeshSampling:
    """How many points to draw from a mesh, and with which seed."""

    points: int = 200_000
    seed: int = 0


@dataclass(frozen=True)
class Mesh:
    """Vertices (V, 3), triangles (F, 3) by vertex index, and what the vertices carry."""

    vertices: NDArray[Any]
    triangles: NDArray[np.int64]
    colors: NDArray[Any] | None = None
    labels: NDArray[Any] | None = None


def sample_mesh(mesh: Mesh, sampling: MeshSampling, path: Path) -> RawScan:
    """Points spread evenly over the surface, each with its triangle's normal.

    The surface is cut into as many pieces of equal area as points are wanted, one point drawn in each (stratified along
    the running area, then uniform in the triangle: Osada et al., *Shape Distributions*, 2002, eq. 1).

    Raises
    ------
    ScanError
        If the mesh has no area.
    """
    check_points(path, sampling.points)
    corners = mesh.vertices[mesh.triangles].astype(np.float64)  # (F, 3, 3)
    with np.errstate(all="ignore"):
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        double_area = np.sqrt(np.einsum("ij,ij->i", normals, normals))
    usable = np.isfinite(double_area) & (double_area > 0)
    if not usable.any():
        raise ScanError(f"{path} is a mesh of {len(corners):,} triangles without any area", "Export the mesh again")
    triangles = np.flatnonzero(usable)
    share = np.cumsum(double_area[triangles] / double_area[triangles].max())
    rng = np.random.default_rng(sampling.seed)
    at = (np.arange(sampling.points) + rng.random(sampling.points)) / sampling.points * share[-1]
    chosen = triangles[np.minimum(np.searchsorted(share, at, side="right"), len(triangles) - 1)]
    root, second = np.sqrt(rng.random(sampling.points)), rng.random(sampling.points)
    weights = np.stack([1 - root, root * (1 - second), root * second], axis=1)
    points = np.einsum("pc,pcd->pd", weights, corners[chosen])
    drawn = f"{sampling.points:,} points drawn evenly from a mesh of {len(mesh.triangles):,} triangles"
    notes = [f"{drawn}, seed {sampling.seed}"]
    dropped = len(corners) - len(triangles)
    if dropped:
        notes.append(f"{dropped:,} triangles without area were left out")
    colors = labels = None
    nearest = mesh.triangles[chosen, np.argmax(weights, axis=1)]
    if mesh.colors is not None:
        colors = np.einsum("pc,pcd->pd", weights, mesh.colors[mesh.triangles[chosen]].astype(np.float64))
        if mesh.colors.dtype.kind in "iu":
            colors = np.round(colors).astype(mesh.colors.dtype)
    if mesh.labels is not None:
        labels = mesh.labels[nearest]
    return RawScan(points, normals[chosen] / double_area[chosen, None], colors, labels, notes=notes)
