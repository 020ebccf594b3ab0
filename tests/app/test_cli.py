"""The command line as an engineer uses it: train on a folder, inspect scans and folders, read what comes out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.cli import main
from core.formats.ply_writer import write_ply

ACCEPTED, ERROR, REJECTED = 0, 2, 3


def surface(seed: int, dent: float = 0.0, count: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """A wavy 60 x 40 mm sheet with 0.02 mm noise, and a dent of ``dent`` mm at (20, 15); points and labels."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform((0, 0), (60, 40), (count, 2))
    z = 3 * np.sin(xy[:, 0] / 9) + 2 * np.cos(xy[:, 1] / 7) + rng.normal(0, 0.02, count)
    away = np.hypot(xy[:, 0] - 20, xy[:, 1] - 15)
    z -= dent * np.exp(-((away / 3) ** 2))
    return np.column_stack([xy, z]).astype(np.float32), away < 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sheet")
    for i in range(8):
        path = root / "train" / "good" / f"{i:03d}.ply"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_ply(path, surface(i)[0])
    for name, seed, dent in (("good/a", 50, 0.0), ("dent/b", 51, 1.5)):
        path = root / "test" / f"{name}.ply"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_ply(path, surface(seed, dent)[0])
    return root


@pytest.fixture(scope="module")
def model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "sheet.nominal"
    assert main(["train", "--category", str(folder), "--pipeline", "deviation", "--out", str(path)]) == ACCEPTED
    return path


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_train_says_what_it_did(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["train", "--category", str(folder), "--pipeline", "deviation", "--json", "--set", "smoothing=2"]
    assert main([*arguments, "--out", str(tmp_path / "m.nominal"), "--seed", "3"]) == ACCEPTED
    (record,) = lines(capsys)
    assert record["scans"] == 8
    assert record["part_threshold"] > 0
    assert "8 good parts" in record["calibration"]
    assert record["budget_supported"] is False  # eight parts cannot support 5 %
    assert main(["info", str(tmp_path / "m.nominal"), "--json"]) == ACCEPTED
    (card,) = lines(capsys)
    assert (card["seed"], card["preset"], card["config"]["smoothing"], card["unit"]) == (3, "custom", 2.0, "mm")


def test_a_model_names_the_features_that_automatic_stood_for(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "--category", str(folder), "--pipeline", "btf", "--json", "--set", "features=auto"]
    assert main([*arguments, "--out", str(tmp_path / "m.nominal")]) == ACCEPTED
    assert main(["info", str(tmp_path / "m.nominal"), "--json"]) == ACCEPTED
    assert lines(capsys)[-1]["config"]["features"] == "fpfh"


def test_a_folder_is_judged_scan_by_scan(
    folder: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["inspect", "--model", str(model), str(folder / "test"), "--out", str(out)]
    assert main([*arguments, "--format", "npz,json,ply,csv", "--json"]) == REJECTED
    records = {Path(r["scan"]).stem: r for r in lines(capsys)}
    assert records["b"]["verdict"] == "reject"
    assert records["a"]["object_score"] < records["b"]["object_score"]
    for name in ("good/a", "dent/b"):
        for suffix in ("npz", "json", "ply", "csv"):
            assert (out / f"{name}.{suffix}").is_file()
    with np.load(out / "dent" / "b.npz") as result:
        assert result["scores"].dtype == np.float32
        points, labels = surface(51, 1.5)
        assert result["scores"].shape == (len(points),)
        assert np.nanmean(result["scores"][labels]) > 3 * np.nanmean(result["scores"][~labels])
        assert result["object_score"] == pytest.approx(records["b"]["object_score"], rel=1e-6)
        assert result["seconds"] > 0


def test_one_bad_scan_does_not_stop_the_others(
    folder: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    (mixed / "1-broken.ply").write_bytes((folder / "test/good/a.ply").read_bytes()[:2000])
    write_ply(mixed / "2-fine.ply", surface(60)[0])
    status = main(["inspect", "--model", str(model), str(mixed), "--out", str(tmp_path / "out"), "--format", "json"])
    assert status == ERROR
    shown = capsys.readouterr()
    assert "2-fine" in shown.out
    assert "1-broken.ply" in shown.err.splitlines()[-1]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["2-fine.json"]


def test_a_scan_from_another_sensor_is_judged_with_a_reservation(
    folder: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sparse.ply"
    write_ply(path, surface(60, count=700)[0])
    out = tmp_path / "reports"
    arguments = ["inspect", "--model", str(model), str(path), "--out", str(out), "--format", "json"]
    main([*arguments, "--json"])
    (record,) = lines(capsys)
    assert len(record["notes"]) == 1
    assert "points 1.9 mm apart, not 0.92 mm. " in record["notes"][0]
    (report,) = out.rglob("*.json")
    assert json.loads(report.read_text())["notes"] == record["notes"]
    main(arguments)
    assert record["notes"][0] in capsys.readouterr().err
    main(["inspect", "--model", str(model), str(folder / "test" / "dent" / "b.ply"), "--json"])
    assert lines(capsys)[0]["notes"] == []
    main(["info", str(model)])
    assert "acquisition      points 0.92 mm apart, noise 0.0" in capsys.readouterr().out


def test_accepted_when_nothing_is_above_the_threshold(folder: Path, model: Path) -> None:
    scan = str(folder / "test/dent/b.ply")
    assert main(["inspect", "--model", str(model), scan, "--part-threshold", "1e9"]) == ACCEPTED
    assert main(["inspect", "--model", str(model), scan, "--part-threshold", "0"]) == REJECTED


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "--category", "nowhere", "--out", "m.nominal"], "nowhere"),
        (["train", "--category", ".", "--pipeline", "magic", "--out", "m.nominal"], "deviation"),
        (["train", "--category", ".", "--pipeline", "deviation", "--set", "step", "--out", "m"], "NAME=VALUE"),
        (["train", "--category", ".", "--pipeline", "deviation", "--set", "step=-1", "--out", "m"], "at least 0"),
        (["train", "--category", ".", "--part-budget", "5", "--out", "m"], "between 0 and 1"),
        (["inspect", "--model", "none.nominal", "x.ply"], "no model file"),
        (["inspect", "--model", "none.nominal", "x.ply", "--out", "o", "--format", "pdf"], "ply"),
        (["weights", "import"], "weights import FILE"),
    ],
)
def test_mistakes_are_answered_in_words(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == ERROR
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("verb", "inside"),
    [
        ("train --category {folder} --pipeline deviation", "m.nominal"),
        ("train --category {folder} --pipeline deviation", ""),
        ("train --category {folder} --pipeline deviation,btf", "models"),
        ("combine --model {model} --model {model}", "c.nominal"),
        ("inspect --model {model} {folder}", "reports"),
        ("evaluate --model {model} --category {folder}", "reports"),
        ("benchmark --category {folder} --pipelines deviation", "runs"),
    ],
)
def test_where_nothing_can_be_written_is_said_before_the_work(
    verb: str, inside: str, model: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file is in the way of the folder, or a folder of the file; no step of the work is told."""
    if inside:
        (tmp_path / "taken").write_text("")
    else:
        (tmp_path / "taken").mkdir()
    arguments = verb.format(folder=folder, model=model).split()
    assert main([*arguments, "--out", str(tmp_path / "taken" / inside)]) == ERROR
    said = capsys.readouterr()
    assert "could not be written" in said.err
    assert "%" not in said.err
    assert [path.name for path in tmp_path.rglob("*")] == ["taken"]


def test_a_model_in_another_unit_is_not_used_silently(model: Path, folder: Path, tmp_path: Path) -> None:
    from core import workflow
    from core.errors import ScanError
    from core.formats.reader import read_scan
    from core.progress import Progress
    from core.runtime import Runtime

    loaded = workflow.load(model, Runtime.choose("cpu"))
    scan = read_scan(folder / "test/good/a.ply", unit="inch")
    with pytest.raises(ScanError, match=r"inch.*mm"):
        workflow.inspect(loaded, scan, Progress())


def test_info_and_weights_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == ACCEPTED
    (record,) = lines(capsys)
    assert {"sca", "deviation"} <= set(record["pipelines"])
    assert main(["weights", "list", "--json"]) == ACCEPTED
    assert any(record["present"] for record in lines(capsys))
