"""The body of an ASCII PLY file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ScanError
from core.formats.ply_header import DAMAGED, Element, Header, Property
from core.formats.ply_table import Table, short
from core.formats.table import read_table


def ascii_elements(path: Path, header: Header) -> list[tuple[Element, Table]]:
    tables = []
    skip = header.lines
    last = header.elements[-1]
    for element in header.elements:
        if element.count and element.properties:
            read_records = _ascii_plain if element.plain else _ascii_lists
            tables.append((element, read_records(path, element, skip)))
        skip += element.count
    if last.name in ("vertex", "face") and last.count and last.properties:
        _check_end(path, skip, last)
    return tables


def _ascii_plain(path: Path, element: Element, skip: int) -> Table:
    table = read_table(path, skip=skip, rows=element.count, columns=len(element.properties))
    return Table({p.name: _cast(path, p, table[:, i]) for i, p in enumerate(element.properties)}, {})


def _ascii_lists(path: Path, element: Element, skip: int) -> Table:
    plain: dict[str, list[str]] = {p.name: [] for p in element.properties if not p.length_type}
    lengths: dict[str, list[int]] = {p.name: [] for p in element.properties if p.length_type}
    values: dict[str, list[str]] = {p.name: [] for p in element.properties if p.length_type}
    row = 0
    with path.open("r", encoding="latin-1") as file:
        for number, line in enumerate(file, 1):
            if number <= skip:
                continue
            if row == element.count:
                break
            words = line.split()
            at = 0
            for p in element.properties:
                length = 1
                if p.length_type:
                    word = words[at] if at < len(words) else ""
                    length = int(word) if word.isascii() and word.isdigit() and len(word) < 10 else -1
                    at += 1
                    lengths[p.name].append(length)
                if length < 0 or at + length > len(words):
                    raise ScanError(f"{path}, line {number}: is no {element.name} record", DAMAGED)
                (values if p.length_type else plain)[p.name] += words[at : at + length]
                at += length
            if at != len(words):
                raise ScanError(f"{path}, line {number}: holds {len(words)} values where {at} are due", DAMAGED)
            row += 1
    if row < element.count:
        raise short(path, element, row)

    def numbers(words: list[str], p: Property) -> NDArray[Any]:
        try:
            return _cast(path, p, np.array(words, dtype=np.float64) if words else np.empty(0))
        except ValueError as error:
            raise ScanError(f"{path}: its property {p.name} holds text ({error})", "Export the file again") from None

    by_name = {p.name: p for p in element.properties}
    return Table(
        {name: numbers(words, by_name[name]) for name, words in plain.items()},
        {name: (np.array(lengths[name], np.int64), numbers(words, by_name[name])) for name, words in values.items()},
    )


def _cast(path: Path, p: Property, values: NDArray[np.float64]) -> NDArray[Any]:
    """Numbers of a text in the property's declared type."""
    dtype = np.dtype(p.type)
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return values.astype(dtype)
    limits = np.iinfo(dtype)
    if len(values) and not (values.min() >= limits.min and values.max() <= limits.max):
        raise ScanError(
            f"{path}: its property {p.name} holds {values.min():g} to {values.max():g}, which {dtype} cannot hold",
            "Export the file again",
        )
    with np.errstate(invalid="ignore"):  # 2**63 itself
        return values.astype(dtype)


def _check_end(path: Path, lines: int, last: Element) -> None:
    """Raise if anything but blank lines follows line ``lines``."""
    with path.open("rb") as file:
        seen, rest = 0, b""
        while chunk := file.read(1 << 20):
            ends = chunk.count(b"\n")
            if seen + ends >= lines:
                at = -1
                for _ in range(lines - seen):
                    at = chunk.index(b"\n", at + 1)
                rest = chunk[at + 1 :] + file.read(1 << 16)
                break
            seen += ends
    if rest.strip():
        raise ScanError(
            f"{path}, line {lines + 1}: more lines follow than the {last.count:,} {last.name} records of the header",
            "The count in the header is wrong: export the file again",
        )
