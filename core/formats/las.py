"""LAS and LAZ, by laspy (the extra ``las``)."""

from __future__ import annotations

import struct
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
    _check_header(path, size)
    try:
        # Not the parallel reader: it reserves what a damaged chunk table asks for, and aborts if that fails.
        with laspy.open(path, laz_backend=laspy.LazBackend.Lazrs) as file:
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


def _check_header(path: Path, size: int) -> None:
    """Raise if the header counts more records than the file has room for: laspy would try to read them all.

    Offsets as in the LAS 1.4 R15 specification, table 3.
    """
    with path.open("rb") as file:
        header = file.read(375)
    if len(header) < 227:
        raise ScanError(f"{path} ends within its header", _DAMAGED)
    header_size, data_offset, records = struct.unpack_from("<HII", header, 94)
    extended = 0
    if header[25] >= 4 and len(header) >= 247:
        start, extended = struct.unpack_from("<QI", header, 235)
        if extended and start + 60 * extended > size:
            raise ScanError(f"{path} claims {extended:,} extended records, more than it holds", _DAMAGED)
    if not header_size + 54 * records <= data_offset <= size:
        raise ScanError(
            f"{path} claims {records:,} variable records and points from byte {data_offset:,} of {size:,}", _DAMAGED
        )
    if header[104] & 0x80:
        _check_chunk_table(path, data_offset, size)


def _check_chunk_table(path: Path, data_offset: int, size: int) -> None:
    """Raise if a LAZ file's table of chunks is not there or counts more chunks than it has bytes.

    The decompressor reserves memory for that count, and aborts the whole program where that fails. Layout as in the
    LASzip specification: the first eight bytes of the data say where the table lies; it begins with version and count.
    """
    with path.open("rb") as file:
        file.seek(data_offset)
        first = file.read(8)
        where = int.from_bytes(first, "little", signed=True) if len(first) == 8 else size
        if where == -1:  # written to a stream: the offset lies at the very end
            file.seek(-8, 2)
            where = int.from_bytes(file.read(8), "little", signed=True)
        count = size
        if data_offset + 8 <= where <= size - 8:
            file.seek(where)
            count = int.from_bytes(file.read(8)[4:], "little")
    if count >= size:
        raise ScanError(f"{path} has no sound table of its compressed chunks", _DAMAGED)
