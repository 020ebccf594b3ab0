"""From a scan to the thinned cloud that patches are cut from: foreground, voxels, pose, centre and scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import RegistrationError, ScanError
from core.geometry.background import ForegroundPolicy
from core.geometry.neighbors import nearest
from core.geometry.outliers import statistical_outliers
from core.geometry.registration import (
    Reference,
    Registration,
    needs_any_pose,
    register,
    transform_points,
)
from core.geometry.voxels import VoxelGrid, voxel_grid
from core.pipelines.sca.config import ScaConfig
from core.progress import Progress
from core.scan import Scan

Floats = NDArray[np.float32]

_LEAST = 16
"""Fewer voxels than this are no part."""
_SIZE_RANGE = 2.5
"""A scan that much larger or smaller than the good ones is in another unit, or another part."""
_GOOD_FIT = 0.8
"""Share of a scan that must lie on the reference for a category to be judged alignable."""


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
    """

    points: Floats
    foreground: NDArray[np.bool_]
    inverse: NDArray[np.int64]

    def to_scan(self, values: NDArray[Any]) -> Floats:
        """(N,) float32 of (V,) ``values``: each point gets its voxel's, the background NaN."""
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
    diagonal : float
        Usual diagonal of a good part's bounding box, in that unit.
    radius : float
        What 1 stands for, in that unit.
    center : (3,) float64
        Origin of aligned scans, in the reference's frame.
    reference : Reference, or None where scans are not aligned
    outlier_ratio : float
        See ``ScaConfig.outlier_ratio``.
    any_pose : bool
        Whether a scan may lie in any pose, or near the reference's.
    seed : int
    """

    policy: ForegroundPolicy
    unit: str
    voxel: float
    diagonal: float
    radius: float
    center: NDArray[np.float64]
    reference: Reference | None
    any_pose: bool
    outlier_ratio: float
    seed: int

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
        diagonal = float(np.median([_diagonal(part) for part in parts]))
        if not diagonal > 0:
            raise ScanError("The good scans have no extent", "Check the files")
        voxel = config.voxel or _voxel_for(parts, diagonal, config.voxel_points)
        grids = [_thinned(part, voxel, config.outlier_ratio) for part in parts]
        for scan, grid in zip(scans, grids, strict=True):
            _require(scan, len(grid.points))
        reference, any_pose, transforms = _align(
            [grid.points for grid in grids], config.align, seed, progress.part(0.2, 1.0, "aligning scans")
        )
        clouds = [transform_points(g.points, t) for g, t in zip(grids, transforms, strict=True)]
        if reference is None:
            center, middles = np.zeros(3), [cloud.mean(axis=0, dtype=np.float64) for cloud in clouds]
        else:
            center = np.concatenate(clouds).mean(axis=0, dtype=np.float64)
            middles = [center] * len(clouds)
        radius = float(np.median([np.linalg.norm(c - m, axis=1).max() for c, m in zip(clouds, middles, strict=True)]))
        frame = cls(
            policy, unit, voxel, diagonal, max(radius, 1e-30), center, reference, any_pose, config.outlier_ratio, seed
        )
        placed = [
            Placed(((cloud - middle) / frame.radius).astype(np.float32), mask, grid.inverse)
            for cloud, middle, mask, grid in zip(clouds, middles, masks, grids, strict=True)
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
        diagonal = _diagonal(part)
        if not self.diagonal / _SIZE_RANGE <= diagonal <= self.diagonal * _SIZE_RANGE:
            raise ScanError(
                f"Scan {scan.source or scan.name} measures {diagonal:.4g} {self.unit} across, the good parts "
                f"{self.diagonal:.4g} {self.unit}",
                "Check the unit of the scan, and that it shows this part",
            )
        grid = _thinned(part, self.voxel, self.outlier_ratio)
        _require(scan, len(grid.points))
        cloud = grid.points
        if self.reference is None:
            middle = cloud.mean(axis=0, dtype=np.float64)
        else:
            found = self._registered(cloud)
            cloud, middle = transform_points(cloud, found.transform), self.center
        return Placed(((cloud - middle) / self.radius).astype(np.float32), foreground, grid.inverse)

    def _registered(self, cloud: Floats) -> Registration:
        """The pose of a scan; one that does not lie as the good scans did is searched in any pose."""
        assert self.reference is not None
        if not self.any_pose:
            try:
                return register(cloud, self.reference, any_pose=False, seed=self.seed, min_fitness=_GOOD_FIT)
            except RegistrationError:
                pass
        return register(cloud, self.reference, any_pose=True, seed=self.seed)

    @property
    def step(self) -> float:
        """The voxel in part radii."""
        return self.voxel / self.radius

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        state: dict[str, NDArray[Any]] = {
            "unit": np.array(self.unit.encode()),
            "voxel": np.array(self.voxel),
            "diagonal": np.array(self.diagonal),
            "radius": np.array(self.radius),
            "center": self.center,
            "any_pose": np.array(self.any_pose),
            "outlier_ratio": np.array(self.outlier_ratio),
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
        unit = np.asarray(state["unit"]).item()
        return cls(
            ForegroundPolicy.from_state(below("foreground/")),
            unit.decode() if isinstance(unit, bytes) else str(unit),
            float(state["voxel"]),
            float(state["diagonal"]),
            float(state["radius"]),
            np.asarray(state["center"], np.float64),
            Reference.from_state(reference) if reference else None,
            bool(state["any_pose"]),
            float(state["outlier_ratio"]),
            int(state["seed"]),
        )


def _diagonal(points: Floats) -> float:
    return float(np.linalg.norm(np.ptp(points, axis=0))) if len(points) else 0.0


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
    clouds: Sequence[Floats], mode: str, seed: int, progress: Progress
) -> tuple[Reference | None, bool, list[NDArray[np.float64]]]:
    """The reference, whether scans need the search of any pose, and the transforms of the good scans."""
    identity = [np.eye(4) for _ in clouds]
    if mode == "none" or len(clouds) < 2:
        return None, False, identity
    # The scan that shows most of the part is the one that most others can be laid on.
    reference = Reference(clouds[int(np.argmax([len(cloud) for cloud in clouds]))])
    transforms, fits = [], []
    progress.update(0.0, "finding out how the parts lie")
    any_pose = mode == "any" or needs_any_pose(clouds, reference, seed)
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
