"""Scan: one measurement of one part."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import ScanError


def _frozen(array: ArrayLike, dtype: Any) -> NDArray[Any]:
    """``array`` as a contiguous, read-only array of ``dtype``, copied only where the caller could still write to it."""
    result = np.ascontiguousarray(array, dtype=dtype)
    if result.flags.writeable:
        if result is array or np.shares_memory(result, np.asarray(array)):
            result = result.view()
        result.flags.writeable = False
    return result


@dataclass(frozen=True, eq=False)
class Scan:
    """One measurement of one part. Arrays are read-only; derived scans are new objects.

    Every array is taken as it is, without a copy where its type fits: whoever makes a scan hands its arrays over.

    Attributes
    ----------
    points : (N, 3) float32
        Measured points in the file's unit, all finite.
    normals : (N, 3) float32, unit length, or None
    colors : (N, 3) uint8, or None
    grid : (H, W) int32, or None
        Index into ``points`` of each sensor pixel, -1 where nothing was measured. Present for organised scans.
    image : (H, W, 3) uint8, or None
        RGB image registered to ``grid``.
    labels : (N,) bool, or None
        Ground truth, True on a defect.
    unit : str
        Unit of ``points``: "mm", "m", "um", "inch" or "cm".
    source : Path, or None
        The file it came from.
    name : str
        What to call it; defaults to the file's stem.
    rows : (N,) int64, or None
        For files that also held rows without a measurement (NaN): the file's row of each point.
    file_points : int
        How many points (or pixels, for organised scans) the file holds; N if nothing was missing.
    notes : tuple of str
        What the reader wants the user to know (missing points, sampled meshes, ...).
    """

    points: NDArray[np.float32]
    normals: NDArray[np.float32] | None = None
    colors: NDArray[np.uint8] | None = None
    grid: NDArray[np.int32] | None = None
    image: NDArray[np.uint8] | None = None
    labels: NDArray[np.bool_] | None = None
    unit: str = "mm"
    source: Path | None = None
    name: str = ""
    rows: NDArray[np.int64] | None = None
    file_points: int = -1
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        put("name", self.name or (self.source.stem if self.source else "scan"))
        put("points", _frozen(self.points, np.float32))
        count = len(self.points)
        if self.points.shape != (count, 3):
            raise self._error(f"holds points of shape {self.points.shape}, not (N, 3)")
        if count == 0:
            raise self._error("holds no measured points")
        if not np.isfinite(self.points).all():
            raise self._error("holds points that are not finite")
        for name, dtype, width in (("normals", np.float32, (3,)), ("colors", np.uint8, (3,)), ("labels", np.bool_, ())):
            value = getattr(self, name)
            if value is not None:
                put(name, _frozen(value, dtype))
                if getattr(self, name).shape != (count, *width):
                    raise self._error(f"holds {count} points but {name} of shape {getattr(self, name).shape}")
        if self.grid is not None:
            put("grid", _frozen(self.grid, np.int32))
            indices = self.grid[self.grid >= 0]
            if self.grid.ndim != 2 or len(indices) != count or np.bincount(indices, minlength=count).max() != 1:
                raise self._error("has a grid that does not name each point once")
        if self.image is not None:
            put("image", _frozen(self.image, np.uint8))
            if self.grid is None or self.image.shape != (*self.grid.shape, 3):
                raise self._error(f"has an image of shape {self.image.shape} that does not match its grid")
        if self.rows is not None:
            put("rows", _frozen(self.rows, np.int64))
            if self.rows.shape != (count,):
                raise self._error("has row numbers that do not match its points")
        if self.file_points < 0:
            put("file_points", count if self.grid is None else self.grid.size)

    def _error(self, problem: str) -> ScanError:
        return ScanError(f"Scan {self.source or self.name} {problem}", "Check the file or export it again")

    def __len__(self) -> int:
        return len(self.points)

    @property
    def organised(self) -> bool:
        """Whether the points lie on a sensor grid."""
        return self.grid is not None

    @property
    def bounds(self) -> NDArray[np.float32]:
        """(2, 3): lowest and highest corner of the axis-aligned bounding box."""
        return np.stack([self.points.min(axis=0), self.points.max(axis=0)])

    @property
    def diagonal(self) -> float:
        """Length of the bounding box's diagonal, in ``unit``."""
        low, high = self.bounds
        return float(np.linalg.norm(high - low))

    def replaced(self, **changes: Any) -> Scan:
        """A new scan with these fields changed."""
        return replace(self, **changes)

    def select(self, keep: NDArray[Any]) -> Scan:
        """The scan of the points in ``keep``.

        Parameters
        ----------
        keep : (N,) bool or (M,) int
            A mask, or indices without repeats. The grid keeps its shape: pixels of dropped points become -1.
        """
        indices = np.flatnonzero(keep) if keep.dtype == np.bool_ else np.asarray(keep)

        def of(array: NDArray[Any] | None) -> NDArray[Any] | None:
            return None if array is None else array[indices]

        grid = self.grid
        if grid is not None:
            renumbered = np.full(len(self) + 1, -1, dtype=np.int32)  # the last entry stands for -1
            renumbered[indices] = np.arange(len(indices), dtype=np.int32)
            grid = renumbered[grid]
        rows = indices if self.rows is None and self.grid is None else self.rows
        if self.rows is not None:
            rows = self.rows[indices]
        return replace(
            self,
            points=self.points[indices],
            normals=of(self.normals),
            colors=of(self.colors),
            labels=of(self.labels),
            grid=grid,
            rows=rows,
        )

    def in_file_order(self, values: NDArray[Any]) -> NDArray[Any]:
        """Per-point ``values`` laid out as the file had them, NaN where the file had no measurement.

        Parameters
        ----------
        values : (N,) or (N, k) floating

        Returns
        -------
        (H, W) or (H, W, k) for organised scans, else (file_points,) or (file_points, k)
        """
        if self.grid is not None:
            padded = np.concatenate([values, np.full((1, *values.shape[1:]), np.nan, values.dtype)])
            return padded[self.grid]  # -1 is the padding row
        if self.rows is None:
            return values
        result = np.full((self.file_points, *values.shape[1:]), np.nan, values.dtype)
        result[self.rows] = values
        return result
