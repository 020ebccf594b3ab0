"""Organised XYZ TIFF, as in MVTec 3D-AD: (H, W, 3) float, (0, 0, 0) where nothing was measured."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from core.errors import ScanError
from core.formats.limits import check_points, file_size
from core.formats.raw import RawScan

_DAMAGED = "The file is cut short or damaged: copy or export it again"


def read(path: Path) -> RawScan:
    """A TIFF's points, on its grid.

    Raises
    ------
    ScanError
        If the file is damaged or no XYZ image.
    """
    file_size(path)
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            shape, dtype = tuple(page.shape), page.dtype
            problem = _problem(shape, dtype)
            if not problem:
                check_points(path, math.prod(shape) // 3)
                _check_bytes(path, page, file_size(path))
                points = page.asarray()
    except ScanError:
        raise
    except Exception as error:  # tifffile raises many types for damaged files
        raise ScanError(
            f"{path} cannot be read as TIFF ({str(error)[:120] or type(error).__name__})",
            _DAMAGED,
        ) from error
    if problem:
        raise ScanError(f"{path} {problem}", "Nominal needs x, y and z a pixel: (height, width, 3) as float32")
    if points.shape[-1] != 3:
        points = np.moveaxis(points, 0, -1)
    return RawScan(points.astype("=f4" if points.dtype.itemsize == 4 else "=f8", copy=False))


def _problem(shape: tuple[int, ...], dtype: np.dtype | None) -> str:
    if dtype is None or dtype.kind != "f" or dtype.itemsize not in (4, 8):
        return f"holds an image of type {dtype}, not of coordinates"
    if len(shape) != 3 or 3 not in (shape[0], shape[-1]):
        return f"holds an image of shape {shape}" + (", a depth image without x and y" if len(shape) == 2 else "")
    return ""


def _check_bytes(path: Path, page: Any, size: int) -> None:
    """Raise if the strips lie outside the file, or are too few bytes for the picture that they claim to hold."""
    strips = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    held = sum(count for _, count in strips)
    needed = math.prod(page.shape) * page.dtype.itemsize
    if any(offset + count > size for offset, count in strips) or held > size:
        raise ScanError(f"{path} ends before its pixels do", _DAMAGED)
    # No compression that a TIFF may use packs more than 1,100 bytes of numbers into one.
    if held * (1 if page.compression == 1 else 1100) < needed or len(strips) > page.shape[0] * page.shape[1]:
        raise ScanError(f"{path} claims {needed:,} bytes of coordinates, but holds only {held:,}", _DAMAGED)


def siblings(path: Path) -> tuple[Path | None, Path | None]:
    """The registered image and the mask that MVTec 3D-AD puts beside ``.../xyz/NAME.tiff``, where they are."""
    if path.parent.name.lower() != "xyz":
        return None, None
    image = path.parent.parent / "rgb" / f"{path.stem}.png"
    mask = path.parent.parent / "gt" / f"{path.stem}.png"
    return (image if image.is_file() else None), (mask if mask.is_file() else None)
