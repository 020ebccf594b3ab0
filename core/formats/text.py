"""Points as text: XYZ, ASC, TXT, CSV, PTS. Delimiter and columns are detected, and never guessed.

A header line that names its columns decides. Without one, three columns are x, y, z; four are x, y, z, label if the
last holds only 0 and 1; six are x, y, z and normals if these have length one, or colours if they are whole numbers from
0 to 255. Anything else is an error that shows the first lines and the ways out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ScanError
from core.formats.fields import role_of, scan_of_fields
from core.formats.limits import check_fields, check_points, file_size
from core.formats.raw import RawScan
from core.formats.table import read_table

_LINE_LIMIT = 1 << 16
_COMMENTS = ("#", "//", "%", ";", "!", "'", '"')
_BY_SUFFIX = {
    ".xyzn": ("x", "y", "z", "nx", "ny", "nz"),
    ".xyzrgb": ("x", "y", "z", "red", "green", "blue"),
}
_PTS = {  # Leica's PTS fixes them by their number
    3: ("x", "y", "z"),
    4: ("x", "y", "z", "intensity"),
    6: ("x", "y", "z", "red", "green", "blue"),
    7: ("x", "y", "z", "intensity", "red", "green", "blue"),
}
_WAYS_OUT = "Put a line with the columns' names first, such as: x y z nx ny nz (or red green blue, label)"
_NORMAL, _COLOR = ("nx", "ny", "nz"), ("red", "green", "blue")


@dataclass(frozen=True)
class Layout:
    """How a text is laid out.

    Attributes
    ----------
    skip : int
        Lines before the first row.
    delimiter : str, or None
        None for blanks and tabs.
    columns : int
    names : tuple of str, or None
        From a header line.
    claimed : int, or None
        Number of points that a line of its own states, as PTS files begin with.
    decimal_comma : bool
    encoding : str
    first_lines : tuple of str
    """

    skip: int
    delimiter: str | None
    columns: int
    names: tuple[str, ...] | None
    claimed: int | None
    decimal_comma: bool
    encoding: str
    first_lines: tuple[str, ...]


def read(path: Path) -> RawScan:
    """A text's points.

    Raises
    ------
    ScanError
        If it is no table of numbers, or what its columns mean cannot be known.
    """
    file_size(path)
    layout = detect(path)
    if layout.decimal_comma or layout.encoding == "utf-16":
        table = _translated(path, layout)
    else:
        table = read_table(path, skip=layout.skip, columns=layout.columns, delimiter=layout.delimiter)
    check_points(path, len(table))
    if layout.claimed is not None and layout.claimed != len(table):
        raise ScanError(
            f"{path} claims {layout.claimed:,} points but holds {len(table):,}",
            "The file is cut short or its count is wrong: export it again",
        )
    names = layout.names or _names_by_values(path, layout, table)
    raw = scan_of_fields({name: table[:, i] for i, name in enumerate(names)}, path)
    unused = [name for name in names if role_of(name) is None]
    if unused:
        raw.notes.append(f"columns not used: {', '.join(unused)}")
    if layout.decimal_comma:
        raw.notes.append("commas were read as decimal points")
    return raw


def holds_numbers(path: Path) -> bool:
    """Whether a text begins, after comments and one header line, with a row of at least three numbers."""
    try:
        return detect(path).columns >= 3
    except (ScanError, OSError):
        return False


def detect(path: Path) -> Layout:
    """Find how a text is laid out, from its first lines.

    Raises
    ------
    ScanError
        If there is no row of numbers in them.
    """
    with path.open("rb") as file:
        start = file.read(4 * _LINE_LIMIT)
    encoding = "utf-16" if start.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    if encoding == "utf-16":
        start = start[: len(start) // 2 * 2]
    elif b"\0" in start:
        raise ScanError(f"{path} holds bytes that are no text", "Export the scan again")
    text = start.decode(encoding, "replace").removeprefix("\ufeff")
    lines = text.split("\n")
    if len(start) == 4 * _LINE_LIMIT and len(lines) > 1:
        lines = lines[:-1]  # cut in the middle
    lines = [line.rstrip("\r") for line in lines]
    if any(len(line) > _LINE_LIMIT for line in lines[:100]):
        raise ScanError(
            f"{path} has lines of more than {_LINE_LIMIT:,} letters", "Check that it is a point cloud, one point a line"
        )
    names: tuple[str, ...] | None = None
    claimed: int | None = None
    for skip, line in enumerate(lines[:1000]):
        if not line.strip():
            continue
        delimiter, decimal_comma = _delimiter(line)
        values = _split(line, delimiter)
        if all(_number(value, decimal_comma) is not None for value in values):
            if len(values) == 1 and claimed is None and re.fullmatch(r"\d{1,18}", values[0]):
                claimed = int(values[0])
                continue
            check_fields(path, len(values))
            if len(values) < 3:
                raise _ambiguous(path, lines, f"has {len(values)} columns, too few for x, y and z")
            if names is not None and len(names) != len(values):
                raise _ambiguous(path, lines, f"names {len(names)} columns but its rows have {len(values)}")
            return Layout(skip, delimiter, len(values), names, claimed, decimal_comma, encoding, _first_lines(lines))
        found = _header_names(line)
        if found is not None:
            names = found
        elif not line.lstrip().startswith(_COMMENTS):
            break
    raise _ambiguous(path, lines, "has no row of numbers after its first lines")


def _delimiter(line: str) -> tuple[str | None, bool]:
    """The delimiter of a line (None for blanks), and whether its commas are decimal points."""
    stripped = line.strip()
    for delimiter in (";", "\t", "|"):
        if delimiter in stripped:
            return delimiter, "," in stripped
    if "," not in stripped:
        return None, False
    # "1,5 2,5 3,5": commas without a blank after them, in words that blanks part
    words = stripped.split()
    if len(words) >= 3 and all(re.fullmatch(r"[-+]?\d+(,\d+)?([eE][-+]?\d+)?", w) for w in words):
        return None, True
    return ",", False


def _split(line: str, delimiter: str | None) -> list[str]:
    return [value.strip() for value in line.strip().split(delimiter)]


def _number(value: str, decimal_comma: bool) -> float | None:
    try:
        return float(value.replace(",", ".") if decimal_comma else value)
    except ValueError:
        return None


def _header_names(line: str) -> tuple[str, ...] | None:
    """Names of the columns, if this line has x, y and z among them."""
    plain = line.strip()
    for mark in _COMMENTS:
        plain = plain.removeprefix(mark)
    plain = plain.strip().strip('"')
    delimiter, _ = _delimiter(plain)
    if delimiter is None:
        plain = re.sub(r"\s+([\[(])", r"\1", plain)  # "X [mm]" is one name
    values = [value.strip('"') for value in _split(plain, delimiter)]
    roles = [role_of(value) for value in values]
    return tuple(values) if all(axis in roles for axis in "xyz") else None


def _translated(path: Path, layout: Layout) -> NDArray[np.float64]:
    """The table of a text with decimal commas or in UTF-16, by way of a plain copy."""
    try:
        text = path.read_bytes().decode(layout.encoding)
    except UnicodeDecodeError:
        text = path.read_bytes().decode("latin-1")
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")[layout.skip :]
    if layout.decimal_comma:
        lines = [line.replace(",", ".") for line in lines]
    rows = [line.split(layout.delimiter) for line in lines if line.strip()]
    for number, row in enumerate(rows, layout.skip + 1):
        if len(row) != layout.columns:
            raise ScanError(
                f"{path}, line {number}: holds {len(row)} values where {layout.columns} are due", "Correct that line"
            )
    try:
        return np.array(rows, dtype=np.float64)
    except ValueError as error:
        raise ScanError(f"{path} holds a value that is no number ({error})", "Correct or remove that line") from None


def _names_by_values(path: Path, layout: Layout, table: NDArray[np.float64]) -> tuple[str, ...]:
    """What the columns of a text without a header are, where their number or values leave no doubt."""
    columns = layout.columns
    suffix = path.suffix.lower()
    fixed = _BY_SUFFIX.get(suffix, ())
    if len(fixed) == columns:
        return fixed
    if suffix == ".pts" and columns in _PTS:
        return _PTS[columns]
    if columns == 3:
        return ("x", "y", "z")
    kinds: list[tuple[str, ...]] = []
    at = 3
    while at < columns:
        if at + 3 <= columns:
            options = [k for k, fits in ((_NORMAL, _are_normals), (_COLOR, _are_colors)) if fits(table[:, at : at + 3])]
            if len(options) == 1 and options[0] not in kinds:
                kinds.append(options[0])
                at += 3
                continue
            break
        if at + 1 == columns and np.isin(table[:, at], (0, 1)).all():
            kinds.append(("label",))
            at += 1
            continue
        break
    if at != columns:
        raise _ambiguous(
            path,
            list(layout.first_lines),
            f"has {columns} columns and no header: what columns {at + 1} to {columns} mean cannot be known",
        )
    return ("x", "y", "z", *(name for kind in kinds for name in kind))


def _are_normals(columns: NDArray[Any]) -> bool:
    known = columns[np.isfinite(columns).all(axis=1)]
    return len(known) > 0 and bool((np.abs(np.linalg.norm(known, axis=1) - 1) < 1e-2).all())


def _are_colors(columns: NDArray[Any]) -> bool:
    whole = bool((columns == np.round(columns)).all())  # NaN is not equal to itself
    return whole and columns.min() >= 0 and 1 < columns.max() <= 255


def _first_lines(lines: list[str]) -> tuple[str, ...]:
    return tuple(line[:80] for line in lines if line.strip())[:3]


def _ambiguous(path: Path, lines: list[str], problem: str) -> ScanError:
    shown = " / ".join(_first_lines(lines))
    return ScanError(f"{path} {problem}. It begins: {shown}", _WAYS_OUT)
