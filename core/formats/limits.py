"""What a file may claim before Nominal believes it.

Headers are believed only as far as the file's own size bears them out; these limits bound what a compressed format,
whose size says little, can make the program allocate.
"""

from __future__ import annotations

from pathlib import Path

from core.errors import ScanError

POINT_LIMIT = 50_000_000
"""Most points (or pixels) of one scan: 600 MB of coordinates."""

FIELD_LIMIT = 512
"""Most columns or properties of a point."""

HEADER_LIMIT = 1 << 20
"""Most bytes of a text header."""


def check_points(path: Path, count: int) -> None:
    """Raise ``ScanError`` if ``count`` points are none, or more than Nominal takes."""
    if count <= 0:
        raise ScanError(f"{path} holds no points", "Export the scan again and check that it is not empty")
    if count > POINT_LIMIT:
        raise ScanError(
            f"{path} claims {count:,} points, more than the {POINT_LIMIT:,} that Nominal takes in one scan",
            "Thin the scan, or export it again if the number is wrong",
        )


def check_fields(path: Path, count: int, what: str = "columns") -> None:
    """Raise ``ScanError`` if a point has more fields than any scanner writes."""
    if count > FIELD_LIMIT:
        raise ScanError(
            f"{path} has {count:,} {what} a point, more than the {FIELD_LIMIT} that Nominal takes",
            "Check that it is a point cloud, with one point a row",
        )


def file_size(path: Path) -> int:
    """Bytes of the file.

    Raises
    ------
    ScanError
        If it is missing, a folder, may not be read, or is empty.
    """
    try:
        if path.is_dir():
            raise ScanError(f"{path} is a folder", "Choose a scan file in it")
        with path.open("rb") as file:
            size = file.seek(0, 2)
    except OSError as error:
        raise ScanError(
            f"{path} cannot be opened ({error.strerror or error})", "Check that it exists and may be read"
        ) from error
    if size == 0:
        raise ScanError(f"{path} is empty", "Export the scan again")
    return size
