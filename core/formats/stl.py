"""STL meshes, binary and ASCII.

Read here, not by open3d: its readers go through a C++ importer that prints and repairs silently where a file is
damaged.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from core.errors import ScanError
from core.formats.limits import file_size
from core.formats.mesh import Mesh, MeshSampling, sample_mesh
from core.formats.raw import RawScan

_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_HEADER = 80
_AGAIN = "Export the mesh again"
_VERTEX = re.compile(rb"^\s*vertex\s+(\S+)\s+(\S+)\s+(\S+)\s*$", re.MULTILINE | re.IGNORECASE)


def read(path: Path, sampling: MeshSampling) -> RawScan:
    """An STL mesh, sampled.

    Raises
    ------
    ScanError
        If it is damaged.
    """
    size = file_size(path)
    with path.open("rb") as file:
        start = file.read(_HEADER + 4)
        count = int(np.frombuffer(start[_HEADER:], "<u4")[0]) if len(start) == _HEADER + 4 else -1
        # Some programs begin binary files with "solid" too, so the size decides first.
        if count >= 0 and size == _HEADER + 4 + count * _RECORD.itemsize:
            corners = np.fromfile(file, _RECORD, count)["corners"].reshape(-1, 3)
        elif start.lstrip()[:5].lower() == b"solid" and b"\0" not in start:
            corners = _ascii_corners(path, start + file.read())
        else:
            raise ScanError(
                f"{path} claims {count:,} triangles, {_HEADER + 4 + count * _RECORD.itemsize:,} bytes, but has {size:,}"
                if count >= 0
                else f"{path} is too short for an STL file",
                "The file is cut short or damaged: copy or export it again",
            )
    if len(corners) == 0:
        raise ScanError(f"{path} holds no triangles", _AGAIN)
    triangles = np.arange(len(corners), dtype=np.int64).reshape(-1, 3)
    return sample_mesh(Mesh(corners, triangles), sampling, path)


def _ascii_corners(path: Path, text: bytes) -> np.ndarray:
    words = _VERTEX.findall(text)
    facets = len(re.findall(rb"^\s*endfacet", text, re.MULTILINE | re.IGNORECASE))
    if len(words) != 3 * facets or text.lower().count(b"vertex") != len(words) or b"endsolid" not in text.lower():
        raise ScanError(
            f"{path} holds {len(words):,} corners in {facets:,} triangles, or does not end with endsolid",
            "The file is cut short or damaged: copy or export it again",
        )
    try:
        return np.array(words, dtype=np.float64).reshape(-1, 3)
    except ValueError as error:
        raise ScanError(f"{path} holds a corner that is no number ({error})", _AGAIN) from None
