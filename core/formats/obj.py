"""Wavefront OBJ meshes: vertices, their colours and faces; everything else in the file is for pictures.

Read here for the same reason as STL.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from core.errors import ScanError
from core.formats.limits import check_points, file_size
from core.formats.mesh import Mesh, MeshSampling, sample_mesh
from core.formats.raw import RawScan

_AGAIN = "Export the mesh again"


def read(path: Path, sampling: MeshSampling) -> RawScan:
    """An OBJ mesh, sampled; without faces its vertices are the points.

    Raises
    ------
    ScanError
        If it is damaged; names the line.
    """
    file_size(path)
    rows: list[list[float]] = []
    triangles: list[tuple[int, int, int]] = []
    with path.open("r", encoding="latin-1") as file:
        for number, line in enumerate(file, 1):
            words = line.split()
            if not words or words[0] not in ("v", "f"):
                continue
            try:
                if words[0] == "v":
                    if len(words) not in (4, 5, 7, 8):
                        raise ValueError
                    rows.append([float(word) for word in words[1:]])
                    continue
                corners = [int(word.split("/", 1)[0]) for word in words[1:]]
                corners = [c - 1 if c > 0 else len(rows) + c for c in corners]
                if len(corners) < 3 or len(corners) > 1000 or not all(0 <= c < len(rows) for c in corners):
                    raise ValueError
                triangles += [(corners[0], b, c) for b, c in pairwise(corners[1:])]
            except ValueError:
                raise ScanError(f"{path}, line {number}: {line.strip()[:60]!r} is no sound line", _AGAIN) from None
    check_points(path, len(rows))
    width = len(rows[0])
    if any(len(row) != width for row in rows):
        raise ScanError(f"{path} has vertices with {width} numbers and others with more or fewer", _AGAIN)
    table = np.array(rows, dtype=np.float64)
    colors = table[:, -3:] if width >= 6 else None
    if not triangles:
        return RawScan(table[:, :3], colors=colors)
    return sample_mesh(Mesh(table[:, :3], np.array(triangles, np.int64), colors), sampling, path)
