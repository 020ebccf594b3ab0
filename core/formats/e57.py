"""E57, by pye57 (the extra ``e57``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core.errors import ScanError
from core.formats.limits import check_points, file_size
from core.formats.raw import RawScan

_COLORS = ("colorRed", "colorGreen", "colorBlue")


def read(path: Path, unit: str) -> RawScan:
    """All scans of an E57 file in its common frame.

    Raises
    ------
    ScanError
        If pye57 is not installed, or the file is damaged.
    """
    try:
        import pye57
    except ImportError as error:
        raise ScanError(
            f"{path} is an E57 file, and pye57, which reads these, is not installed",
            "Install it: pip install 'nominal[e57]'",
        ) from error
    file_size(path)
    clouds: list[dict[str, Any]] = []
    file = None
    try:
        file = pye57.E57(str(path))
        headers = [file.get_header(i) for i in range(file.scan_count)]
        check_points(path, sum(h.point_count for h in headers))
        for i, header in enumerate(headers):
            clouds.append(file.read_scan(i, ignore_missing_fields=True, colors=_COLORS[0] in header.point_fields))
    except ScanError:
        raise
    except Exception as error:  # pye57 raises its own and plain types for damaged files
        raise ScanError(
            f"{path} cannot be read as E57 ({str(error)[:120] or type(error).__name__})",
            "The file is cut short or damaged: copy or export it again",
        ) from error
    finally:
        if file is not None:
            file.close()
    axes = ("cartesianX", "cartesianY", "cartesianZ")
    if not clouds or not all(axis in cloud for cloud in clouds for axis in axes):
        raise ScanError(f"{path} holds no Cartesian points", "Export it with Cartesian coordinates")
    points = np.concatenate([np.stack([cloud[axis] for axis in axes], axis=1) for cloud in clouds])
    colors = None
    if all(c in cloud for cloud in clouds for c in _COLORS):
        colors = np.concatenate([np.stack([cloud[c] for c in _COLORS], axis=1) for cloud in clouds])
    raw = RawScan(points, colors=colors)
    if len(clouds) > 1:
        raw.notes.append(f"{len(clouds)} scans of the file were joined")
    if unit != "m":
        raw.notes.append(f"E57 files are in metres by their standard; this one is read in {unit}, as chosen")
    return raw
