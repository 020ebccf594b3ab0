"""From a scan to what both experts look at: the part alone, in millimetres, thinned, in its category's pose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ScanError
from core.geometry.alignment import CommonPose, fullest
from core.geometry.background import ForegroundPolicy
from core.geometry.gaps import GoodSurface
from core.geometry.normals import estimate_normals
from core.geometry.registration import transform_points
from core.geometry.units import UNITS_IN_MM
from core.geometry.usual_size import UsualSize
from core.geometry.voxels import voxel_grid, voxel_leaving
from core.pipelines.iaenet.config import IaenetConfig
from core.pipelines.state import below
from core.progress import Progress
from core.scan import Scan

Floats = NDArray[np.float32]

_LEAST = 16
"""Fewer points than this are no part."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A scan's part in the category's frame.

    Attributes
    ----------
    scan : Scan
    dense : (M, 3) float32
        All points of the part, in millimetres.
    cloud : (V, 3) float32
        These thinned: the mean of each voxel. Both experts judge these.
    inverse : (M,) int64
        The point of ``cloud`` that stands for each of ``dense``.
    rows : (M,) int64
        The scan's point that each of ``dense`` is.
    normals : (V, 3) float32
        Of ``cloud``, pointing away from its centroid.
    filling, filling_normals : (F, 3) float32
        Points that stand for what the scan did not measure, and their normals; only pictures and descriptors see them.
    transform : (4, 4) float64
        From the scan's own frame, in millimetres, to the category's.
    """

    scan: Scan
    dense: Floats
    cloud: Floats
    inverse: NDArray[np.int64]
    rows: NDArray[np.int64]
    normals: Floats
    filling: Floats
    filling_normals: Floats
    transform: NDArray[np.float64]

    def to_scan(self, values: NDArray[Any]) -> Floats:
        """(N,) float32 of (V,) ``values``; NaN where the scan does not show the part."""
        result = np.full(len(self.scan), np.nan, np.float32)
        result[self.rows] = values[self.inverse]
        return result

    def point_of(self, point: int) -> int | None:
        """The point of ``cloud`` that stands for a point of the scan; None on the background."""
        at = np.flatnonzero(self.rows == point)
        return int(self.inverse[at[0]]) if len(at) else None

    def moved(self, dense: Floats, neighbors: int) -> Prepared:
        """The same part with its points elsewhere; each point of ``cloud`` stands for the same ones."""
        counts = np.bincount(self.inverse, minlength=len(self.cloud))
        sums = [np.bincount(self.inverse, dense[:, axis], minlength=len(self.cloud)) for axis in range(3)]
        cloud = (np.stack(sums, axis=1) / counts[:, None]).astype(np.float32)
        normals = outward_normals(np.concatenate([cloud, self.filling]), neighbors)
        own, other = np.split(normals, [len(cloud)])
        return replace(self, dense=dense, cloud=cloud, normals=own, filling_normals=other)

    def to_scan_frame(self, points: Floats) -> Floats:
        """Points of the category's frame in the scan's own frame and unit."""
        back = transform_points(points, np.linalg.inv(self.transform).astype(np.float64))
        return back * np.float32(1.0 / UNITS_IN_MM[self.scan.unit])


@dataclass(frozen=True, eq=False)
class Frame:
    """How the scans of a category are prepared; decided once, on the good ones.

    Attributes
    ----------
    policy : ForegroundPolicy
    voxel : float
        Side of the voxels in millimetres; 0 keeps every point.
    size : UsualSize
        Of the good parts, in millimetres.
    neighbors : int
        Points that make a normal.
    pose : CommonPose
        Where scans are aligned, if they are.
    surface : GoodSurface, or None where gaps are not filled
    """

    policy: ForegroundPolicy
    voxel: float
    size: UsualSize
    neighbors: int
    pose: CommonPose
    surface: GoodSurface | None = None

    @classmethod
    def learn(
        cls, scans: Sequence[Scan], config: IaenetConfig, seed: int, progress: Progress
    ) -> tuple[Frame, list[Prepared], int]:
        """Decide for a category; gives the frame, its good scans in it, and the number of the reference scan.

        Raises
        ------
        ScanError, RegistrationError
        """
        progress.update(0.0, "separating parts from their background")
        policy = ForegroundPolicy.learn(scans, config.background, seed)
        parts, rows = [], []
        for scan in progress.part(0.0, 0.2).over(scans, "background {i} of {n}"):
            kept, part = _part(scan, policy)
            rows.append(kept)
            parts.append(part)
        size = UsualSize.of(parts, "mm")
        voxel = 0.0 if config.voxel_points == 0 else voxel_leaving(parts, size.diagonal, config.voxel_points)
        clouds = [_thinned(part, voxel)[0] for part in parts]
        pose, transforms = CommonPose.learn(clouds, config.align, seed, progress.part(0.2, 0.7, "aligning scans"))
        frame = cls(policy, voxel, size, config.normal_neighbors, pose)
        prepared = [
            frame._made(scans[i], parts[i], rows[i], transforms[i])
            for i in progress.part(0.7, 0.9).over(range(len(scans)), "normals of scan {i} of {n}")
        ]
        if config.fill_gaps and pose.reference is not None:
            surface = GoodSurface.learn([one.cloud for one in prepared], voxel)
            frame = replace(frame, surface=surface)
            prepared = [frame._filled(one) for one in progress.part(0.9, 1.0).over(prepared, "gaps of scan {i} of {n}")]
        return frame, prepared, fullest(clouds)

    def prepare(self, scan: Scan) -> Prepared:
        """``scan`` in this frame.

        Raises
        ------
        ScanError
            If it is of another size than the good scans, or shows too little.
        RegistrationError
            If it cannot be aligned.
        """
        rows, part = _part(scan, self.policy)
        name = scan.source or scan.name
        self.size.check(part, name)
        transform = np.eye(4)
        if self.pose.reference is not None:
            transform = self.pose.find(_thinned(part, self.voxel)[0], name)
        return self._made(scan, part, rows, transform)

    def _made(self, scan: Scan, part: Floats, rows: NDArray[np.int64], transform: NDArray[np.float64]) -> Prepared:
        dense = transform_points(part, transform)
        cloud, inverse = _thinned(dense, self.voxel)
        if len(cloud) < _LEAST:
            raise ScanError(
                f"Scan {scan.source or scan.name} shows a part of only {len(cloud)} points",
                "Check the scan, or train with more points a scan",
            )
        normals, nothing = outward_normals(cloud, self.neighbors), np.empty((0, 3), np.float32)
        return self._filled(Prepared(scan, dense, cloud, inverse, rows, normals, nothing, nothing, transform))

    def _filled(self, prepared: Prepared) -> Prepared:
        if self.surface is None:
            return prepared
        filling = self.surface.points[self.surface.lacking(prepared.cloud)]
        if len(filling) == 0:
            return prepared
        return replace(prepared, filling=filling).moved(prepared.dense, self.neighbors)

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        state: dict[str, NDArray[Any]] = {
            "voxel": np.array(self.voxel),
            "diagonal": np.array(self.size.diagonal),
            "neighbors": np.array(self.neighbors, np.int64),
        }
        state |= {f"foreground/{key}": value for key, value in self.policy.state().items()}
        if self.surface is not None:
            state |= {f"surface/{key}": value for key, value in self.surface.state().items()}
        return state | self.pose.state()

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Frame:
        """What ``state`` gave."""

        prefix = "foreground/"
        policy = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        return cls(
            ForegroundPolicy.from_state(policy),
            float(state["voxel"]),
            UsualSize(float(state["diagonal"]), "mm"),
            int(state["neighbors"]),
            CommonPose.from_state(state),
            GoodSurface.from_state(surface) if (surface := below(state, "surface")) else None,
        )


def outward_normals(cloud: Floats, neighbors: int) -> Floats:
    """(V, 3) unit normals that point away from the centroid: signs that turn with the part."""
    normals = estimate_normals(cloud, k=min(neighbors, max(3, len(cloud))))
    outwards = cloud - cloud.mean(axis=0)
    inward = np.einsum("ij,ij->i", normals, outwards) < 0
    return np.where(inward[:, None], -normals, normals)


def _part(scan: Scan, policy: ForegroundPolicy) -> tuple[NDArray[np.int64], Floats]:
    """Rows and points, in millimetres, of the part; sorted, so that a file's order does not matter."""
    rows = np.flatnonzero(policy.mask(scan))
    if len(rows) < _LEAST:
        raise ScanError(f"Scan {scan.source or scan.name} shows only {len(rows)} points of the part", "Check the scan")
    rows = rows[np.lexsort(scan.points[rows].T)]
    return rows, scan.points[rows] * np.float32(UNITS_IN_MM[scan.unit])


def _thinned(part: Floats, voxel: float) -> tuple[Floats, NDArray[np.int64]]:
    if voxel <= 0:
        return part, np.arange(len(part))
    grid = voxel_grid(part, voxel)
    return grid.points, grid.inverse
