"""From what a file holds to a Scan: the same checks for every format."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ScanError
from core.formats.limits import check_points
from core.scan import Scan

COORDINATE_LIMIT = 1e12
"""Beyond it, in any unit, a coordinate is a scanner's mark for "nothing measured", or damage."""

SHIFT_RATIO = 64.0
"""Double coordinates farther from zero than this many bounding-box diagonals are shifted before they become float32.

A float32 has 24 bits: at 64 diagonals from zero it resolves 4e-6 of the part, well below any scanner's noise.
"""


@dataclass
class RawScan:
    """What a reader found, before any check of its values.

    Attributes
    ----------
    points : (N, 3) or (H, W, 3) floating
        (H, W, 3) for organised scans; not finite where nothing was measured.
    normals : like ``points``, or None
    colors : like ``points``, or None
        Integers 0..255 or 0..65535, or floats 0..1 or 0..255.
    labels : (N,) or (H, W), or None
        Ground truth, not zero on a defect.
    grid : (H, W) integer, or None
        Where a file stores (N, 3) points and their grid apart: index of each pixel's point, -1 where there is none.
    image : (H, W, 3) uint8, or None
    unit : str, or None
        The unit that the file itself states.
    notes : list of str
    """

    points: NDArray[Any]
    normals: NDArray[Any] | None = None
    colors: NDArray[Any] | None = None
    labels: NDArray[Any] | None = None
    grid: NDArray[Any] | None = None
    image: NDArray[np.uint8] | None = None
    unit: str | None = None
    notes: list[str] = field(default_factory=list)


def to_scan(raw: RawScan, path: Path, *, unit: str, name: str = "") -> Scan:
    """The scan of what a reader found.

    Missing points (NaN, infinite, and (0, 0, 0) in organised scans) are dropped and their rows remembered; duplicates
    stay, with a note. Double coordinates far from zero are shifted by a rounded origin that the notes state, as float32
    could not hold them.

    Raises
    ------
    ScanError
        If no three different points are left, or arrays do not match.
    """
    notes = list(raw.notes)
    if raw.unit is not None and raw.unit != unit:
        raise ScanError(
            f"{path} says that its points are in {raw.unit}, but it is read as {unit}",
            f"Choose the unit {raw.unit}, or convert the file",
        )
    shape = raw.points.shape[:-1]
    organised = len(shape) == 2
    points = raw.points.reshape(-1, 3)
    check_points(path, len(points))
    measured = _measured(points, zero_is_missing=organised)
    rows: NDArray[np.int64] | None = None
    if measured is not None:
        rows = np.flatnonzero(measured)
        missing = len(points) - len(rows)
        if len(rows) == 0:
            raise ScanError(f"{path} holds no measured point", "Export the scan again; every coordinate is missing")
        notes.append(f"{missing:,} of {len(points):,} {'pixels' if organised else 'points'} hold no measurement")
        points = points[rows]
    points, shift_note = _as_float32(points)
    notes += shift_note
    _check_distinct(points, path)

    def per_point(array: NDArray[Any] | None, what: str, width: tuple[int, ...]) -> NDArray[Any] | None:
        if array is None:
            return None
        if array.shape != (*shape, *width):
            raise ScanError(
                f"{path} holds points of shape {raw.points.shape} but {what} of shape {array.shape}",
                f"Export the scan again, with one of the {what} for each point",
            )
        flat = array.reshape(-1, *width)
        return flat if rows is None else flat[rows]

    normals, normal_notes = _unit_normals(per_point(raw.normals, "normals", (3,)))
    notes += normal_notes
    labels, label_notes = _as_labels(per_point(raw.labels, "labels", ()))
    notes += label_notes
    colors = _as_colors(per_point(raw.colors, "colours", (3,)), path)
    grid = _grid(raw, shape, rows, path)
    image = raw.image
    if image is not None and (grid is None or image.shape != (*grid.shape, 3)):
        raise ScanError(
            f"{path} has an image of shape {image.shape}, which does not match "
            + ("its points: they lie on no grid" if grid is None else f"its grid of {grid.shape}"),
            "Give the image that is registered to the scan, pixel by pixel, or remove it",
        )
    if image is not None and colors is None and grid is not None:
        colors = np.empty((len(points), 3), np.uint8)
        colors[grid[grid >= 0]] = image[grid >= 0]
    duplicates = _duplicates(points)
    if duplicates:
        notes.append(f"{duplicates:,} points repeat another point")
    return Scan(
        points=points,
        normals=normals,
        colors=colors,
        grid=grid,
        image=image,
        labels=labels,
        unit=unit,
        source=path,
        name=name or path.stem,
        rows=rows if grid is None else None,
        file_points=int(np.prod(shape)) if grid is None else -1,
        notes=tuple(notes),
    )


def _measured(points: NDArray[Any], *, zero_is_missing: bool) -> NDArray[np.bool_] | None:
    """(N,) True where a point was measured, or None if all were."""
    # Two passes over the whole array tell the usual case, nothing missing; NaN makes both comparisons false.
    whole = bool(points.min() >= -COORDINATE_LIMIT) and bool(points.max() <= COORDINATE_LIMIT)
    if whole and not zero_is_missing:
        return None
    x, y, z = points[:, 0], points[:, 1], points[:, 2]
    measured = np.ones(len(points), bool)
    if not whole:
        with np.errstate(invalid="ignore"):
            for axis in (x, y, z):
                measured &= np.abs(axis) <= COORDINATE_LIMIT
    if zero_is_missing:
        measured &= (x != 0) | (y != 0) | (z != 0)
    return None if measured.all() else measured


def _check_distinct(points: NDArray[Any], path: Path) -> None:
    if len(points) > 1000 and len(np.unique(points[:1000], axis=0)) >= 3:
        return
    differs = (points != points[0]).any(axis=1)
    if differs.any():
        second = points[np.argmax(differs)]
        if (differs & (points != second).any(axis=1)).any():
            return
        problem = f"{path} holds only two different points"
    else:
        problem = f"{path} holds only one point" + (f", {len(points):,} times" if len(points) > 1 else "")
    raise ScanError(problem, "A scan needs three at least; export it again")


def _as_float32(points: NDArray[Any]) -> tuple[NDArray[np.float32], list[str]]:
    """Points as float32, shifted first where that would lose the part's detail."""
    if points.dtype.itemsize <= 4 and points.dtype.kind == "f":
        return np.ascontiguousarray(points, np.float32), []
    points = points.astype(np.float64, copy=False)
    low, high = points.min(axis=0), points.max(axis=0)
    diagonal = float(np.linalg.norm(high - low))
    if diagonal == 0 or max(np.abs(low).max(), np.abs(high).max()) <= SHIFT_RATIO * diagonal:
        return points.astype(np.float32), []
    # Rounded to a power of ten of at least ten diagonals, so that scans of one place share their origin.
    step = 10.0 ** np.ceil(np.log10(10.0 * diagonal))
    origin = np.round((low + high) / 2 / step) * step
    if not origin.any():
        return points.astype(np.float32), []
    text = ", ".join(f"{value:.12g}" for value in origin)
    return (points - origin).astype(np.float32), [f"coordinates are counted from the origin ({text})"]


def _unit_normals(normals: NDArray[Any] | None) -> tuple[NDArray[np.float32] | None, list[str]]:
    if normals is None:
        return None, []
    normals = normals.astype(np.float32)  # always a copy: it is scaled in place
    with np.errstate(all="ignore"):
        length = np.sqrt(np.einsum("ij,ij->i", normals, normals))
        usable = (length > 1e-6) & np.isfinite(length)
        if not usable.all():
            return None, [f"normals were left out: {np.count_nonzero(~usable):,} of them have no direction"]
        if np.abs(length - 1).max() > 1e-6:
            normals /= length[:, None]
    return normals, []


def _as_labels(labels: NDArray[Any] | None) -> tuple[NDArray[np.bool_] | None, list[str]]:
    if labels is None:
        return None, []
    if labels.dtype == np.bool_:
        return labels, []
    if labels.dtype.kind == "f":
        labels = np.nan_to_num(labels)
    marked = labels != 0
    values = labels[marked]
    if len(values) and values.min() != values.max():
        return marked, ["labels hold more than two values: all that are not zero are taken as defects"]
    return marked, []


def _as_colors(colors: NDArray[Any] | None, path: Path) -> NDArray[np.uint8] | None:
    if colors is None or colors.dtype == np.uint8:
        return colors
    if colors.dtype.kind == "f":
        colors = np.nan_to_num(colors)
    low, high = float(colors.min()), float(colors.max())
    whole_numbers = colors.dtype.kind in "iu" or (high > 1 and bool((colors == np.round(colors)).all()))
    if low < 0 or high > (65535 if whole_numbers else 255):
        raise ScanError(
            f"{path} holds colours from {low:g} to {high:g}", "Export colours as 0 to 255, 0 to 65535 or 0 to 1"
        )
    if whole_numbers:
        return (colors / 257 if high > 255 else colors).astype(np.uint8)
    return np.round(colors * 255 if high <= 1 else colors).astype(np.uint8)


def _grid(raw: RawScan, shape: tuple[int, ...], rows: NDArray[np.int64] | None, path: Path) -> NDArray[np.int32] | None:
    if len(shape) == 2:
        pixels = np.full(shape[0] * shape[1], -1, np.int32)
        pixels[slice(None) if rows is None else rows] = np.arange(len(pixels) if rows is None else len(rows))
        return pixels.reshape(shape)
    if raw.grid is None:
        return None
    grid: NDArray[Any] = np.asarray(raw.grid)
    if grid.ndim != 2 or grid.dtype.kind not in "iu":
        raise ScanError(f"{path} has a grid of shape {grid.shape} and type {grid.dtype}", "Store it as integers (H, W)")
    grid = grid.astype(np.int64)
    named = grid[grid >= 0]
    if len(named) != shape[0] or len(named) == 0 or named.max() >= shape[0] or np.bincount(named).max() > 1:
        raise ScanError(f"{path} has a grid that does not name each of its {shape[0]:,} points once", "Export it again")
    if rows is not None:
        renumbered = np.full(shape[0] + 1, -1, np.int64)  # the last entry stands for -1
        renumbered[rows] = np.arange(len(rows))
        grid = renumbered[grid]
    return grid.astype(np.int32)


def _duplicates(points: NDArray[np.float32]) -> int:
    """How many points repeat an earlier one.

    Counted over 64-bit hashes of the coordinates: sorting these takes a twentieth of sorting the points, and two
    different points of 50 million share one with a chance below 1e-4.
    """
    bits = (points + np.float32(0.0)).view(np.uint32)  # adding zero makes -0 and 0 the same
    with np.errstate(over="ignore"):
        code = bits[:, 0] * np.uint64(0x9E3779B97F4A7C15)
        code ^= code >> np.uint64(29)
        code = (code + bits[:, 1]) * np.uint64(0xBF58476D1CE4E5B9)
        code ^= code >> np.uint64(32)
        code = (code + bits[:, 2]) * np.uint64(0x94D049BB133111EB)
        code ^= code >> np.uint64(31)
    code.sort()
    return int(np.count_nonzero(code[1:] == code[:-1]))
