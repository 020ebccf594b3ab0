"""What the header of a PLY file declares: elements, their properties, and where the body begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import ScanError
from core.formats.limits import HEADER_LIMIT, check_fields, file_size

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1",
    "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "int64": "i8", "long": "i8", "uint64": "u8", "ulong": "u8",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": "="}
DAMAGED = "The file is cut short or damaged: copy or export it again"


@dataclass(frozen=True)
class Property:
    """One property of an element; ``length_type`` is the type of a list's length, "" for a plain number."""

    name: str
    type: str
    length_type: str = ""


@dataclass(frozen=True)
class Element:
    """One element of the header, such as vertex or face."""

    name: str
    count: int
    properties: tuple[Property, ...]

    @property
    def plain(self) -> bool:
        """Whether no property is a list, so that all records have one size."""
        return not any(p.length_type for p in self.properties)


@dataclass(frozen=True)
class Header:
    """A PLY header.

    Attributes
    ----------
    order : str
        "<" or ">" for binary files, "=" for ASCII.
    size : int
        Bytes up to the body.
    lines : int
        Lines up to the body.
    """

    order: str
    elements: tuple[Element, ...]
    comments: tuple[str, ...]
    size: int
    lines: int

    @property
    def ascii(self) -> bool:
        return self.order == "="

    def element(self, name: str) -> Element | None:
        return next((e for e in self.elements if e.name == name), None)


def read_header(path: Path) -> Header:
    """The header of a PLY file.

    Raises
    ------
    ScanError
        If it is none, or not a sound one; names the line.
    """
    file_size(path)
    with path.open("rb") as file:
        start = file.read(HEADER_LIMIT)
    if not start.startswith((b"ply\n", b"ply\r\n")):
        raise ScanError(f"{path} is no PLY file: its first line is not 'ply'", "Export the scan as PLY again")
    comments: list[str] = []
    elements: list[tuple[str, int, list[Property]]] = []
    order = ""
    position, number = start.index(b"\n") + 1, 1

    def error(problem: str, remedy: str = "Export the scan as PLY again") -> ScanError:
        return ScanError(f"{path}, line {number}: {problem}", remedy)

    while True:
        end = start.find(b"\n", position)
        number += 1
        if end < 0:
            raise error("the header has no end_header", DAMAGED)
        line = start[position:end].decode("latin-1").strip()
        position = end + 1
        words = line.split()
        if not words:
            raise error("the header has a blank line")
        if words[0] == "end_header":
            break
        if words[0] in ("comment", "obj_info"):
            comments.append(line[len(words[0]) :].strip())
        elif words[0] == "format":
            if len(words) != 3 or words[1] not in _ORDERS:
                raise error(f"unknown format {line[:60]!r}", "Export it as PLY 1.0, ascii or binary")
            order = _ORDERS[words[1]]
        elif words[0] == "element":
            if len(words) != 3 or not (words[2].isascii() and words[2].isdigit()) or len(words[2]) > 18:
                raise error(f"{line[:60]!r} is no element with a count")
            if any(name == words[1] for name, _, _ in elements):
                raise error(f"a second element {words[1][:40]!r}")
            elements.append((words[1], int(words[2]), []))
        elif words[0] == "property":
            if not elements:
                raise error("a property before any element")
            properties = elements[-1][2]
            properties.append(_property(words, error))
            check_fields(path, len(properties), "properties")
            if any(p.name == properties[-1].name for p in properties[:-1]):
                raise error(f"a second property {properties[-1].name[:40]!r}")
        else:
            raise error(f"unknown header line {line[:60]!r}")
    if not order:
        raise error("the header names no format")
    parts = tuple(Element(name, count, tuple(properties)) for name, count, properties in elements)
    return Header(order, parts, tuple(comments), position, number)


def _property(words: list[str], error: Any) -> Property:
    if len(words) == 3 and words[1] in _TYPES:
        return Property(words[2], _TYPES[words[1]])
    if len(words) == 5 and words[1] == "list" and words[2] in _TYPES and words[3] in _TYPES:
        if _TYPES[words[2]].startswith("f"):
            raise error(f"a list's length cannot be {words[2]}")
        return Property(words[4], _TYPES[words[3]], _TYPES[words[2]])
    raise error(f"{' '.join(words)[:60]!r} is no property of a known type")


def least_bytes(element: Element, is_ascii: bool) -> int:
    """Bytes that one record takes at least: its numbers' own, or in ASCII a digit and a blank each."""
    if is_ascii:
        return 2 * len(element.properties)
    return sum(np.dtype(p.length_type or p.type).itemsize for p in element.properties)
