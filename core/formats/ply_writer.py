"""Writing PLY: points with scalar fields, as CloudCompare and MeshLab read them.

Binary little endian with float32 coordinates; x y z, normals, colours, then the fields, in this order, as CloudCompare
looks for colours by substring of a name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.files import written_whole

_TYPES = {"<f4": "float", "<i4": "int", "|u1": "uchar"}
_CHUNK = 1 << 14
"""Points laid out at a time: their records stay in the processor's cache, which is four times faster."""

_NO_FIELDS: Mapping[str, NDArray[Any]] = MappingProxyType({})


def write_ply(
    path: Path,
    points: NDArray[Any],
    *,
    normals: NDArray[Any] | None = None,
    colors: NDArray[np.uint8] | None = None,
    fields: Mapping[str, NDArray[Any]] = _NO_FIELDS,
    comments: Sequence[str] = (),
) -> None:
    """Write a point cloud, whole or not at all.

    Parameters
    ----------
    points : (N, 3)
        Written as float32.
    normals : (N, 3), or None
    colors : (N, 3) uint8, or None
    fields : mapping of str to (N,) float32, int32 or uint8
        Types are kept; bool becomes uint8. Names may hold letters, digits and underscores; CloudCompare shows a
        ``scalar_`` name without being asked.
    comments : sequence of str
        Header comments; line ends become blanks, letters outside ASCII their nearest.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    points = np.asarray(points)
    count = len(points)
    columns: list[tuple[str, NDArray[Any]]] = []
    for names, array, dtype in (
        (("x", "y", "z"), points, "<f4"),
        (("nx", "ny", "nz"), normals, "<f4"),
        (("red", "green", "blue"), colors, "|u1"),
    ):
        if array is None:
            continue
        if array.shape != (count, 3):
            raise ValueError(f"{names} need an array of shape {(count, 3)}, not {array.shape}")
        columns += [(name, array[:, i].astype(dtype, copy=False)) for i, name in enumerate(names)]
    for name, values in fields.items():
        if values.shape != (count,):
            raise ValueError(f"field {name} needs the shape {(count,)}, not {values.shape}")
        if not re.fullmatch(r"\w+", name, re.ASCII):
            raise ValueError(f"field name {name!r} holds more than letters, digits and underscores")
        kept = values.astype(np.uint8) if values.dtype == np.bool_ else values
        kept = kept.astype(kept.dtype.newbyteorder("<"), copy=False)
        if kept.dtype.str not in _TYPES:
            raise ValueError(f"field {name} has type {values.dtype}, not float32, int32 or uint8")
        columns.append((name, kept))
    header = ["ply", "format binary_little_endian 1.0"]
    header += [f"comment {_one_line(comment)}" for comment in comments]
    header.append(f"element vertex {count}")
    header += [f"property {_TYPES[column.dtype.str]} {name}" for name, column in columns]
    header.append("end_header\n")
    with written_whole(path) as temporary, temporary.open("wb") as file:
        file.write("\n".join(header).encode("ascii"))
        records = np.empty(min(count, _CHUNK), [(name, column.dtype.str) for name, column in columns])
        for start in range(0, count, _CHUNK):
            part = records[: min(_CHUNK, count - start)]
            for name, column in columns:
                part[name] = column[start : start + _CHUNK]
            part.tofile(file)


def _one_line(text: str) -> str:
    """``text`` as one line of printable ASCII."""
    letters = (c for c in unicodedata.normalize("NFKD", text.replace("µ", "u")) if not unicodedata.combining(c))
    plain = "".join(letters).encode("ascii", "replace").decode("ascii")
    return " ".join("".join(c if c.isprintable() else " " for c in plain).split())
