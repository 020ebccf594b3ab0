"""What is written reads back equal, here and in open3d."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import OutputError
from core.formats.ply import read_vertices
from core.formats.ply_header import read_header
from core.formats.ply_writer import write_ply
from core.formats.reader import read_scan

RNG = np.random.default_rng(3)
COUNT = 40_000  # more than one chunk
POINTS = RNG.normal(size=(COUNT, 3)).astype(np.float32)
NORMALS = POINTS / np.linalg.norm(POINTS, axis=1, keepdims=True)
COLORS = RNG.integers(0, 256, (COUNT, 3), dtype=np.uint8)
SCORE = RNG.normal(size=COUNT).astype(np.float32)
SCORE[::7] = np.nan
FIELDS = {
    "scalar_anomaly_score": SCORE,
    "scalar_defect_id": np.arange(COUNT, dtype=np.int32) - 5,
    "scalar_above_threshold": SCORE > 0.5,
}


def written(tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "a.ply"
    write_ply(path, POINTS, normals=NORMALS, colors=COLORS, fields=FIELDS, comments=["unit mm", "Prüfteil\nend_header"])
    return path


def test_header_and_order(tmp_path: Path) -> None:
    header = read_header(written(tmp_path))
    assert header.order == "<"
    assert header.comments == ("unit mm", "Prufteil end_header")
    (vertex,) = header.elements
    assert vertex.count == COUNT
    assert [(p.name, p.type) for p in vertex.properties] == [
        *((axis, "f4") for axis in ("x", "y", "z", "nx", "ny", "nz")),
        *((color, "u1") for color in ("red", "green", "blue")),
        ("scalar_anomaly_score", "f4"),
        ("scalar_defect_id", "i4"),
        ("scalar_above_threshold", "u1"),
    ]


def test_reads_back_equal(tmp_path: Path) -> None:
    path = written(tmp_path)
    fields = read_vertices(path)
    for name, values in FIELDS.items():
        np.testing.assert_array_equal(fields[name], values)
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.points, POINTS)
    np.testing.assert_array_equal(scan.colors, COLORS)
    np.testing.assert_allclose(scan.normals, NORMALS, atol=1e-6)
    assert scan.labels is None  # scores are no ground truth


def test_open3d_reads_the_fields(tmp_path: Path) -> None:
    open3d = pytest.importorskip("open3d")
    cloud = open3d.t.io.read_point_cloud(str(written(tmp_path)))
    np.testing.assert_array_equal(cloud.point.positions.numpy(), POINTS)
    np.testing.assert_array_equal(cloud.point.colors.numpy(), COLORS)
    for name, values in FIELDS.items():
        np.testing.assert_array_equal(cloud.point[name].numpy().ravel(), values)


@pytest.mark.parametrize(
    "fields", [{"a b": SCORE}, {"a": SCORE[:-1]}, {"a": SCORE.astype(np.float64)}, {"a\nproperty": SCORE}]
)
def test_what_cannot_be_written_is_a_mistake_of_the_caller(tmp_path: Path, fields: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="field"):
        write_ply(tmp_path / "a.ply", POINTS, fields=fields)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_ply(tmp_path / "file" / "a.ply", POINTS)
