"""PLY: ASCII and binary, any property types, clouds and meshes.

Read by this module rather than by open3d, whose readers print a warning and hand out an empty or half-filled cloud for
a truncated body, believe any count in the header, and offer no list properties of vertices. A strict header and NumPy's
structured records are also faster (2 M points with colours: 0.1 s).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ScanError
from core.formats.fields import scan_of_fields
from core.formats.limits import check_points, file_size
from core.formats.mesh import Mesh, MeshSampling, sample_mesh
from core.formats.ply_ascii import ascii_elements
from core.formats.ply_binary import binary_elements
from core.formats.ply_header import DAMAGED, Element, Header, least_bytes, read_header
from core.formats.raw import RawScan


def read_vertices(path: Path) -> dict[str, NDArray[Any]]:
    """Every plain vertex property by its own name, in its own type: what an annotated PLY holds.

    Returns
    -------
    dict of str to (N,) array

    Raises
    ------
    ScanError
        If the file is damaged.
    """
    return _read(path, read_header(path))[0]


def read(path: Path, sampling: MeshSampling) -> RawScan:
    """A PLY file's points; a mesh is sampled.

    Raises
    ------
    ScanError
        If the header is not sound, the body is shorter or longer than it claims, or there are no coordinates.
    """
    header = read_header(path)
    vertices, faces = _read(path, header)
    scan = scan_of_fields(vertices, path)
    if faces is None or len(faces) == 0:
        return scan
    return sample_mesh(Mesh(scan.points, faces, scan.colors, scan.labels), sampling, path)


def _read(path: Path, header: Header) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64] | None]:
    """Vertex properties, and the faces as triangles (F, 3) where the file has any."""
    vertex, size = _checked(path, header)
    tables = ascii_elements(path, header) if header.ascii else binary_elements(path, header, size)
    fields, faces = {}, None
    for element, table in tables:
        if element.name == "vertex":
            fields = table.plain
        elif element.name == "face":
            name = next((n for n in ("vertex_indices", "vertex_index") if n in table.lists), None)
            if name is not None:
                faces = _triangles(path, *table.lists[name], vertex.count)
    return fields, faces


def check(path: Path) -> None:
    """Raise ``ScanError`` if the header is not sound, or claims more than the file can hold."""
    _checked(path, read_header(path))


def _checked(path: Path, header: Header) -> tuple[Element, int]:
    """The vertex element and the bytes of the body, once the file can hold what the header claims."""
    vertex = header.element("vertex")
    if vertex is None:
        names = ", ".join(e.name for e in header.elements[:10]) or "none"
        raise ScanError(f"{path} has no element vertex; its elements are: {names}", "Export it as a point cloud")
    check_points(path, vertex.count)
    size = file_size(path) - header.size
    # Each record takes its numbers' bytes at least, or in ASCII a digit and a blank each.
    least = sum(e.count * least_bytes(e, header.ascii) for e in header.elements)
    if least > size + 1:  # the last blank may be missing
        raise ScanError(
            f"{path} claims {vertex.count:,} vertices, {least:,} bytes with all elements, but holds only {size:,}",
            DAMAGED,
        )
    return vertex, size


def _triangles(path: Path, lengths: NDArray[np.int64], indices: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Polygons as fans of triangles (F, 3)."""
    indices = indices.astype(np.int64)
    if len(indices) and not (indices.min() >= 0 and indices.max() < count):
        raise ScanError(f"{path} has a face with a vertex that is not there", "Export the mesh again")
    starts = np.cumsum(lengths) - lengths
    fans = []
    for corner in range(2, int(lengths.max(initial=0))):
        first = starts[lengths > corner]
        if len(first) == 0:
            break
        fans.append(np.stack([indices[first], indices[first + corner - 1], indices[first + corner]], axis=1))
        if corner > 1000:
            raise ScanError(f"{path} has a face of more than 1,000 corners", "Export the mesh as triangles")
    return np.concatenate(fans) if fans else np.empty((0, 3), np.int64)
