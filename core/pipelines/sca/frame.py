"""From a scan to the thinned cloud that patches are cut from: foreground, voxels, pose, centre and scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ScanError
from core.geometry.alignment import CommonPose
from core.geometry.background import ForegroundPolicy
from core.geometry.gaps import GoodSurface
from core.geometry.neighbors import nearest
from core.geometry.outliers import statistical_outliers
from core.geometry.registration import transform_points
from core.geometry.usual_size import UsualSize
from core.geometry.voxels import VoxelGrid, voxel_grid, voxel_leaving
from core.pipelines.sca.config import ScaConfig
from core.pipelines.state import below, joined
from core.progress import Progress
from core.scan import Scan

Floats = NDArray[np.float32]

_LEAST = 16
"""Fewer voxels than this are no part."""
_COMMON = 0.1
"""Share of the surface that good scans may lack: voxels of outlying points are among it."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A scan brought into the category's frame.

    Attributes
    ----------
    points : (V, 3) float32
        One point a voxel, centred and scaled so that the part's radius is 1; in the reference's pose if aligned.
    foreground : (N,) bool
        Which of the scan's points are the part.
    inverse : (M,) int64
        The voxel of each foreground point.
    filling : (F, 3) float32
        Points that stand for what the scan did not measure.
    """

    points: Floats
    foreground: NDArray[np.bool_]
    inverse: NDArray[np.int64]
    filling: Floats

    @property
    def whole(self) -> Floats:
        """(V + F, 3) the points, and behind them those that fill gaps."""
        return np.concatenate([self.points, self.filling])

    def to_scan(self, values: NDArray[Any]) -> Floats:
        """(N,) float32 of ``values`` of the voxels or of the whole: each point gets its voxel's, the background NaN."""
        result = np.full(len(self.foreground), np.nan, np.float32)
        result[self.foreground] = values[self.inverse]
        return result


@dataclass(frozen=True, eq=False)
class Frame:
    """How the scans of a category are prepared; decided once, on the good ones.

    Attributes
    ----------
    policy : ForegroundPolicy
    unit : str
        Of the scans.
    voxel : float
        In that unit.
    size : UsualSize
        Of the good parts, in that unit.
    radius : float
        What 1 stands for, in that unit.
    center : (3,) float64
        Origin of aligned scans, in the reference's frame.
    pose : CommonPose
        Where scans are aligned, if they are.
    outlier_ratio : float
        See ``ScaConfig.outlier_ratio``.
    surface : GoodSurface, or None where gaps are not filled
        In part radii.
    """

    policy: ForegroundPolicy
    unit: str
    voxel: float
    size: UsualSize
    radius: float
    center: NDArray[np.float64]
    pose: CommonPose
    outlier_ratio: float
    surface: GoodSurface | None = None

    @classmethod
    def learn(
        cls, scans: Sequence[Scan], config: ScaConfig, seed: int, progress: Progress
    ) -> tuple[Frame, list[Placed]]:
        """Decide for a category; gives the frame and its good scans in it.

        Raises
        ------
        ScanError
            If the scans differ in unit, or one shows too little.
        """
        unit = scans[0].unit
        progress.update(0.0, "separating parts from their background")
        policy = ForegroundPolicy.learn(scans, config.background, seed)
        masks = []
        for scan in progress.part(0.0, 0.2).over(scans, "background {i} of {n}"):
            if scan.unit != unit:
                raise ScanError(
                    f"Scan {scan.source or scan.name} is in {scan.unit}, the first one in {unit}",
                    "Train on scans of one unit",
                )
            masks.append(policy.mask(scan))
        parts = [scan.points[mask] for scan, mask in zip(scans, masks, strict=True)]
        size = UsualSize.of(parts, unit)
        voxel = config.voxel or voxel_leaving(parts, size.diagonal, config.voxel_points)
        grids = [_thinned(part, voxel, config.outlier_ratio) for part in parts]
        for scan, grid in zip(scans, grids, strict=True):
            _require(scan, len(grid.points))
        pose, transforms = CommonPose.learn(
            [grid.points for grid in grids], config.align, seed, progress.part(0.2, 1.0, "aligning scans")
        )
        clouds = [transform_points(g.points, t) for g, t in zip(grids, transforms, strict=True)]
        if pose.reference is None:
            center, middles = np.zeros(3), [cloud.mean(axis=0, dtype=np.float64) for cloud in clouds]
        else:
            center = np.concatenate(clouds).mean(axis=0, dtype=np.float64)
            middles = [center] * len(clouds)
        radius = float(np.median([np.linalg.norm(c - m, axis=1).max() for c, m in zip(clouds, middles, strict=True)]))
        frame = cls(policy, unit, voxel, size, max(radius, 1e-30), center, pose, config.outlier_ratio)
        points = [
            ((cloud - middle) / frame.radius).astype(np.float32) for cloud, middle in zip(clouds, middles, strict=True)
        ]
        if config.fill_gaps and pose.reference is not None:
            frame = replace(frame, surface=GoodSurface.learn(points, frame.step, common=_COMMON))
        placed = [
            Placed(own, mask, grid.inverse, frame._filling(own))
            for own, mask, grid in zip(points, masks, grids, strict=True)
        ]
        return frame, placed

    def place(self, scan: Scan) -> Placed:
        """``scan`` in this frame.

        Raises
        ------
        ScanError
            If it is in another unit or of another size than the good scans, or shows too little.
        RegistrationError
            If it cannot be aligned.
        """
        if scan.unit != self.unit:
            raise ScanError(
                f"Scan {scan.source or scan.name} is in {scan.unit}, the model was trained in {self.unit}",
                f"Open the scan as {self.unit}, or train a model for {scan.unit}",
            )
        foreground = self.policy.mask(scan)
        part = scan.points[foreground]
        self.size.check(part, scan.source or scan.name)
        grid = _thinned(part, self.voxel, self.outlier_ratio)
        _require(scan, len(grid.points))
        cloud = grid.points
        if self.pose.reference is None:
            middle = cloud.mean(axis=0, dtype=np.float64)
        else:
            cloud, middle = transform_points(cloud, self.pose.find(cloud, scan.source or scan.name)), self.center
        points = ((cloud - middle) / self.radius).astype(np.float32)
        return Placed(points, foreground, grid.inverse, self._filling(points))

    def _filling(self, points: Floats) -> Floats:
        if self.surface is None:
            return np.empty((0, 3), np.float32)
        return self.surface.points[self.surface.lacking(points)]

    @property
    def step(self) -> float:
        """The voxel in part radii."""
        return self.voxel / self.radius

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        state: dict[str, NDArray[Any]] = {
            "unit": np.array(self.unit.encode()),
            "voxel": np.array(self.voxel),
            "diagonal": np.array(self.size.diagonal),
            "radius": np.array(self.radius),
            "center": self.center,
            "outlier_ratio": np.array(self.outlier_ratio),
        }
        groups = {"foreground": self.policy.state(), "surface": {} if self.surface is None else self.surface.state()}
        state |= joined(groups)
        return state | self.pose.state()

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Frame:
        """What ``state`` gave."""
        surface = below(state, "surface")
        unit = np.asarray(state["unit"]).item()
        unit = unit.decode() if isinstance(unit, bytes) else str(unit)
        return cls(
            ForegroundPolicy.from_state(below(state, "foreground")),
            unit,
            float(state["voxel"]),
            UsualSize(float(state["diagonal"]), unit),
            float(state["radius"]),
            np.asarray(state["center"], np.float64),
            CommonPose.from_state(state),
            float(state["outlier_ratio"]),
            GoodSurface.from_state(surface) if surface else None,
        )


def _thinned(part: Floats, voxel: float, outlier_ratio: float) -> VoxelGrid:
    """One point a voxel; points of outlying voxels are counted to the nearest other voxel."""
    grid = voxel_grid(part, voxel)
    if outlier_ratio <= 0 or len(grid.points) < 3 * _LEAST:
        return grid
    kept = np.flatnonzero(~statistical_outliers(grid.points, ratio=outlier_ratio))
    if len(kept) < _LEAST or len(kept) == len(grid.points):
        return grid
    owner = nearest(grid.points[kept], grid.points, 1)[1][:, 0]
    inverse = owner[grid.inverse]
    return VoxelGrid(grid.points[kept], inverse, np.bincount(inverse, minlength=len(kept)))


def _require(scan: Scan, voxels: int) -> None:
    if voxels < _LEAST:
        raise ScanError(
            f"Scan {scan.source or scan.name} shows a part of only {voxels} voxels",
            "Check the scan, or train with a smaller voxel",
        )
