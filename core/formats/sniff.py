"""What a file is by its first bytes, whatever its name says."""

from __future__ import annotations

import re
from pathlib import Path

_MAGIC = (
    (b"ply\n", "PLY"),
    (b"ply\r", "PLY"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\x93NUMPY", "NPY"),
    (b"PK\x03\x04", "NPZ"),
    (b"PK\x05\x06", "NPZ"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"LASF", "LAS"),
    (b"ASTM-E57", "E57"),
    (b"\x89PNG", "PNG"),
    (b"%PDF", "PDF"),
    (b"\x1f\x8b", "gzip"),
    (b"\xff\xd8\xff", "JPEG"),
)
_SAMPLE = 4096


def sniff(path: Path) -> str:
    """The kind of a file: "PLY", "PCD", "TIFF", "NPY", "NPZ", "HDF5", "LAS", "E57", "STL", "OBJ", "text", or another.

    "text" is text of no other kind, "binary" anything unknown. Binary STL has no mark: its size tells it.
    """
    with path.open("rb") as file:
        start = file.read(_SAMPLE)
        size = file.seek(0, 2)
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return kind
    if len(start) >= 84 and size == 84 + 50 * int.from_bytes(start[80:84], "little"):
        return "STL"
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text"  # UTF-16
    if re.search(rb"^(VERSION\s+\.?\d|FIELDS\s|COLUMNS\s)", start, re.MULTILINE) and re.search(
        rb"^(SIZE|TYPE|WIDTH)\s", start, re.MULTILINE
    ):
        return "PCD"
    if b"\0" in start or sum(byte < 9 or 13 < byte < 32 for byte in start) > len(start) // 50:
        return "binary"
    if re.match(rb"\s*solid\b", start, re.IGNORECASE) and re.search(rb"facet|endsolid", start, re.IGNORECASE):
        return "STL"
    if re.search(rb"^v\s+\S+\s+\S+\s+\S+", start, re.MULTILINE):
        return "OBJ"
    return "text"
