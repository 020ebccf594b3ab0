"""From a scan to what the networks look at: the part alone, in its category's pose, scaled to the unit sphere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import RegistrationError, ScanError
from core.geometry.alignment import CommonPose
from core.geometry.background import ForegroundPolicy
from core.geometry.orientation import outward
from core.geometry.registration import Reference, register, transform_points
from core.geometry.units import UNITS_IN_MM
from core.geometry.usual_size import UsualSize
from core.geometry.voxels import voxel_grid, voxel_leaving
from core.pipelines.dus_net.config import DusNetConfig
from core.pipelines.state import State, below, joined
from core.progress import Progress
from core.scan import Scan

Floats = NDArray[np.float32]

_LEAST = 32
"""Fewer points than this are no part."""
_POSED = 20_000
"""About how many points a scan is thinned to for finding its pose, where all of it is cut into patches."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A scan's part in the category's frame.

    Attributes
    ----------
    scan : Scan
    rows : (M,) int64
        The scan's points that are the part, in an order that does not depend on the file's.
    points : (M, 3) float32
        These in the category's frame: the part's radius is 1.
    cloud : (V, 3) float32
        These thinned; patches are cut from it.
    hints : (M, 3) float32, or None
        Rough outward directions.
    transform : (4, 4) float64
        From the scan's own frame, in millimetres, to the category's pose.
    center : (3,) float64
        Origin of the category's frame in that pose.
    radius : float
        What 1 stands for, in millimetres.
    """

    scan: Scan
    rows: NDArray[np.int64]
    points: Floats
    cloud: Floats
    hints: Floats | None
    transform: NDArray[np.float64]
    center: NDArray[np.float64]
    radius: float

    @property
    def length(self) -> float:
        """What 1 stands for, in the scan's unit."""
        return self.radius / UNITS_IN_MM[self.scan.unit]

    def to_scan(self, values: NDArray[Any]) -> Floats:
        """(N,) float32 of (M,) ``values``; NaN where the scan does not show the part."""
        result = np.full(len(self.scan), np.nan, np.float32)
        result[self.rows] = values
        return result

    def to_scan_frame(self, points: Floats) -> Floats:
        """Points (P, 3) of the category's frame in the scan's own frame and unit."""
        posed = points.astype(np.float64) * self.radius + self.center
        back = np.linalg.inv(self.transform)
        own = posed @ back[:3, :3].T + back[:3, 3]
        return (own / UNITS_IN_MM[self.scan.unit]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Part:
    """A scan's part in its own frame, in millimetres."""

    scan: Scan
    rows: NDArray[np.int64]
    points: Floats
    thinned: Floats


@dataclass(frozen=True, eq=False)
class Frame:
    """How the scans of a category are prepared; decided once, on the good ones.

    Attributes
    ----------
    policy : ForegroundPolicy
    voxel, posing : float
        Sides of the voxels that the patches are cut from and that poses are found on, in millimetres; 0 keeps every
        point.
    size : UsualSize
        Of the good parts, in millimetres.
    pose : CommonPose
        Where scans are aligned, if they are.
    center : (3,) float64
        Origin of aligned scans, in the reference's frame.
    radius : float
        What 1 stands for, in millimetres.
    """

    policy: ForegroundPolicy
    voxel: float
    posing: float
    size: UsualSize
    pose: CommonPose
    center: NDArray[np.float64]
    radius: float

    @property
    def aligned(self) -> bool:
        """Whether a place means the same on every scan."""
        return self.pose.reference is not None

    @classmethod
    def learn(
        cls, scans: Sequence[Scan], config: DusNetConfig, seed: int, progress: Progress
    ) -> tuple[Frame, list[Placed]]:
        """Decide for a category; gives the frame and its good scans in it.

        Raises
        ------
        ScanError, RegistrationError
        """
        progress.update(0.0, "separating parts from their background")
        policy = ForegroundPolicy.learn(scans, config.background, seed)
        found = []
        for scan in progress.part(0.0, 0.2).over(scans, "background {i} of {n}"):
            found.append(_points_of(scan, policy))
        size = UsualSize.of([points for _, points in found], "mm")
        wanted = config.voxel_points or _POSED
        posing = voxel_leaving([points for _, points in found], size.diagonal, wanted)
        parts = [
            _Part(scan, rows, points, _thinned(points, posing, scan))
            for scan, (rows, points) in zip(scans, found, strict=True)
        ]
        clouds = [part.thinned for part in parts]
        pose, transforms = CommonPose.learn(clouds, config.align, seed, progress.part(0.2, 0.6, "aligning scans"))
        if pose.reference is not None:
            pose, transforms = _onto_their_mean(
                pose, clouds, transforms, posing, progress.part(0.6, 0.95, "aligning scans with their mean")
            )
        placed = [transform_points(cloud, t) for cloud, t in zip(clouds, transforms, strict=True)]
        center = np.zeros(3)
        if pose.reference is not None:
            center = np.concatenate(placed).mean(axis=0, dtype=np.float64)
        middles = [_middle(cloud, center, pose) for cloud in placed]
        radii = [np.linalg.norm(c - m, axis=1).max() for c, m in zip(placed, middles, strict=True)]
        voxel = posing if config.voxel_points else 0.0
        frame = cls(policy, voxel, posing, size, pose, center, max(float(np.median(radii)), 1e-30))
        made = [frame._made(part, transform) for part, transform in zip(parts, transforms, strict=True)]
        progress.update(1.0)
        return frame, made

    def place(self, scan: Scan) -> Placed:
        """``scan`` in this frame.

        Raises
        ------
        ScanError
            If it is of another size than the good scans, or shows too little.
        RegistrationError
            If it cannot be aligned.
        """
        rows, points = _points_of(scan, self.policy)
        name = scan.source or scan.name
        self.size.check(points, name)
        part = _Part(scan, rows, points, _thinned(points, self.posing, scan))
        return self._made(part, self.pose.find(part.thinned, name))

    def _made(self, part: _Part, transform: NDArray[np.float64]) -> Placed:
        posed = transform_points(part.points, transform)
        center = _middle(transform_points(part.thinned, transform), self.center, self.pose)
        points = ((posed - center) / self.radius).astype(np.float32)
        cloud = voxel_grid(points, self.voxel / self.radius).points if self.voxel > 0 else points
        hints = outward(part.scan)
        if hints is not None:
            hints = (hints[part.rows] @ transform[:3, :3].T).astype(np.float32)
        return Placed(part.scan, part.rows, points, cloud, hints, transform, center, self.radius)

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        own = {
            "voxel": np.array(self.voxel),
            "posing": np.array(self.posing),
            "diagonal": np.array(self.size.diagonal),
            "center": self.center,
            "radius": np.array(self.radius),
        }
        return own | joined({"foreground": self.policy.state(), "pose": self.pose.state()})

    @classmethod
    def from_state(cls, state: State) -> Frame:
        """What ``state`` gave."""
        return cls(
            ForegroundPolicy.from_state(below(state, "foreground")),
            float(state["voxel"]),
            float(state["posing"]),
            UsualSize(float(state["diagonal"]), "mm"),
            CommonPose.from_state(below(state, "pose")),
            np.asarray(state["center"], np.float64),
            float(state["radius"]),
        )


def _points_of(scan: Scan, policy: ForegroundPolicy) -> tuple[NDArray[np.int64], Floats]:
    """Rows and points, in millimetres, of the part; sorted, so that a file's order does not matter."""
    rows = np.flatnonzero(policy.mask(scan))
    rows = rows[np.lexsort(scan.points[rows].T)]
    return rows, scan.points[rows] * np.float32(UNITS_IN_MM[scan.unit])


def _thinned(points: Floats, voxel: float, scan: Scan) -> Floats:
    thinned = voxel_grid(points, voxel).points
    if len(thinned) < _LEAST:
        raise ScanError(
            f"Scan {scan.source or scan.name} shows a part of only {len(thinned)} points", "Check the scan and its unit"
        )
    return thinned


def _middle(cloud: Floats, center: NDArray[np.float64], pose: CommonPose) -> NDArray[np.float64]:
    return center if pose.reference is not None else cloud.mean(axis=0, dtype=np.float64)


def _onto_their_mean(
    pose: CommonPose,
    clouds: Sequence[Floats],
    transforms: Sequence[NDArray[np.float64]],
    voxel: float,
    progress: Progress,
) -> tuple[CommonPose, list[NDArray[np.float64]]]:
    """The same pose with all good scans' mean as its reference, which lies truer than any one of them."""
    placed = [transform_points(cloud, t) for cloud, t in zip(clouds, transforms, strict=True)]
    reference = Reference(voxel_grid(np.concatenate(placed), voxel).points)
    better = []
    for cloud, before in zip(progress.over(placed, "{i} of {n}"), transforms, strict=True):
        try:
            better.append(register(cloud, reference, any_pose=False, seed=pose.seed).transform @ before)
        except RegistrationError:
            better.append(before)
    return CommonPose(reference, pose.any_pose, pose.seed), better
