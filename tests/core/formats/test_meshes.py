"""STL and OBJ meshes."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from core.errors import ScanError
from core.formats.mesh import Mesh, MeshSampling, sample_mesh
from core.formats.reader import read_scan

TRIANGLES = [((0, 0, 0), (2, 0, 0), (0, 2, 0)), ((0, 0, 5), (1, 0, 5), (0, 1, 5))]


def binary_stl() -> bytes:
    records = b"".join(struct.pack("<12fH", 0, 0, 0, *a, *b, *c, 0) for a, b, c in TRIANGLES)
    return b"solid but binary".ljust(80, b" ") + struct.pack("<I", len(TRIANGLES)) + records


def ascii_stl() -> bytes:
    facets = "".join(
        "facet normal 0 0 0\nouter loop\n" + "".join(f"vertex {x} {y} {z}\n" for x, y, z in t) + "endloop\nendfacet\n"
        for t in TRIANGLES
    )
    return f"solid part\n{facets}endsolid part\n".encode()


def obj() -> bytes:
    corners = [c for t in TRIANGLES for c in t]
    vertices = "".join(f"v {x} {y} {z}\n" for x, y, z in corners)
    return f"# made by hand\no part\n{vertices}vn 0 0 1\nf 1//1 2//1 3//1\ns off\nf -3/1/1 -2 -1\n".encode()


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.stl", binary_stl()), ("b.stl", ascii_stl()), ("a.obj", obj())],
    ids=["binary", "ascii", "obj"],
)
def test_points_are_shared_by_area(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    scan = read_scan(path, mesh_points=1000, seed=7)
    low = scan.points[scan.points[:, 2] == 0]
    assert len(low) == 800  # areas 2 and 0.5, drawn in strata
    assert len(scan) == 1000
    assert (scan.points[:, :2].sum(axis=1) <= 2 + 1e-6).all()
    # The mean of a triangle is its centroid (2/3, 2/3); its spread 2/sqrt(18), over sqrt(800) draws.
    np.testing.assert_allclose(low[:, :2].mean(axis=0), [2 / 3, 2 / 3], atol=4 * 0.4714 / 800**0.5)
    np.testing.assert_allclose(scan.normals, np.tile([0, 0, 1], (1000, 1)), atol=1e-7)
    assert scan.notes[0] == "1,000 points drawn evenly from a mesh of 2 triangles, seed 7"
    assert not np.array_equal(read_scan(path, mesh_points=1000, seed=8).points, scan.points)


def test_obj_with_colours_and_without_faces(tmp_path: Path) -> None:
    path = tmp_path / "a.obj"
    path.write_text("v 0 0 0 1 0 0\nv 1 0 0 0 1 0\nv 0 1 0 0 0 1\n")
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.colors, np.eye(3) * 255)


def test_triangles_without_area_are_left_out() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [np.nan, 0, 0]])
    mesh = Mesh(vertices, np.array([[0, 1, 2], [0, 0, 1], [0, 1, 3]]))
    raw = sample_mesh(mesh, MeshSampling(50), Path("a.stl"))
    assert np.isfinite(raw.points).all()
    assert "2 triangles without area" in raw.notes[1]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.stl", binary_stl()[:-1], "claims 2 triangles|no sound|corners"),
        ("a.stl", b"\0" * 80 + struct.pack("<I", 200_000_000) + b"\0" * 50, "claims 200,000,000 triangles"),
        ("a.stl", b"\0" * 84, "no triangles"),
        ("a.stl", b"\1\0\2", "too short"),
        ("a.stl", ascii_stl()[:-60], "corners"),
        ("a.stl", ascii_stl().replace(b"vertex 2 0 0", b"vertex 2 x 0"), "no number"),
        ("a.stl", b"\0" * 80 + struct.pack("<I", 1) + b"\0" * 50, "without any area"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 4\n", "line 4"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 zero\n", "line 4"),
        ("a.obj", b"v 0 0 0\nv 1 0\n", "line 2"),
        ("a.obj", b"v 0 0 0\nv 1 0 0 1 1 1\nv 0 1 0\n", "3 numbers and others"),
        ("a.obj", b"o part\nvn 0 0 1\n", "holds text|no points"),
    ],
)
def test_bad_meshes_are_named(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ScanError, match=words) as error:
        read_scan(path)
    assert name in error.value.problem
