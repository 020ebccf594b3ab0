"""The verb ``benchmark``: tables, files, going on where it was left, and runs that fail."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from app.cli import main
from core import workflow
from core.evaluation.benchmark import work
from core.formats.ply_writer import write_ply
from core.pipelines import registry

DONE, ERROR, STOPPED = 0, 2, 130


def plate(seed: int, bump: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(16.0), np.arange(16.0))
    away = np.hypot(x - 9, y - 6).ravel()
    z = rng.normal(0, 0.02, away.shape) + bump * np.exp(-(away**2) / 8)
    return np.column_stack([x.ravel(), y.ravel(), z]).astype(np.float32), (away < 3) & (bump > 0)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("parts")
    for name in ("plate", "cover"):
        for i in range(6):
            write_ply(root / name / "train" / "good" / f"{i:03}.ply", plate(i)[0])
        for i in range(3):
            write_ply(root / name / "test" / "good" / f"{i:03}.ply", plate(100 + i)[0])
        (root / name / "test" / "bump").mkdir()
        for i in range(3):
            points, labels = plate(200 + i, bump=1.0)
            np.savez(root / name / "test" / "bump" / f"{i:03}.npz", points=points, labels=labels)
    return root


class Counted:
    """Counts trainings, and can fail or be stopped at one."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.fault: tuple[str, BaseException] | None = None
        self._train = workflow.train

    def __call__(self, category: Any, pipeline: str, *arguments: Any, **options: Any) -> Any:
        self.names.append(f"{category.name} {pipeline} {options['runtime'].seed}")
        if self.fault is not None and self.fault[0] == category.name:
            raise self.fault[1]
        return self._train(category, pipeline, *arguments, **options)


@pytest.fixture
def trainings(stub: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Counted:
    counted = Counted()
    monkeypatch.setattr(workflow, "train", counted)
    return counted


def benchmark(parts: Path, out: Path, *more: str) -> int:
    return main(
        ["benchmark", "--category", str(parts), "--pipelines", "stub", "--seeds", "2", "--out", str(out), *more]
    )


def test_a_folder_of_categories_becomes_tables_of_all_of_them(
    trainings: Counted, parts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmark(parts, tmp_path) == DONE
    shown = capsys.readouterr().out
    assert trainings.names == ["cover stub 0", "cover stub 1", "plate stub 0", "plate stub 1"]
    assert "| mean " in shown
    assert "1.000 ± 0.000" in shown  # both seeds tell all bumps apart
    assert "good rejected" in shown
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "benchmark.csv", "benchmark.html", "benchmark.json", "benchmark.md", "runs",
    ]  # fmt: skip
    with (tmp_path / "benchmark.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["category"] for row in rows] == ["cover", "plate", "mean"]
    assert all(float(row["o_auroc"]) == 1.0 for row in rows)
    assert len(list((tmp_path / "runs").iterdir())) == 4
    assert "<svg" in (tmp_path / "benchmark.html").read_text(encoding="utf-8")


def test_what_is_done_is_not_done_again(trainings: Counted, parts: Path, tmp_path: Path) -> None:
    benchmark(parts / "plate", tmp_path)
    benchmark(parts / "plate", tmp_path)
    assert len(trainings.names) == 2
    benchmark(parts / "plate", tmp_path, "--preset", "paper")  # another config is other work
    assert len(trainings.names) == 4
    benchmark(parts / "plate", tmp_path, "--fresh")
    assert len(trainings.names) == 6


def test_changed_data_make_it_new(trainings: Counted, parts: Path, tmp_path: Path) -> None:
    benchmark(parts / "cover", tmp_path)
    write_ply(parts / "cover" / "train" / "good" / "000.ply", plate(77)[0])
    benchmark(parts / "cover", tmp_path)
    assert len(trainings.names) == 4


@pytest.mark.parametrize("fault", [ZeroDivisionError("a fault"), MemoryError()])
def test_a_run_that_fails_is_told_and_tried_again(
    trainings: Counted, parts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: Exception
) -> None:
    trainings.fault = ("cover", fault)
    assert benchmark(parts, tmp_path) == DONE  # the other category's runs are there
    said = capsys.readouterr()
    assert type(fault).__name__ in said.err
    assert "What did not work" in said.out
    record = json.loads(next((tmp_path / "runs").glob("cover*")).read_text(encoding="utf-8"))
    assert "Traceback" in record["trace"]
    trainings.fault = None
    trainings.names.clear()
    assert benchmark(parts, tmp_path) == DONE
    assert trainings.names == ["cover stub 0", "cover stub 1"]


def test_a_stop_leaves_what_is_done(
    trainings: Counted, parts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainings.fault = ("plate", KeyboardInterrupt())
    assert benchmark(parts, tmp_path) == STOPPED
    assert len(list((tmp_path / "runs").iterdir())) == 2
    assert "cover" in (tmp_path / "benchmark.md").read_text(encoding="utf-8")


def test_a_consensus_is_made_of_the_others(
    trainings: Counted,
    parts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(registry._PIPELINES, "second", registry._PIPELINES["stub"])
    names = ["--pipelines", "stub,second,consensus", "--seeds", "1"]
    assert benchmark(parts / "plate", tmp_path, *names, "--json") == DONE
    record = json.loads(capsys.readouterr().out)
    assert [row["pipeline"] for row in record["rows"]] == ["stub", "second", "consensus"]
    assert record["failures"] == []


@pytest.fixture
def asked(stub: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two methods, and each scan that one of them scores outside its own training."""
    method = registry._PIPELINES["stub"]
    monkeypatch.setitem(registry._PIPELINES, "second", method)
    names: list[str] = []
    score = stub.StubPipeline.score

    def counted(self: Any, scan: Any, progress: Any) -> Any:
        names.append(scan.name)
        return score(self, scan, progress)

    monkeypatch.setattr(stub.StubPipeline, "score", counted)
    return names


def test_a_consensus_does_not_ask_its_members_again(
    trainings: Counted, asked: list[str], parts: Path, tmp_path: Path
) -> None:
    names = ["--pipelines", "stub,second,consensus", "--seeds", "1"]
    assert benchmark(parts / "plate", tmp_path / "kept", *names) == DONE
    together = len(asked)
    assert not (tmp_path / "kept" / "scores").exists()  # used and gone
    for path in (tmp_path / "kept" / "runs").glob("*consensus*"):
        path.unlink()  # its members' scores are gone: they are asked again
    assert benchmark(parts / "plate", tmp_path / "kept", *names) == DONE
    assert len(asked) == together + 2 * 6
    assert len(trainings.names) == 2


def test_what_members_said_gives_the_same_consensus(
    trainings: Counted, asked: list[str], parts: Path, tmp_path: Path
) -> None:
    names = ["--pipelines", "stub,second,consensus", "--seeds", "1"]
    found = []
    for _ in range(2):
        assert benchmark(parts / "plate", tmp_path, *names) == DONE
        path = next((tmp_path / "runs").glob("*consensus*"))
        evaluation = json.loads(path.read_text(encoding="utf-8"))["evaluation"]
        found.append((evaluation["metrics"], [part["object_score"] for part in evaluation["parts"]]))
        path.unlink()
    assert found[0] == found[1]
    assert len({score for score in found[0][1] if score is not None}) > 1


def test_alterations_are_measured_without_another_training(
    trainings: Counted, parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["--seeds", "1", "--keep-models"]
    assert benchmark(parts / "plate", tmp_path, *names) == DONE
    before = next((tmp_path / "runs").iterdir()).read_text(encoding="utf-8")
    assert benchmark(parts / "plate", tmp_path, *names, "--robustness") == DONE
    assert len(trainings.names) == 1
    after = json.loads(next((tmp_path / "runs").iterdir()).read_text(encoding="utf-8"))
    assert after["evaluation"] == json.loads(before)["evaluation"]
    assert len(after["robustness"]) == 20


def test_a_stop_among_alterations_costs_one_of_them(
    trainings: Counted, parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []
    whole = work.robustness

    def stopped(model: Any, category: Any, alteration: Any, *more: Any, **options: Any) -> Any:
        if len(measured) == 3:
            raise KeyboardInterrupt
        measured.append(alteration.kind)
        return whole(model, category, alteration, *more, **options)

    names = ["--seeds", "1", "--keep-models", "--robustness"]
    with monkeypatch.context() as patched:
        patched.setattr(work, "robustness", stopped)
        assert benchmark(parts / "plate", tmp_path, *names) == STOPPED
    path = next((tmp_path / "runs").iterdir())
    assert len(json.loads(path.read_text(encoding="utf-8"))["robustness"]) == 3
    assert benchmark(parts / "plate", tmp_path, *names) == DONE
    assert len(trainings.names) == 1
    assert len(json.loads(path.read_text(encoding="utf-8"))["robustness"]) == 20


def test_a_consensus_is_measured_against_alterations_by_what_its_members_said(
    trainings: Counted, asked: list[str], parts: Path, tmp_path: Path
) -> None:
    names = ["--pipelines", "stub,second,consensus", "--seeds", "1", "--robustness"]
    assert benchmark(parts / "plate", tmp_path, *names) == DONE
    records = {
        path.name.split("--")[1]: json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "runs").iterdir()
    }
    for one, member in zip(records["consensus"]["robustness"], records["stub"]["robustness"], strict=True):
        assert one["kind"] == member["kind"]
        assert one["o_auroc"] == pytest.approx(member["o_auroc"])  # of two that say the same it has their order
        assert one["p_auroc"] is None
        assert (one["good"], one["defective"], one["failed"]) == (3, 3, 0)


def test_robustness_falls_into_a_table_of_its_own(trainings: Counted, parts: Path, tmp_path: Path) -> None:
    assert benchmark(parts / "plate", tmp_path, "--robustness") == DONE
    with (tmp_path / "robustness.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["kind"] for row in rows} == {"noise", "downsampling", "missing", "pose", "density"}
    assert {row["seed"] for row in rows} == {"0"}
    noise = [float(row["o_auroc"]) for row in rows if row["kind"] == "noise"]
    assert noise[0] == 1.0
    assert len(noise) == 5
    assert "Robustness" in (tmp_path / "benchmark.md").read_text(encoding="utf-8")


def test_what_cannot_be_done_is_said(
    stub: ModuleType, parts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmark(parts, tmp_path, "--seeds", "0") == ERROR
    assert benchmark(parts, tmp_path, "--pipelines", "nothing") == ERROR
    assert "consensus" in capsys.readouterr().err  # among what can be chosen
    assert benchmark(parts, tmp_path, "--pipelines", "stub,consensus") == ERROR
    assert benchmark(tmp_path / "nowhere", tmp_path) == ERROR
