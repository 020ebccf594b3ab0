"""From a scan to what both experts look at: the part alone, in millimetres, thinned, in its category's pose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import RegistrationError, ScanError
from core.geometry.background import ForegroundPolicy
from core.geometry.normals import estimate_normals
from core.geometry.registration import Reference, needs_any_pose, register, transform_points
from core.geometry.units import UNITS_IN_MM
from core.geometry.voxels import voxel_grid
from core.pipelines.iaenet.config import IaenetConfig
from core.progress import Progress
from core.scan import Scan

Floats = NDArray[np.float32]

_LEAST = 16
"""Fewer points than this are no part."""
_SIZE_RANGE = 2.5
"""A scan that much larger or smaller than the good ones is in another unit, or another part."""
_GOOD_FIT = 0.8
"""Share of a scan that must lie on the reference for a category to be judged alignable."""


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
    transform : (4, 4) float64
        From the scan's own frame, in millimetres, to the category's.
    """

    scan: Scan
    dense: Floats
    cloud: Floats
    inverse: NDArray[np.int64]
    rows: NDArray[np.int64]
    normals: Floats
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
        return replace(self, dense=dense, cloud=cloud, normals=outward_normals(cloud, neighbors))

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
    diagonal : float
        Usual diagonal of a good part's bounding box, in millimetres.
    neighbors : int
        Points that make a normal.
    reference : Reference, or None where scans are not aligned
    any_pose : bool
        Whether a scan may lie in any pose, or near the reference's.
    seed : int
    """

    policy: ForegroundPolicy
    voxel: float
    diagonal: float
    neighbors: int
    reference: Reference | None
    any_pose: bool
    seed: int

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
        diagonal = float(np.median([_diagonal(part) for part in parts]))
        if not diagonal > 0:
            raise ScanError("The good scans have no extent", "Check the files")
        voxel = 0.0 if config.voxel_points == 0 else _voxel_for(parts, diagonal, config.voxel_points)
        clouds = [_thinned(part, voxel)[0] for part in parts]
        first = int(np.argmax([len(cloud) for cloud in clouds]))
        reference, any_pose, transforms = _align(
            clouds, first, config.align, seed, progress.part(0.2, 0.7, "aligning scans")
        )
        frame = cls(policy, voxel, diagonal, config.normal_neighbors, reference, any_pose, seed)
        prepared = [
            frame._made(scans[i], parts[i], rows[i], transforms[i])
            for i in progress.part(0.7, 1.0).over(range(len(scans)), "normals of scan {i} of {n}")
        ]
        return frame, prepared, first

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
        diagonal = _diagonal(part)
        if not self.diagonal / _SIZE_RANGE <= diagonal <= self.diagonal * _SIZE_RANGE:
            raise ScanError(
                f"Scan {scan.source or scan.name} measures {diagonal:.4g} mm across, the good parts "
                f"{self.diagonal:.4g} mm",
                "Check the unit of the scan, and that it shows this part",
            )
        transform = np.eye(4)
        if self.reference is not None:
            transform = self._registered(_thinned(part, self.voxel)[0], scan)
        return self._made(scan, part, rows, transform)

    def _made(self, scan: Scan, part: Floats, rows: NDArray[np.int64], transform: NDArray[np.float64]) -> Prepared:
        dense = transform_points(part, transform)
        cloud, inverse = _thinned(dense, self.voxel)
        if len(cloud) < _LEAST:
            raise ScanError(
                f"Scan {scan.source or scan.name} shows a part of only {len(cloud)} points",
                "Check the scan, or train with more points a scan",
            )
        return Prepared(scan, dense, cloud, inverse, rows, outward_normals(cloud, self.neighbors), transform)

    def _registered(self, cloud: Floats, scan: Scan) -> NDArray[np.float64]:
        """The pose of a scan; one that does not lie as the good scans did is searched in any pose."""
        assert self.reference is not None
        try:
            if not self.any_pose:
                try:
                    return register(
                        cloud, self.reference, any_pose=False, seed=self.seed, min_fitness=_GOOD_FIT
                    ).transform
                except RegistrationError:
                    pass
            return register(cloud, self.reference, any_pose=True, seed=self.seed).transform
        except RegistrationError as error:
            raise RegistrationError(f"Scan {scan.source or scan.name}: {error.problem}", error.remedy) from error

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        state: dict[str, NDArray[Any]] = {
            "voxel": np.array(self.voxel),
            "diagonal": np.array(self.diagonal),
            "neighbors": np.array(self.neighbors, np.int64),
            "any_pose": np.array(self.any_pose),
            "seed": np.array(self.seed, np.int64),
        }
        state |= {f"foreground/{key}": value for key, value in self.policy.state().items()}
        if self.reference is not None:
            state |= {f"reference/{key}": value for key, value in self.reference.state().items()}
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Frame:
        """What ``state`` gave."""

        def below(prefix: str) -> dict[str, NDArray[Any]]:
            return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}

        reference = below("reference/")
        return cls(
            ForegroundPolicy.from_state(below("foreground/")),
            float(state["voxel"]),
            float(state["diagonal"]),
            int(state["neighbors"]),
            Reference.from_state(reference) if reference else None,
            bool(state["any_pose"]),
            int(state["seed"]),
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


def _diagonal(part: Floats) -> float:
    return float(np.linalg.norm(np.ptp(part, axis=0)))


def _thinned(part: Floats, voxel: float) -> tuple[Floats, NDArray[np.int64]]:
    if voxel <= 0:
        return part, np.arange(len(part))
    grid = voxel_grid(part, voxel)
    return grid.points, grid.inverse


def _voxel_for(parts: Sequence[Floats], diagonal: float, wanted: int) -> float:
    """The voxel that leaves about ``wanted`` points of a usual scan, found by halving on a logarithmic scale."""
    some = [parts[i] for i in np.unique(np.linspace(0, len(parts) - 1, min(len(parts), 3)).astype(int))]
    low, high = diagonal * 2e-4, diagonal * 0.25
    for _ in range(14):
        middle = float(np.sqrt(low * high))
        if np.median([len(voxel_grid(part, middle).points) for part in some]) > wanted:
            low = middle
        else:
            high = middle
    return high


def _align(
    clouds: Sequence[Floats], first: int, mode: str, seed: int, progress: Progress
) -> tuple[Reference | None, bool, list[NDArray[np.float64]]]:
    """The reference, whether scans need the search of any pose, and the transforms of the good scans."""
    identity = [np.eye(4) for _ in clouds]
    if mode == "none" or len(clouds) < 2:
        return None, False, identity
    # The scan that shows most of the part is the one that most others can be laid on.
    reference = Reference(clouds[first])
    progress.update(0.0, "finding out how the parts lie")
    any_pose = mode == "any" or needs_any_pose(clouds, reference, seed)
    transforms, fits = [], []
    for cloud in progress.over(clouds, "{i} of {n}"):
        try:
            found = register(cloud, reference, any_pose=any_pose, seed=seed, min_fitness=0.3)
        except RegistrationError:
            if mode == "auto":
                return None, False, identity
            raise
        transforms.append(found.transform)
        fits.append(found.fitness)
    if mode == "auto" and np.median(fits) < _GOOD_FIT:
        return None, False, identity
    return reference, any_pose, transforms
