"""The verb ``evaluate`` as an engineer uses it: a table, files, and words for what cannot be done."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from app.cli import main
from core.formats.ply_writer import write_ply
from core.runtime import Runtime
from core.workflow import load

ACCEPTED, ERROR = 0, 2


def plate(seed: int, bump: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(30.0), np.arange(30.0))
    away = np.hypot(x - 18, y - 12).ravel()
    z = rng.normal(0, 0.02, away.shape) + bump * np.exp(-(away**2) / 8)
    points = np.column_stack([x.ravel(), y.ravel(), z]).astype(np.float32)
    return points, (away < 4) & (bump > 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("plates") / "plate"
    for i in range(10):
        write_ply(root / "train" / "good" / f"{i:03}.ply", plate(i)[0])
    for i in range(3):
        write_ply(root / "test" / "good" / f"{i:03}.ply", plate(100 + i)[0])
    (root / "test" / "bump").mkdir()
    for i in range(3):
        points, labels = plate(200 + i, bump=1.0)
        np.savez(root / "test" / "bump" / f"{i:03}.npz", points=points, labels=labels)
    return root


@pytest.fixture
def model(stub: ModuleType, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "plate.nominal"
    assert main(["train", "--category", str(folder), "--pipeline", "stub", "--out", str(path)]) == ACCEPTED
    capsys.readouterr()
    return path


def test_a_table_is_printed_and_files_are_written(
    model: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["evaluate", "--model", str(model), "--category", str(folder), "--out", str(out)]) == ACCEPTED
    shown = capsys.readouterr().out
    assert "plate, test: 3 good and 3 defective parts" in shown
    assert "O-AUROC" in shown
    assert "AUPRO@30 %" in shown
    assert "bump" in shown
    assert sorted(p.name for p in out.iterdir()) == ["evaluation.html", "evaluation.json", "evaluation.md", "parts.csv"]


def test_for_machines_one_object_a_line(model: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", "--model", str(model), "--category", str(folder), "--json"]
    assert main([*arguments, "--part-threshold", "1e9"]) == ACCEPTED
    (line,) = capsys.readouterr().out.splitlines()
    record = json.loads(line)
    assert record["metrics"]["o_auroc"]["value"] == 1.0
    assert record["thresholds"]["part"] == 1e9
    assert record["confusion"]["defective"]["accept"] == 3
    assert len(record["parts"]) == 6
    assert record["files"] == []


def test_a_scan_that_fails_is_named_and_the_status_is_0(
    model: Path, folder: Path, stub: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    from core.errors import ScanError

    stub.FAIL.append(ScanError("The plate is bent", "Straighten it"))
    assert main(["evaluate", "--model", str(model), "--category", str(folder)]) == ACCEPTED
    shown = capsys.readouterr()
    assert "The plate is bent" in shown.err
    assert "1 not judged" in shown.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--category", "nowhere"], "nowhere"),
        (["--unit", "inch"], "inch, the model"),
        (["--split", "validation"], "no validation scans"),
        (["--split", "train"], "so there are no defects to find"),
        (["--model", "none.nominal"], "no model file"),
    ],
)
def test_mistakes_are_answered_in_words(
    arguments: list[str], says: str, model: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    base = ["evaluate", "--model", str(model), "--category", str(folder), "--out", str(out)]
    assert main([*base, *arguments]) == ERROR
    assert says in capsys.readouterr().err
    assert not out.exists()


def test_an_output_that_is_a_file(
    model: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("")
    arguments = ["evaluate", "--model", str(model), "--category", str(folder), "--out", str(tmp_path / "taken")]
    assert main(arguments) == ERROR
    assert "could not be written" in capsys.readouterr().err


def test_scans_without_the_image_are_judged_by_shape_alone_on_demand(
    lacking: ModuleType, model: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bumped plates lack it; the thresholds of shape alone are half as high."""
    arguments = ["evaluate", "--model", str(model), "--category", str(folder), "--split", "test", "--json"]
    assert main(arguments) == ACCEPTED
    assert capsys.readouterr().err.count("--without-image") == 3
    assert main([*arguments, "--without-image"]) == ACCEPTED
    record = json.loads(capsys.readouterr().out)
    assert (record["mode"], record["failed"]) == ("by shape alone", 0)
    calibrated = load(model, Runtime.choose("cpu"))
    assert calibrated.reduced is not None
    assert record["thresholds"]["part"] == pytest.approx(calibrated.reduced.thresholds().part)
    assert record["thresholds"]["part"] != pytest.approx(calibrated.calibration.thresholds().part)


def test_a_model_that_looks_at_no_image_says_that_it_has_no_such_mode(
    model: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--model", str(model), "--category", str(folder), "--without-image"]) == ERROR
    assert "no mode for judging by shape alone" in capsys.readouterr().err
