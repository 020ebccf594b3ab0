"""PLY files written byte by byte here, never by the program's own writer."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import ScanError
from core.formats.ply import read_vertices
from core.formats.ply_header import read_header
from core.formats.reader import read_scan

POINTS = [(0.0, 0.5, 1.0), (10.0, -2.5, 3.0), (4.0, 5.0, -6.25), (7.0, 7.0, 7.0)]
_CODES = {
    "char": "b", "uchar": "B", "short": "h", "ushort": "H", "int": "i", "uint": "I", "float": "f", "double": "d",
    "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "float32": "f", "float64": "d",
}  # fmt: skip


def header(form: str, *lines: str) -> bytes:
    return "\n".join(["ply", f"format {form} 1.0", *lines, "end_header\n"]).encode()


def xyz(count: int = 4, kind: str = "float") -> tuple[str, ...]:
    return (f"element vertex {count}", *(f"property {kind} {axis}" for axis in "xyz"))


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "scan.ply"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("form", "order"), [("binary_little_endian", "<"), ("binary_big_endian", ">")])
def test_binary_with_normals_colours_and_labels(tmp_path: Path, form: str, order: str) -> None:
    properties = ["float nx", "float ny", "float nz", "uchar red", "uchar green", "uchar blue", "int scalar_label"]
    body = b"".join(
        struct.pack(order + "ffffffBBBi", *p, 0, 0, 2.0, 10 * i, 0, 255, i % 2) for i, p in enumerate(POINTS)
    )
    path = written(tmp_path, header(form, *xyz(), *(f"property {p}" for p in properties)) + body)
    scan = read_scan(path, unit="cm")
    np.testing.assert_array_equal(scan.points, np.array(POINTS, np.float32))
    np.testing.assert_array_equal(scan.normals, [[0, 0, 1]] * 4)
    np.testing.assert_array_equal(scan.colors, [[0, 0, 255], [10, 0, 255], [20, 0, 255], [30, 0, 255]])
    np.testing.assert_array_equal(scan.labels, [False, True, False, True])
    assert (scan.unit, scan.name, scan.source, scan.file_points) == ("cm", "scan", path, 4)


def test_ascii_with_comments_and_windows_line_ends(tmp_path: Path) -> None:
    text = header("ascii", "comment made by hand", "obj_info 7", *xyz(kind="double"))
    text += b"\n".join(b"%g %g %g" % p for p in POINTS) + b"\n\n"
    path = written(tmp_path, text.replace(b"\n", b"\r\n"))
    np.testing.assert_array_equal(read_scan(path).points, np.array(POINTS, np.float32))
    assert read_header(path).comments == ("made by hand", "7")


@pytest.mark.parametrize("form", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_vertex_lists_are_passed_over(tmp_path: Path, form: str) -> None:
    lists = [[], [1], [2, 3, 4], [5]]
    head = header(form, *xyz(), "property list uchar int views", "property uchar red")
    if form == "ascii":
        body = "".join(
            f"{x} {y} {z} {len(v)} {' '.join(map(str, v))} 9\n" for (x, y, z), v in zip(POINTS, lists, strict=True)
        ).encode()
    else:
        order = "<" if "little" in form else ">"
        body = b"".join(
            struct.pack(f"{order}fffB{len(v)}iB", *p, len(v), *v, 9) for p, v in zip(POINTS, lists, strict=True)
        )
    path = written(tmp_path, head + body)
    np.testing.assert_array_equal(read_scan(path).points, np.array(POINTS, np.float32))
    np.testing.assert_array_equal(read_vertices(path)["red"], [9, 9, 9, 9])


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_order_and_type_of_properties(tmp_path: Path, data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(["ascii", "binary_little_endian", "binary_big_endian"]))
    axes = [(axis, data.draw(st.sampled_from(["float", "double", "int", "short", "float64"]))) for axis in "xyz"]
    extras = [(f"extra_{i}", k) for i, k in enumerate(data.draw(st.lists(st.sampled_from(sorted(_CODES)), max_size=4)))]
    properties = data.draw(st.permutations(axes + extras))
    rows = data.draw(
        st.lists(
            st.lists(st.integers(0, 100), min_size=len(properties), max_size=len(properties)), min_size=3, max_size=9
        )
    )
    at = [[name for name, _ in properties].index(axis) for axis in "xyz"]
    expected = np.array(rows, np.float64)[:, at]
    head = header(form, f"element vertex {len(rows)}", *(f"property {kind} {name}" for name, kind in properties))
    if form == "ascii":
        body = "".join(" ".join(map(str, row)) + "\n" for row in rows).encode()
    else:
        code = (">" if "big" in form else "<") + "".join(_CODES[kind] for _, kind in properties)
        body = b"".join(struct.pack(code, *row) for row in rows)
    path = written(tmp_path, head + body)
    if len(np.unique(expected, axis=0)) < 3:
        with pytest.raises(ScanError, match=r"different points|only one point"):
            read_scan(path)
        return
    np.testing.assert_array_equal(read_scan(path).points, expected.astype(np.float32))
    for i, (name, kind) in enumerate(properties):
        values = read_vertices(path)[name]
        np.testing.assert_array_equal(values, [row[i] for row in rows])
        assert values.dtype.itemsize == struct.calcsize(_CODES[kind])


@pytest.mark.parametrize("form", ["ascii", "binary_little_endian"])
@pytest.mark.parametrize("name", ["vertex_indices", "vertex_index"])
def test_mesh_is_sampled(tmp_path: Path, form: str, name: str) -> None:
    # A unit square at z = 2 as one triangle and one quad that repeats a corner: the same area twice.
    corners = [(0, 0, 2), (1, 0, 2), (1, 1, 2), (0, 1, 2)]
    faces = [(0, 1, 2), (0, 2, 3, 3)]
    head = header(form, *xyz(), "property uchar label", "element face 2", f"property list uchar int {name}")
    labels = [0, 0, 0, 0]
    if form == "ascii":
        body = "".join(f"{x} {y} {z} {v}\n" for (x, y, z), v in zip(corners, labels, strict=True))
        body += "".join(f"{len(f)} {' '.join(map(str, f))}\n" for f in faces)
        data = body.encode()
    else:
        data = b"".join(struct.pack("<fffB", *c, v) for c, v in zip(corners, labels, strict=True))
        data += b"".join(struct.pack(f"<B{len(f)}i", len(f), *f) for f in faces)
    path = written(tmp_path, head + data)
    scan = read_scan(path, mesh_points=4000, seed=3)
    assert len(scan) == 4000
    assert (scan.points[:, 2] == 2).all()
    np.testing.assert_allclose(scan.normals, np.tile([0, 0, 1], (4000, 1)), atol=1e-6)
    counts, _, _ = np.histogram2d(scan.points[:, 0], scan.points[:, 1], bins=2, range=[[0, 1], [0, 1]])
    assert counts.min() > 900  # 1000 each
    assert "4,000 points drawn evenly" in scan.notes[0]
    assert "seed 3" in scan.notes[0]
    assert scan.labels is not None
    assert not scan.labels.any()
    np.testing.assert_array_equal(read_scan(path, mesh_points=4000, seed=3).points, scan.points)


def test_mesh_labels_come_from_the_nearest_corner(tmp_path: Path) -> None:
    head = header("ascii", *xyz(3), "property uchar label", "element face 1", "property list uchar int vertex_indices")
    path = written(tmp_path, head + b"0 0 0 1\n1 0 0 0\n0 1 0 0\n3 0 1 2\n")
    scan = read_scan(path, mesh_points=3000)
    nearest_is_origin = 1 - scan.points[:, 0] - scan.points[:, 1] > scan.points[:, :2].max(axis=1)
    assert scan.labels is not None
    assert (scan.labels == nearest_is_origin).mean() > 0.999  # float32 ties aside


BINARY = header("binary_little_endian", *xyz())
BODY = b"".join(struct.pack("<fff", *p) for p in POINTS)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"ply\nformat ascii 1.0\n", "no end_header"),
        (b"ply\n" + b"comment " + b"x" * 2_000_000, "no end_header"),
        (header("ascii", "element vertex", "property float x"), "line 3"),
        (header("ascii", "element vertex -4"), "line 3"),
        (header("ascii", "element vertex " + "9" * 5000), "line 3"),
        (header("binary_middle_endian", *xyz()), "unknown format"),
        (b"ply\n" + b"\n".join(b"property float x" for _ in range(3)), "before any element"),
        (header("ascii", *xyz(), "property float x"), "second property 'x'"),
        (header("ascii", *xyz(), "property quaternion q"), "line 7.*known type"),
        (header("ascii", *xyz(), "property list float int q"), "length cannot be float"),
        (header("ascii", *xyz(), *(f"property float f{i}" for i in range(50_000))), "properties a point"),
        (header("ascii", "element vertex 4", "property float x", "property float y") + b"1 2\n" * 4, "no field z"),
        (header("ascii", "element corner 4", "property float x") + b"1\n" * 4, "no element vertex"),
        (header("binary_little_endian", *xyz(0)), "no points"),
        (header("binary_little_endian", *xyz(900_000_000)) + BODY, "claims 900,000,000"),
        (header("binary_little_endian", *xyz(40_000_000)) + BODY, "claims 40,000,000.*holds only 48"),
        (BINARY + BODY[:-1], "claims 4"),
        (BINARY + BODY + BODY, "more than the 4 vertex"),
        (header("ascii", *xyz()) + b"1 2 3\n" * 3, "claims 4|holds only"),
        (header("ascii", *xyz()) + b"1 2 3\n4 5 6\n7 eight 9\n1 1 1\n", "line 10.*'eight' is no number"),
        (header("ascii", *xyz()) + b"1 2 3\n4 5 6\n7 8 9 10\n1 1 1\n", "line 10.*4 values where 3"),
        (header("ascii", *xyz()) + b"1 2 3\n4 5 6\n7 8 9\n1 1 1\n3 3 3\n", "line 12.*more lines"),
        (header("ascii", *xyz(), "property uchar red") + b"1 2 3 300\n" * 4, "red holds 300"),
        (header("binary_little_endian", *xyz()) + struct.pack("<fff", 1, 2, 3) * 4, "only one point, 4 times"),
        (header("binary_little_endian", *xyz()) + struct.pack("<fff", *[float("nan")] * 3) * 4, "no measured point"),
        (
            header("binary_little_endian", *xyz(), "element face 1", "property list uint int vertex_indices")
            + BODY + struct.pack("<I", 4_000_000_000),
            "claims 4,000,000,000 values",
        ),
        (
            header("binary_little_endian", *xyz(), "element face 1", "property list uchar int vertex_indices")
            + BODY + struct.pack("<Biii", 3, 0, 1, 4),
            "a vertex that is not there",
        ),
    ],
)  # fmt: skip
def test_bad_files_are_named(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(ScanError, match=words) as error:
        read_scan(written(tmp_path, data))
    assert "scan.ply" in error.value.problem
    assert error.value.remedy


def test_text_named_ply_says_so(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match=r"named \.ply but holds rows of numbers") as error:
        read_scan(written(tmp_path, b"1 2 3\n4 5 6\n7 8 9\n"))
    assert "scan.xyz" in error.value.remedy


def test_mixed_faces_beside_scalars(tmp_path: Path) -> None:
    head = header(
        "binary_little_endian",
        *xyz(),
        "element face 3",
        "property uchar flag",
        "property list uchar ushort vertex_indices",
    )
    faces = struct.pack("<BBHHH", 1, 3, 0, 1, 2) + struct.pack("<BBHHHH", 1, 4, 0, 1, 2, 3) + struct.pack("<BB", 0, 0)
    scan = read_scan(written(tmp_path, head + BODY + faces), mesh_points=100)
    assert "mesh of 3 triangles" in scan.notes[0]
