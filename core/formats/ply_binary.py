"""The body of a binary PLY file."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.errors import ScanError
from core.formats.ply_header import DAMAGED, Element, Header, least_bytes
from core.formats.ply_table import Table, short


def binary_elements(path: Path, header: Header, size: int) -> list[tuple[Element, Table]]:
    tables = []
    wanted = {"vertex", "face"} & {e.name for e in header.elements}
    with path.open("rb") as file:
        file.seek(header.size)
        for element in header.elements:
            table = (_plain_records if element.plain else _list_records)(path, file, element, header.order)
            tables.append((element, table))
            wanted.discard(element.name)
            if not wanted:
                break
        left = header.size + size - file.tell()
        last = tables[-1][0]
        record = least_bytes(last, False)
        if last is header.elements[-1] and record and left >= record + 2:  # a line end after the body is harmless
            raise ScanError(
                f"{path} holds {left:,} bytes more than the {last.count:,} {last.name} records that its header claims",
                "The count in the header is wrong: export the file again",
            )
    return tables


def _plain_records(path: Path, file: BinaryIO, element: Element, order: str) -> Table:
    if not element.properties:
        return Table({}, {})
    dtype = np.dtype([(p.name, order + p.type) for p in element.properties])
    # Not a memory map: a file that another program cuts short meanwhile would end this one.
    records = np.fromfile(file, dtype, element.count)
    if len(records) < element.count:
        raise short(path, element, len(records))
    return Table({p.name: records[p.name] for p in element.properties}, {})


def _list_records(path: Path, file: BinaryIO, element: Element, order: str) -> Table:
    """Records with lists, read in runs of equal lengths: a mesh of triangles is one run.

    The lengths found in a run's first record give the layout of all its records; the run ends where a length differs.
    """
    start = file.tell()
    body = np.fromfile(file, np.uint8)
    if len(element.properties) == 1 and element.count:
        table, end = _single_list(path, body, element, order)
        file.seek(start + end)
        return table
    plain: dict[str, list[NDArray[Any]]] = {p.name: [] for p in element.properties if not p.length_type}
    lengths: dict[str, list[NDArray[Any]]] = {p.name: [] for p in element.properties if p.length_type}
    values: dict[str, list[NDArray[Any]]] = {p.name: [] for p in element.properties if p.length_type}
    done, position, window = 0, 0, 64
    while done < element.count:
        layout, found = _layout(path, element, order, body, position, done)
        most = min(element.count - done, (len(body) - position) // layout.itemsize, window)
        records = body[position : position + most * layout.itemsize].view(layout)
        same = np.ones(most, bool)
        for name, length in found.items():
            same &= records[f"length {name}"] == length
        run = most if same.all() else int(np.argmin(same))
        window = min(window * 4, 1 << 22) if run == most else 64
        for p in element.properties:
            if p.length_type:
                lengths[p.name].append(np.full(run, found[p.name], np.int64))
                values[p.name].append(records[p.name][:run].reshape(-1))
            else:
                plain[p.name].append(records[p.name][:run])
        done += run
        position += run * layout.itemsize
    file.seek(start + position)

    def whole(parts: list[NDArray[Any]], dtype: str) -> NDArray[Any]:
        return np.concatenate(parts) if parts else np.empty(0, order + dtype)

    return Table(
        {p.name: whole(plain[p.name], p.type) for p in element.properties if not p.length_type},
        {
            p.name: (whole(lengths[p.name], "i8"), whole(values[p.name], p.type))
            for p in element.properties
            if p.length_type
        },
    )


def _single_list(path: Path, body: NDArray[np.uint8], element: Element, order: str) -> tuple[Table, int]:
    """Records of one list and nothing else, as most faces are, and the bytes they take.

    Mixed triangles and quads would make the runs above one record long, so the lengths are walked through one by one.
    """
    (p,) = element.properties
    layout, found = _layout(path, element, order, body, 0, 0)
    length = found[p.name]
    end = layout.itemsize * element.count
    if end <= len(body):
        records = body[:end].view(layout)
        if (records[f"length {p.name}"] == length).all():
            lengths = np.full(element.count, length, np.int64)
            return Table({}, {p.name: (lengths, records[p.name].reshape(-1))}), end
    width, item = np.dtype(p.length_type).itemsize, np.dtype(p.type).itemsize
    byteorder: Any = "big" if order == ">" else "little"
    data = body.tobytes()
    starts, found_lengths = [], []
    at = 0
    for row in range(element.count):
        length = int.from_bytes(data[at : at + width], byteorder)
        if at + width + length * item > len(data):
            raise short(path, element, row)
        starts.append(at)
        found_lengths.append(length)
        at += width + length * item
    keep = np.ones(at, bool)
    for i in range(width):
        keep[np.array(starts) + i] = False
    values = body[:at][keep].view(order + p.type)
    return Table({}, {p.name: (np.array(found_lengths, np.int64), values)}), at


def _layout(
    path: Path, element: Element, order: str, body: NDArray[np.uint8], position: int, row: int
) -> tuple[np.dtype[Any], dict[str, int]]:
    """The record at ``position``: its type, and the length of each list."""
    parts: list[Any] = []
    found: dict[str, int] = {}
    for p in element.properties:
        if not p.length_type:
            parts.append((p.name, order + p.type))
            position += np.dtype(p.type).itemsize
            continue
        code = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q"}[p.length_type]
        width = struct.calcsize("<" + code)
        if position + width > len(body):
            raise short(path, element, row)
        (length,) = struct.unpack(order + code, body[position : position + width].tobytes())
        position += width
        bytes_needed = length * np.dtype(p.type).itemsize
        if length < 0 or position + bytes_needed > len(body):
            raise ScanError(
                f"{path}, {element.name} {row}: its list {p.name} claims {length:,} values, more than the file holds",
                DAMAGED,
            )
        position += bytes_needed
        parts += [(f"length {p.name}", order + p.length_type), (p.name, order + p.type, (length,))]
        found[p.name] = length
    if position > len(body):
        raise short(path, element, row)
    return np.dtype(parts), found
