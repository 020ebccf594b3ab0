"""JSON, CSV, NPZ and the one door to all of them."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import ConfigError, OutputError
from core.formats.reader import read_scan
from core.inspection.calibration import Calibration
from core.inspection.thresholds import Thresholds
from core.inspection.verdict import Inspection
from core.reporting.export import FORMATS, export
from core.reporting.summary import plain
from core.reporting.tables import SUMMARY_COLUMNS, summary_row, write_defects_csv, write_summary_csv
from core.scores import Scores
from core.store.model_file import ModelCard


def test_every_format_is_written_beside_its_stem(inspection: Inspection, tmp_path: Path) -> None:
    stem = tmp_path / "bent" / "000.v2"
    paths = export(inspection, stem, ["npz", "ply", "json", "csv", "npz"])
    assert [p.name for p in paths] == ["000.v2.npz", "000.v2.ply", "000.v2.json", "000.v2.csv"]
    assert all(p.parent == stem.parent and p.stat().st_size > 0 for p in paths)
    assert sorted(p.name for p in stem.parent.iterdir()) == sorted(p.name for p in paths)


def test_an_unknown_format_writes_nothing(inspection: Inspection, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="xlsx"):
        export(inspection, tmp_path / "a", ["ply", "xlsx"])
    assert list(tmp_path.iterdir()) == []
    assert FORMATS == ("ply", "json", "csv", "npz")


def test_a_reconstruction_is_a_cloud_of_its_own(inspection: Inspection, card: ModelCard, tmp_path: Path) -> None:
    points = inspection.scan.points[:50] + np.float32([0, 0, 3])
    whole = replace(inspection, scores=replace(inspection.scores, reconstruction=points))
    (path,) = export(whole, tmp_path / "a", ["reconstruction"], card=card)
    assert path.name == "a.reconstruction.ply"
    read = read_scan(path)
    assert np.array_equal(read.points, points)
    header = path.read_bytes().split(b"end_header")[0].decode()
    assert "property float scalar_distance_to_measured" in header
    assert "comment reconstruction of scan" in header
    apart = np.linalg.norm(inspection.scan.points[None] - points[:, None], axis=2).min(axis=1)
    stored = np.frombuffer(path.read_bytes().split(b"end_header\n")[1], "<f4").reshape(50, 4)[:, 3]
    assert stored == pytest.approx(apart, abs=1e-4)


def test_without_a_reconstruction_nothing_is_written(inspection: Inspection, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="without reconstructing"):
        export(inspection, tmp_path / "a", ["ply", "reconstruction"])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(inspection: Inspection, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        export(inspection, tmp_path / "file" / "a", ["json"])


def test_npz_is_in_the_order_of_the_files_rows(inspection: Inspection, tmp_path: Path) -> None:
    (path,) = export(inspection, tmp_path / "a", ["npz"])
    with np.load(path) as file:
        scores = file["scores"]
        assert scores.dtype == np.float32
        assert scores.shape == (inspection.scan.file_points,)
        assert np.isnan(scores[[5, 100]]).all()
        np.testing.assert_array_equal(scores[inspection.scan.rows], inspection.scores.points)
        assert file["object_score"] == 0.93
        assert file["seconds"] == 1.25
        assert sorted(file.files) == ["object_score", "scores", "seconds"]


def test_npz_of_an_organised_scan_has_its_grids_shape(organised: Inspection, tmp_path: Path) -> None:
    (path,) = export(organised, tmp_path / "a", ["npz"])
    grid = organised.scan.grid
    assert grid is not None
    with np.load(path) as file:
        assert file["scores"].shape == grid.shape
        assert np.isnan(file["scores"][grid < 0]).all()
        np.testing.assert_array_equal(file["scores"][grid >= 0], organised.scores.points[grid[grid >= 0]])


def test_json_says_everything(
    inspection: Inspection, card: ModelCard, calibration: Calibration, tmp_path: Path
) -> None:
    (path,) = export(inspection, tmp_path / "a", ["json"], card=card, calibration=calibration)
    text = path.read_bytes().decode("utf-8")
    assert "Gehäuse" in text
    record = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert record["verdict"] == "reject"
    assert record["object_score"] == 0.93
    assert record["thresholds"] == {"point": 0.5, "part": 0.7, "guard": 0.05, "min_points": 10, "min_area": 0.0}
    assert record["scan"]["unit"] == "mm"
    assert record["scan"]["not_judged"] == 17
    assert record["seconds"] == 1.25
    assert record["model"]["config"] == {"k": 32}
    assert record["model"]["weights"] == {"procedural": "ab" * 32}
    assert record["calibration"]["statement"] == calibration.note
    assert record["calibration"]["good_parts"] == 20
    assert record["calibration"]["thresholds_changed_by_hand"] is True
    assert record["calibration"]["good_parts_above_part_threshold"] == 0
    assert record["program_version"]
    defects = inspection.defects.defects
    assert record["defect_count"] == len(record["defects"]) == len(defects) > 0
    first = record["defects"][0]
    assert first["points"] == defects[0].points
    assert first["position"] == pytest.approx(list(defects[0].position))
    assert first["height"] == pytest.approx(defects[0].height)
    assert np.shape(first["bounds"]) == (2, 3)


def test_json_has_null_where_there_is_no_number(inspection: Inspection, tmp_path: Path) -> None:
    unknown = replace(inspection, scores=Scores(inspection.scores.points, float("nan")))
    unknown = replace(unknown, thresholds=Thresholds(0.5, float("inf")))
    (path,) = export(unknown, tmp_path / "a", ["json"])
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["object_score"] is None
    assert record["thresholds"]["part"] is None
    assert record["calibration"] is None
    assert record["model"] == {"name": "test model"}


def test_plain_takes_numpy_apart() -> None:
    got = plain({"a": np.float32(np.nan), "b": np.array([[1, 2]]), "c": (np.bool_(True), np.int64(3), None, -np.inf)})
    assert got == {"a": None, "b": [[1, 2]], "c": [True, 3, None, None]}
    assert type(got["c"][1]) is int


def test_csv_has_a_row_a_defect(inspection: Inspection, tmp_path: Path) -> None:
    (path,) = export(inspection, tmp_path / "a", ["csv"])
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    defects = inspection.defects.defects
    assert len(rows) == len(defects)
    for row, defect in zip(rows, defects, strict=True):
        assert row["scan"] == "Gehäuse 7"
        assert row["unit"] == "mm"
        assert int(row["defect"]) == defect.id
        assert int(row["points"]) == defect.points
        for column, value in {
            "x": defect.position[0], "z": defect.position[2], "length": defect.extent[0], "area": defect.area,
            "peak_score": defect.peak, "mean_score": defect.mean, "height": defect.height, "volume": defect.volume,
            "low_y": defect.bounds[0, 1], "high_z": defect.bounds[1, 2],
        }.items():  # fmt: skip
            assert float(row[column]) == pytest.approx(value, rel=1e-6), column


def test_csv_without_defects_is_a_header_and_without_a_reference_has_empty_heights(
    inspection: Inspection, tmp_path: Path
) -> None:
    clean = inspection.rethresholded(Thresholds(5.0, 5.0))
    write_defects_csv(tmp_path / "a.csv", clean)
    assert len((tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()) == 1
    first = inspection.defects.defects[0]
    flat = replace(inspection.defects, defects=(replace(first, height=None, volume=None),))
    write_defects_csv(tmp_path / "b.csv", replace(inspection, defects=flat))
    with (tmp_path / "b.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["height"] == row["volume"] == ""


def test_the_batch_table_has_a_row_a_scan(inspection: Inspection, organised: Inspection, tmp_path: Path) -> None:
    path = tmp_path / "summary.csv"
    write_summary_csv(path, [summary_row(inspection), summary_row(organised)])
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == SUMMARY_COLUMNS
    assert [row["verdict"] for row in rows] == ["reject", "accept"]
    assert float(rows[0]["object_score"]) == pytest.approx(0.93)
    assert int(rows[0]["defects"]) == len(inspection.defects.defects)
    assert int(rows[0]["not_judged"]) == 17
    assert float(rows[0]["defect_area"]) == pytest.approx(sum(d.area for d in inspection.defects.defects))
