"""What of a scan is the part, and what is the table below it.

Organised scans follow the preprocessing that the MVTec 3D-AD methods share: a plane through the border of the image,
everything near it dropped, the largest density cluster of the rest kept. Elsewhere a plane is only taken for a table
if everything speaks for one, because a part may be flat itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import ScanError
from core.geometry.clusters import dbscan, largest_cluster
from core.geometry.neighbors import spacing
from core.geometry.planes import Plane, fit_plane
from core.geometry.units import from_mm
from core.geometry.voxels import voxel_grid
from core.scan import Scan

Mode = Literal["auto", "none", "plane"]

_BORDER = 10
"""Width of the image's border that shows the table, in pixels."""
_FIT_MM = 4.0
_REMOVE_MM = 5.0
"""Distance of the plane fit and of the removal (MVTec 3D-AD preprocessing of BTF, M3DM, CFM, CMDR-IAD)."""
_CLUSTER_MM, _CLUSTER_POINTS = 6.0, 30
"""DBSCAN's eps and min_points in the same."""


@dataclass(frozen=True, eq=False)
class Support:
    """A table found below a part.

    Attributes
    ----------
    plane : Plane
        Its normal points to the part.
    distance : float
        Points at most this high belong to the table, in the scan's unit.
    """

    plane: Plane
    distance: float


def find_support(scan: Scan, *, distance: float | None = None, sure: bool = True, seed: int = 0) -> Support | None:
    """The plane that the part of ``scan`` stands on.

    Parameters
    ----------
    scan : Scan
    distance : float, optional
        Height up to which points belong to the plane, in the scan's unit. If not given: 5 mm (facts of MVTec 3D-AD),
        or less where that would take a thin part with it.
    sure : bool
        Whether to answer None when the plane may be the part itself.
    seed : int
        Of the plane fit.

    Returns
    -------
    Support or None
    """
    return _on_grid(scan, distance, sure, seed) if scan.organised else _in_cloud(scan, distance, sure, seed)


def plane_background(
    scan: Scan, *, distance: float | None = None, sure: bool = True, seed: int = 0
) -> NDArray[np.bool_]:
    """Points of ``scan`` that are not the part: the support plane, what lies behind it, and (organised) loose pieces.

    Parameters are those of ``find_support``.

    Returns
    -------
    (N,) bool
        True = background. All False where no support plane was found.
    """
    support = find_support(scan, distance=distance, sure=sure, seed=seed)
    if support is None:
        return np.zeros(len(scan), bool)
    part = _above(scan, support)
    return ~part


def _above(scan: Scan, support: Support) -> NDArray[np.bool_]:
    part = support.plane.heights(scan.points) > support.distance
    if scan.organised and part.any():
        high = np.flatnonzero(part)
        labels = dbscan(scan.points[high], from_mm(_CLUSTER_MM, scan.unit), _CLUSTER_POINTS)
        part[high[~largest_cluster(labels)]] = False
    return part


def _on_grid(scan: Scan, distance: float | None, sure: bool, seed: int) -> Support | None:
    assert scan.grid is not None
    frame = np.ones(scan.grid.shape, bool)
    if min(frame.shape) > 2 * _BORDER:
        frame[_BORDER:-_BORDER, _BORDER:-_BORDER] = False
    rim = scan.grid[frame]
    rim = rim[rim >= 0]
    if len(rim) < 50 or (sure and len(rim) < 0.2 * frame.sum()):
        return None
    border = scan.points[rim]
    plane = fit_plane(border, from_mm(_FIT_MM, scan.unit), seed)
    if plane is None:
        return None
    residuals = np.abs(plane.heights(border))
    own = residuals < from_mm(_FIT_MM, scan.unit)
    if sure and own.mean() < 0.6:
        return None
    heights = plane.heights(scan.points)
    rough = 1.5 * float(np.percentile(residuals[own], 99))
    if distance is None:
        distance = _removal(heights, rough, from_mm(_REMOVE_MM, scan.unit))
    support = _towards_part(plane, heights, distance)
    if sure:
        aside = int((np.abs(heights) > distance).sum())
        above = int((support.plane.heights(scan.points) > distance).sum())
        part = int(_above(scan, support).sum())
        # A frame-filling relief leaves several pieces, a part leaves one; a table has nothing below it.
        if part < 0.01 * len(scan) or part < 0.7 * above or above < 0.9 * aside:
            return None
    return support


def _removal(heights: NDArray[np.float64], rough: float, usual: float) -> float:
    """The usual distance, or where most of what stands out of the rough plane is lower than that, the roughness."""
    outside = np.abs(heights) > min(rough, usual)
    if (np.abs(heights) > usual).sum() >= 0.7 * outside.sum():
        return usual
    return min(rough, usual)


def _towards_part(plane: Plane, heights: NDArray[np.float64], distance: float) -> Support:
    more_below = (heights < -distance).sum() > (heights > distance).sum()
    return Support(plane.flipped() if more_below else plane, distance)


def _in_cloud(scan: Scan, distance: float | None, sure: bool, seed: int) -> Support | None:
    if len(scan) < 100:
        return None
    thin = voxel_grid(scan.points, max(scan.diagonal / 150, 1e-12)).points  # even, so that counts are areas
    step = max(spacing(thin), 1e-12)
    plane = fit_plane(thin, 0.75 * step, seed)
    if plane is None:
        return None
    heights = plane.heights(thin)
    own = np.abs(heights) < 0.75 * step
    if distance is None:
        distance = float(max(0.75 * step, 4 * np.median(np.abs(heights[own]))))
    support = _towards_part(plane, heights, distance)
    return support if not sure or _is_table(thin, support) else None


def _is_table(points: NDArray[np.float32], support: Support) -> bool:
    """Whether nearly all else stands on one side of the plane, well inside of it, and the plane is most of the scan.

    A plate with a boss passes the first tests, so that the part's footprint must also be small: at most a tenth of the
    table. Where a plane is doubtful it stays; the user can ask for its removal.
    """
    heights = support.plane.heights(points)
    table = np.abs(heights) <= support.distance
    part = heights > support.distance
    if table.mean() < 0.4 or part.sum() < 20 or part.sum() < 0.95 * (~table).sum():
        return False
    across = np.linalg.svd(support.plane.normal[None])[2][1:]
    wide, foot = points[table] @ across.T, points[part] @ across.T
    axes = np.linalg.eigh(np.cov((wide - wide.mean(axis=0)).T))[1]
    wide, foot = wide @ axes, foot @ axes
    low, high = np.percentile(wide, [0.5, 99.5], axis=0)
    foot_low, foot_high = np.percentile(foot, [1, 99], axis=0)
    margin = 0.1 * (high - low)
    inside = bool((foot_low > low + margin).all() and (foot_high < high - margin).all())
    return inside and float(np.prod(foot_high - foot_low)) < 0.1 * float(np.prod(high - low))


@dataclass(frozen=True)
class ForegroundPolicy:
    """How a category's scans are parted into part and background: decided once, on its training scans.

    Attributes
    ----------
    plane : bool
        Whether a support plane is removed.
    distance_mm : float
        Height up to which points belong to the plane, in millimetres.
    seed : int
    """

    plane: bool = False
    distance_mm: float = _REMOVE_MM
    seed: int = 0

    @classmethod
    def learn(cls, scans: Sequence[Scan], mode: Mode = "auto", seed: int = 0) -> ForegroundPolicy:
        """Decide for a category.

        Parameters
        ----------
        scans : sequence of Scan
            Good scans to train on; at most 20 of them, spread over the sequence, are looked at.
        mode : "auto", "none" or "plane"
            "auto" removes a plane only if it is surely a table in nine of ten scans; "plane" always does.
        seed : int

        Raises
        ------
        ValueError
            If ``mode`` is none of these.
        """
        if mode not in ("auto", "none", "plane"):
            raise ValueError(f"mode {mode!r} is none of auto, none, plane")
        if mode == "none" or len(scans) == 0:
            return cls(False, _REMOVE_MM, seed)
        some = [scans[i] for i in np.unique(np.linspace(0, len(scans) - 1, min(len(scans), 20)).astype(int))]
        found = [(find_support(scan, sure=mode == "auto", seed=seed), scan) for scan in some]
        heights = [support.distance / from_mm(1.0, scan.unit) for support, scan in found if support is not None]
        if mode == "auto" and len(heights) < 0.9 * len(some):
            return cls(False, _REMOVE_MM, seed)
        return cls(True, float(np.median(heights)) if heights else _REMOVE_MM, seed)

    def mask(self, scan: Scan) -> NDArray[np.bool_]:
        """The part.

        Returns
        -------
        (N,) bool
            True = part. All True where the policy removes nothing or this scan shows no plane.

        Raises
        ------
        ScanError
            If nothing stands out of the plane.
        """
        if not self.plane:
            return np.ones(len(scan), bool)
        part = ~plane_background(scan, distance=from_mm(self.distance_mm, scan.unit), sure=False, seed=self.seed)
        if not part.any():
            raise ScanError(
                f"Scan {scan.source or scan.name} shows no part, only its support",
                "Check the scan, or train the model again without background removal",
            )
        return part

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays, for a model file."""
        return {
            "plane": np.array(self.plane),
            "distance_mm": np.array(self.distance_mm),
            "seed": np.array(self.seed, np.int64),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> ForegroundPolicy:
        """What ``state`` gave."""
        return cls(bool(state["plane"]), float(state["distance_mm"]), int(state["seed"]))
