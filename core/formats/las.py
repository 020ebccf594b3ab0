"""LAS and LAZ, by laspy (the extra ``las``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.errors import ScanError
from core.formats.limits import check_points, file_size
from core.formats.raw import RawScan

_DAMAGED = "The file is cut short or damaged: copy or export it again"


def read(path: Path) -> RawScan:
    """A LAS or LAZ file's points.

    Raises
    ------
    ScanError
        If laspy is not installed, or the file is damaged.
    """
    try:
        import laspy
    except ImportError as error:
        raise ScanError(
            f"{path} is a LAS file, and laspy, which reads these, is not installed",
            "Install it: pip install 'nominal[las]'",
        ) from error
    size = file_size(path)
    try:
        with laspy.open(path) as file:
            header = file.header
            count = header.point_count
            check_points(path, count)
            needed = 0 if header.are_points_compressed else count * header.point_format.size
            if needed > size:
                raise ScanError(f"{path} claims {count:,} points, {needed:,} bytes, but holds only {size:,}", _DAMAGED)
            data = file.read()
    except ScanError:
        raise
    except (KeyboardInterrupt, SystemExit):
        raise
    except (
        BaseException
    ) as error:  # laspy raises many types for damaged files, its Rust back end panics outside Exception
        raise ScanError(
            f"{path} cannot be read as LAS ({str(error)[:120] or type(error).__name__})", _DAMAGED
        ) from error
    if len(data.points) != count:
        raise ScanError(f"{path} claims {count:,} points but holds {len(data.points):,}", _DAMAGED)
    points = np.stack([np.asarray(data.x), np.asarray(data.y), np.asarray(data.z)], axis=1).astype(np.float64)
    names = set(header.point_format.dimension_names)
    colors = None
    if {"red", "green", "blue"} <= names:
        colors = np.stack([np.asarray(data[c]) for c in ("red", "green", "blue")], axis=1)
        if not colors.any():  # the format has the fields, the scanner had no camera
            colors = None
    labels = np.asarray(data["label"]) if "label" in names else None
    return RawScan(points, colors=colors, labels=labels)
