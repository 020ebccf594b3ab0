"""Good scans turned defective: one made defect each, graded in size, on a random place of the part.

For choosing between methods where no defective part is at hand. Only the points move: a photograph stays as it was.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from core.geometry.normals import estimate_normals
from core.geometry.views import sensor_view
from core.scan import Scan
from core.synthesis.defects import Field, Site, bulge, dent, hole, scratch

KINDS = ("dent", "bulge", "scratch", "hole")
HEIGHTS = (0.0025, 0.005, 0.01)
"""Depth or height of a made defect as a share of the part's diagonal, 0.25 to 1 mm on a part of 100 mm."""
_RADIUS = 0.03
"""Of the defect over the part's diagonal; a scratch is four times as long as a dent is wide."""
_LEAST_POINTS = 20
"""Moved points below which another place is tried: what the scan hardly measures is no fair test."""
_TRIES = 12
"""Places tried before the defect is made wider, for scans of few points."""
_WIDENINGS = (1.0, 1.5, 2.25, 3.375)
_LABELLED = 0.1
"""A point that moved by more than this share of the height is labelled."""


def made_defective(scan: Scan, part: NDArray[np.bool_], kind: str, height: float, seed: int = 0) -> Scan | None:
    """A scan with one made defect.

    Parameters
    ----------
    scan : Scan
        Of a good part.
    part : (N,) bool
        Which of its points are the part; the defect lies among these.
    kind : str
        One of ``KINDS``.
    height : float
        Share of the part's diagonal by which its surface moves at most, above 0.
    seed : int
        Of the place; the same scan name, kind, height and seed give the same defect.

    Returns
    -------
    Scan or None
        With labels; None where no place has enough points. Normals that the scan has are estimated anew where points
        moved.
    """
    chosen = np.flatnonzero(part)
    if len(chosen) < _LEAST_POINTS:
        return None
    points = scan.points[chosen]
    diagonal = float(np.linalg.norm(np.ptp(points, axis=0)))
    rng = np.random.default_rng([zlib.crc32(f"{scan.name} {kind} {height}".encode()), seed])
    depth = height * diagonal
    outwards = sensor_view(scan)[2] if scan.organised else None
    for trial in range(_TRIES * len(_WIDENINGS)):
        radius = _RADIUS * diagonal * _WIDENINGS[trial // _TRIES]
        reach = (4.0 if kind == "scratch" else 1.0) * radius
        center = points[rng.integers(len(points))]
        near = np.flatnonzero(((points - center) ** 2).sum(axis=1) <= (1.5 * reach) ** 2)
        if len(near) < _LEAST_POINTS:
            continue
        around = points[near]
        normals = estimate_normals(around, k=min(30, len(near)))
        front = normals[int(((around - center) ** 2).sum(axis=1).argmin())].copy()
        away = outwards if outwards is not None else center - points.mean(axis=0)
        if float(front @ away) < 0:
            front *= -1.0
        normals[normals @ front < 0] *= -1.0
        field = _field(kind, Site.at(center, front, rng.uniform(0, 2 * np.pi)), radius, depth)
        moved = field(around)
        touched = np.abs(moved) > _LABELLED * depth
        if int(touched.sum()) >= _LEAST_POINTS:
            return _changed(scan, chosen[near], around + moved[:, None] * normals, touched)
    return None


def _field(kind: str, site: Site, radius: float, depth: float) -> Field:
    reach = 1.5 * radius
    if kind == "dent":
        return dent(site, radius, depth, reach=reach)
    if kind == "bulge":
        return bulge(site, radius, depth, reach=reach)
    if kind == "scratch":
        return scratch(site, 4.0 * radius, 0.5 * radius, depth, reach=reach)
    if kind == "hole":
        return hole(site, 0.5 * radius, depth, wall=0.1 * radius, reach=reach)
    raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}")


def _changed(scan: Scan, places: NDArray[np.int64], moved: NDArray[np.float32], touched: NDArray[np.bool_]) -> Scan:
    points, labels = scan.points.copy(), np.zeros(len(scan), bool)
    points[places], labels[places] = moved, touched
    normals = scan.normals
    if normals is not None:
        fresh = estimate_normals(moved.astype(np.float32), k=min(30, len(places)))
        fresh[np.einsum("ij,ij->i", fresh, normals[places]) < 0] *= -1.0
        normals = normals.copy()
        normals[places] = np.where(touched[:, None], fresh, normals[places])
    return scan.replaced(points=points, normals=normals, labels=labels)
