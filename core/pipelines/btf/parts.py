"""From a scan to what is described of it: the part alone, thinned, its normals turned outwards, and its photograph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.backbones.pictures import Pictures, photograph
from core.errors import ScanError
from core.geometry.background import ForegroundPolicy
from core.geometry.orientation import outward
from core.geometry.thinned_parts import ThinnedPart, thin, voxel_for
from core.geometry.units import UNITS_IN_MM
from core.geometry.usual_size import UsualSize
from core.pipelines.btf.config import BtfConfig
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan

Floats = NDArray[np.float32]

_LEAST = 16
"""Fewer points than this are no part."""
_LOOKED_AT = 3
"""Good scans that the voxel is chosen on."""


@dataclass(frozen=True, eq=False)
class Part:
    """The part that a scan shows.

    Attributes
    ----------
    rows : (P,) int64
        Its points in the scan, sorted by their coordinates, so that a file's order does not matter.
    points : (P, 3) float32
        These, in the category's unit.
    thinned : ThinnedPart
    pictures : Pictures, or None where photographs are not looked at
        Its points are in the order of ``np.sort(rows)``.
    count : int
        Points of the scan.
    """

    rows: NDArray[np.int64]
    points: Floats
    thinned: ThinnedPart
    pictures: Pictures | None
    count: int

    def to_scan(self, values: Floats) -> Floats:
        """(N,) of (P,) values in the order of ``rows``: NaN where the scan does not show the part."""
        result = np.full(self.count, np.nan, np.float32)
        result[self.rows] = values
        return result

    def of_picture(self, values: Floats) -> Floats:
        """(P,) values of the picture's points in the order of ``rows``."""
        result = np.empty(len(self.rows), np.float32)
        result[np.argsort(self.rows)] = values
        return result


@dataclass(frozen=True)
class Frame:
    """How the scans of a category are prepared; decided once, on the good ones.

    Attributes
    ----------
    policy : ForegroundPolicy
    unit : str
        Of all lengths here.
    voxel : float
    size : UsualSize
        Of the good parts.
    radius : float
        Usual distance of a good part's farthest point from its centroid.
    photographs : bool
        Whether photographs are looked at.
    """

    policy: ForegroundPolicy
    unit: str
    voxel: float
    size: UsualSize
    radius: float
    photographs: bool

    @classmethod
    def learn(cls, scans: Sequence[Scan], config: BtfConfig, seed: int, progress: Progress) -> Frame:
        """Decide for a category.

        Raises
        ------
        ScanError
            If a scan shows too little of a part.
        """
        unit = scans[0].unit
        policy = ForegroundPolicy.learn([_in_unit(scan, unit) for scan in scans], config.background, seed)
        parts = []
        for scan in progress.over(scans, "background of good scan {i} of {n}"):
            placed = _in_unit(scan, unit)
            parts.append(placed.points[_rows(placed, policy)])
        some = [parts[i] for i in np.unique(np.linspace(0, len(parts) - 1, min(len(parts), _LOOKED_AT)).astype(int))]
        size = UsualSize.of(parts, unit)
        voxel = config.voxel or float(np.median([voxel_for(part, config.voxel_points) for part in some]))
        radius = float(np.median([np.linalg.norm(part - part.mean(axis=0), axis=1).max() for part in parts]))
        photographs = config.image == "auto" and all(scan.image is not None for scan in scans)
        return cls(policy, unit, voxel, size, radius, photographs)

    def part(self, scan: Scan, config: BtfConfig, runtime: Runtime) -> Part:
        """What ``scan`` shows.

        Raises
        ------
        ScanError
            If it is of another size than the good scans, shows too little, or has not the photograph that it needs.
        """
        name = scan.source or scan.name
        placed = _in_unit(scan, self.unit)
        rows = _rows(placed, self.policy)
        points = placed.points[rows]
        self.size.check(points, name)
        pictures = None
        if self.photographs:
            if placed.image is None or placed.grid is None:
                raise ScanError(
                    f"Scan {name} has no photograph, the good scans had one each",
                    "Give the scan with its image, or train the model again with image = none",
                )
            mask = np.zeros(len(placed), bool)
            mask[rows] = True
            pictures = photograph(placed.image, placed.grid, mask, placed.points[mask])
        hints = outward(placed)
        thinned = thin(
            points,
            None if hints is None else hints[rows],
            self.voxel,
            patches=config.patches,
            patch_points=config.patch_points,
            normal_points=config.normal_neighbors,
            runtime=runtime,
        )
        if len(thinned.points) < _LEAST:
            raise ScanError(
                f"Scan {name} shows a part of only {len(thinned.points)} voxels",
                "Check the scan, or train with a smaller voxel",
            )
        return Part(rows, points, thinned, pictures, len(scan))

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        return {
            "unit": np.array(self.unit.encode()),
            "voxel": np.array(self.voxel),
            "diagonal": np.array(self.size.diagonal),
            "radius": np.array(self.radius),
            "photographs": np.array(self.photographs),
        } | {f"foreground/{key}": value for key, value in self.policy.state().items()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Frame:
        """What ``state`` gave."""
        prefix = "foreground/"
        policy = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        unit = np.asarray(state["unit"]).item()
        unit = unit.decode() if isinstance(unit, bytes) else str(unit)
        return cls(
            ForegroundPolicy.from_state(policy),
            unit,
            float(state["voxel"]),
            UsualSize(float(state["diagonal"]), unit),
            float(state["radius"]),
            bool(state["photographs"]),
        )


def _in_unit(scan: Scan, unit: str) -> Scan:
    if scan.unit == unit:
        return scan
    return scan.replaced(points=scan.points * np.float32(UNITS_IN_MM[scan.unit] / UNITS_IN_MM[unit]), unit=unit)


def _rows(scan: Scan, policy: ForegroundPolicy) -> NDArray[np.int64]:
    rows = np.flatnonzero(policy.mask(scan))
    if len(rows) < _LEAST:
        raise ScanError(f"Scan {scan.source or scan.name} shows only {len(rows)} points of the part", "Check the scan")
    return rows[np.lexsort(scan.points[rows].T)]
