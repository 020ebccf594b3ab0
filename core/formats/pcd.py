"""PCD: ASCII, binary and compressed, with or without a grid.

The header and the records are read here, for the same reasons as in ``core.formats.ply``: open3d's reader hands out
what it has got of a truncated file, and drops the grid (WIDTH x HEIGHT). VIEWPOINT is not applied, as programs disagree
on what it means: points stay as they are stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ScanError
from core.formats.fields import scan_of_fields
from core.formats.limits import HEADER_LIMIT, check_fields, check_points, file_size
from core.formats.lzf import decompress_lzf
from core.formats.raw import RawScan
from core.formats.table import read_table

_KEYS = ("VERSION", "FIELDS", "SIZE", "TYPE", "COUNT", "WIDTH", "HEIGHT", "VIEWPOINT", "POINTS", "DATA")
_DAMAGED = "The file is cut short or damaged: copy or export it again"
_AGAIN = "Export the scan as PCD again"


@dataclass(frozen=True)
class Header:
    """A PCD header. ``dtype`` is one point's record; padding fields (``_``) and repeated names are numbered."""

    dtype: np.dtype[Any]
    width: int
    height: int
    data: str
    size: int
    lines: int

    @property
    def points(self) -> int:
        return self.width * self.height


def read_header(path: Path) -> Header:
    """The header of a PCD file.

    Raises
    ------
    ScanError
        If it is not a sound one; names the field.
    """
    file_size(path)
    with path.open("rb") as file:
        start = file.read(HEADER_LIMIT)
    entries: dict[str, list[str]] = {}
    position = number = 0
    while "DATA" not in entries:
        end = start.find(b"\n", position)
        number += 1
        if end < 0:
            raise ScanError(f"{path} is no PCD file, or its header has no DATA line", _AGAIN)
        line = start[position:end].decode("latin-1").strip()
        position = end + 1
        if not line or line.startswith("#"):
            continue
        key, *values = line.split()
        if key == "COLUMNS":  # the name of FIELDS in old files
            key = "FIELDS"
        if key not in _KEYS:
            raise ScanError(f"{path}, line {number}: {line[:60]!r} is no line of a PCD header", _AGAIN)
        entries[key] = values

    names = entries.get("FIELDS", [])
    check_fields(path, len(names), "fields")
    sizes = _numbers(path, entries, "SIZE", len(names), None)
    counts = _numbers(path, entries, "COUNT", len(names), 1)
    types = entries.get("TYPE", [])
    if not names or len(types) != len(names):
        raise ScanError(f"{path}: its header has {len(names)} FIELDS but {len(types)} TYPE entries", _AGAIN)
    check_fields(path, sum(counts), "fields")
    parts: list[Any] = []
    for i, (name, size, kind, count) in enumerate(zip(names, sizes, types, counts, strict=True)):
        if (kind, size) not in {(k, s) for k in "IU" for s in (1, 2, 4, 8)} | {("F", 4), ("F", 8)}:
            raise ScanError(
                f"{path}: its field {name} has TYPE {kind} and SIZE {size}, which PCD does not know", _AGAIN
            )
        if name == "_" or name in names[:i]:
            name = f"_{i} {name}"
        code = f"<{kind.lower()}{size}"
        parts.append((name, code) if count == 1 else (name, code, (count,)))
    (width,) = _numbers(path, entries, "WIDTH", 1, None)
    (height,) = _numbers(path, entries, "HEIGHT", 1, 1)
    (points,) = _numbers(path, entries, "POINTS", 1, width * height)
    if points != width * height:
        raise ScanError(f"{path}: its header claims {points:,} POINTS but WIDTH {width} x HEIGHT {height}", _AGAIN)
    check_points(path, points)
    data = " ".join(entries["DATA"]).lower()
    if data not in ("ascii", "binary", "binary_compressed"):
        raise ScanError(f"{path}: its DATA is {data[:40]!r}", "Export it as ascii, binary or binary_compressed")
    return Header(np.dtype(parts), width, height, data, position, number)


def _numbers(path: Path, entries: dict[str, list[str]], key: str, count: int, default: int | None) -> list[int]:
    values = entries.get(key)
    if values is None and default is not None:
        return [default] * count
    values = values or []
    if len(values) != count or not all(v.isascii() and v.isdigit() and len(v) <= 18 for v in values):
        raise ScanError(f"{path}: its header's {key} is {' '.join(values)[:60]!r}, not {count} whole numbers", _AGAIN)
    return [int(v) for v in values]


def check(path: Path) -> None:
    """Raise ``ScanError`` if the header is not sound, or claims more than the file can hold."""
    header = read_header(path)
    size = file_size(path) - header.size
    columns = sum(int(np.prod(header.dtype[name].shape)) for name in header.dtype.names or ())
    # In ASCII each number takes a digit and a blank; compressed bytes hold at most 90 times their number.
    least = {
        "ascii": 2 * columns * header.points - 1,
        "binary": header.dtype.itemsize * header.points,
        "binary_compressed": header.dtype.itemsize * header.points // 90,
    }[header.data]
    if least > size:
        raise ScanError(
            f"{path} claims {header.points:,} points, {least:,} bytes at least, but holds only {size:,}", _DAMAGED
        )


def read(path: Path) -> RawScan:
    """A PCD file's points, as a grid where HEIGHT is above 1.

    Raises
    ------
    ScanError
        If the header is not sound, or the body is shorter or longer than it claims.
    """
    check(path)
    header = read_header(path)
    size = file_size(path) - header.size
    if header.data == "ascii":
        columns = sum(int(np.prod(header.dtype[name].shape)) for name in header.dtype.names or ())
        table = read_table(path, skip=header.lines, columns=columns)
        if len(table) != header.points:
            raise ScanError(f"{path} claims {header.points:,} points but holds {len(table):,} lines of them", _DAMAGED)
        fields = _ascii_fields(header, table)
    elif header.data == "binary":
        if size >= header.dtype.itemsize * header.points + max(header.dtype.itemsize, 4096):
            raise ScanError(f"{path} holds far more bytes than the {header.points:,} points of its header", _AGAIN)
        with path.open("rb") as file:
            file.seek(header.size)
            records = np.fromfile(file, header.dtype, header.points)
        if len(records) < header.points:
            raise ScanError(f"{path} claims {header.points:,} points but ends after {len(records):,}", _DAMAGED)
        fields = {name: records[name] for name in header.dtype.names or ()}
    else:
        fields = _compressed_fields(path, header, size)
    fields = {name: values for name, values in fields.items() if values.ndim == 1 and not name.startswith("_")}
    organised = header.height > 1
    return scan_of_fields(fields, path, grid_shape=(header.height, header.width) if organised else None)


def _ascii_fields(header: Header, table: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    fields = {}
    column = 0
    for name in header.dtype.names or ():
        base, shape = header.dtype[name].base, header.dtype[name].shape
        if shape:
            column += shape[0]
            continue
        values = table[:, column]
        column += 1
        if base.kind == "f":
            with np.errstate(over="ignore"):
                fields[name] = values.astype(base)
        else:
            limits = np.iinfo(base)
            with np.errstate(invalid="ignore"):  # 2**63 itself
                fields[name] = np.clip(np.nan_to_num(values), float(limits.min), float(limits.max)).astype(base)
    return fields


def _compressed_fields(path: Path, header: Header, size: int) -> dict[str, NDArray[Any]]:
    """Fields of a compressed body: two lengths, then all values of the first field, all of the second, ..."""
    with path.open("rb") as file:
        file.seek(header.size)
        head = file.read(8)
        if len(head) < 8:
            raise ScanError(f"{path} ends before its compressed points", _DAMAGED)
        compressed, whole = (int(n) for n in np.frombuffer(head, "<u4"))
        if whole != header.dtype.itemsize * header.points:
            raise ScanError(
                f"{path} claims {header.points:,} points of {header.dtype.itemsize} bytes but {whole:,} bytes of data",
                _DAMAGED,
            )
        if compressed > size - 8:
            raise ScanError(f"{path} claims {compressed:,} compressed bytes but holds only {size - 8:,}", _DAMAGED)
        data = file.read(compressed)
    try:
        body = decompress_lzf(data, whole)
    except ValueError as error:
        raise ScanError(f"{path}: its points cannot be decompressed ({error})", _DAMAGED) from None
    fields = {}
    position = 0
    for name in header.dtype.names or ():
        dtype = header.dtype[name]
        end = position + dtype.itemsize * header.points
        fields[name] = body[position:end].view(dtype.base).reshape(header.points, *dtype.shape)
        position = end
    return fields
