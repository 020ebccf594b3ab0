"""The annotated PLY: what is written reads back equal, by our reader, by open3d, and by CloudCompare's rules."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import open3d as o3d
import pytest

from core.formats.ply_header import read_header
from core.inspection.calibration import Calibration
from core.inspection.verdict import Inspection
from core.reporting.annotated_ply import map_names, write_annotated_ply
from core.reporting.colormap import NOT_JUDGED
from core.store.model_file import ModelCard

FIELDS = {"anomaly_score": np.float32, "above_threshold": np.uint8, "defect_id": np.int32}


def read(path: Path) -> o3d.t.geometry.PointCloud:
    return o3d.t.io.read_point_cloud(str(path))


def test_it_reads_back_equal(inspection: Inspection, tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    write_annotated_ply(path, inspection)
    cloud = read(path)
    np.testing.assert_array_equal(cloud.point.positions.numpy(), inspection.scan.points)
    np.testing.assert_array_equal(cloud.point.normals.numpy(), inspection.scan.normals)
    wanted = {
        "scalar_anomaly_score": inspection.scores.points,
        "scalar_above_threshold": inspection.defects.mask,
        "scalar_defect_id": inspection.defects.ids,
        "scalar_height": inspection.scores.maps["height"].values,
    }
    for name, values in wanted.items():
        np.testing.assert_array_equal(cloud.point[name].numpy().ravel(), values)
    for name, dtype in FIELDS.items():
        assert cloud.point[f"scalar_{name}"].numpy().dtype == dtype
    assert cloud.point.positions.numpy().dtype == np.float32


def test_our_own_reader_takes_it_back(organised: Inspection, tmp_path: Path) -> None:
    reader = pytest.importorskip("core.formats.reader")
    path = tmp_path / "a.ply"
    write_annotated_ply(path, organised)
    scan = reader.read_scan(path)
    np.testing.assert_array_equal(scan.points, organised.scan.points)
    np.testing.assert_array_equal(scan.labels, organised.scan.labels)


def test_properties_come_in_the_order_that_cloudcompare_needs(inspection: Inspection, tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    write_annotated_ply(path, inspection)
    names = [p.name for p in read_header(path).elements[0].properties]
    assert names[:9] == ["x", "y", "z", "nx", "ny", "nz", "red", "green", "blue"]
    assert names[9:12] == ["scalar_anomaly_score", "scalar_above_threshold", "scalar_defect_id"]
    for name in names[9:]:
        assert name.startswith("scalar_")
        assert not any(color in name for color in ("red", "green", "blue"))
    assert len(read_header(path).elements) == 1


def test_unjudged_points_are_grey_and_nan(inspection: Inspection, tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    write_annotated_ply(path, inspection)
    cloud = read(path)
    unjudged = ~inspection.scores.judged
    assert unjudged.sum() == 17
    np.testing.assert_array_equal(np.isnan(cloud.point["scalar_anomaly_score"].numpy().ravel()), unjudged)
    assert (cloud.point.colors.numpy()[unjudged] == NOT_JUDGED).all()
    assert not (cloud.point["scalar_above_threshold"].numpy().ravel()[unjudged]).any()


def test_the_header_says_where_it_comes_from(
    inspection: Inspection, card: ModelCard, calibration: Calibration, tmp_path: Path
) -> None:
    path = tmp_path / "a.ply"
    when = datetime.fromisoformat("2026-08-01T12:00:00+02:00")
    write_annotated_ply(path, inspection, card=card, calibration=calibration, when=when)
    comments = "\n".join(read_header(path).comments)
    for text in (
        "Nominal 0.",
        "date 2026-08-01T12:00:00+02:00",
        "unit mm",
        "model Gehause SCA",
        "pipeline sca, preset fast",
        f"weights procedural sha256 {'ab' * 32}",
        "point_threshold 0.5",
        "part_threshold 0.7",
        "verdict reject",
        "object_score 0.93",
        "calibration: 20 good parts",
        "field scalar_filtere_d: Filtered (score)",
    ):
        assert text in comments, text
    assert path.read_bytes().startswith(b"ply\nformat binary_little_endian 1.0\n")


def test_names_are_safe_and_stay_apart() -> None:
    names = map_names(("filtered", "filtere_d", "label", "anomaly_score", "evergreen", "blue", "gt", "x2", "xyz"))
    assert names["filtered"] == "scalar_filtere_d"
    assert names["label"] == "scalar_label_map"  # scalar_label is read as ground truth
    assert names["anomaly_score"] == "scalar_anomaly_score_map"
    assert names["xyz"] == "scalar_xyz"
    assert len(set(names.values())) == len(names)
    assert not any(color in name for name in names.values() for color in ("red", "green", "blue"))
