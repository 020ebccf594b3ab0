"""Several models as one, as an engineer does it on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from app.cli import main
from core.store.model_file import read_card

ACCEPTED, ERROR, REJECTED = 0, 2, 3


@pytest.fixture
def models(
    stub: ModuleType, parts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[[Path], list[str]]:
    """Trains two models on a folder of parts and gives the options that name them."""

    def train(folder: Path) -> list[str]:
        options = []
        for gain in ("1", "3"):
            path = tmp_path / f"{folder.name}-{gain}.nominal"
            given = ["train", "--category", str(folder), "--pipeline", "stub", "--set", f"gain={gain}"]
            assert main([*given, "--name", f"plate gain {gain}", "--out", str(path)]) == ACCEPTED
            options += ["--model", str(path)]
        capsys.readouterr()
        return options

    return train


def test_combine_writes_a_model_that_inspects_and_evaluates(models, parts, tmp_path, capsys):
    out = tmp_path / "consensus.nominal"
    assert main(["combine", *models(parts), "--combination", "harmonic", "--out", str(out), "--json"]) == ACCEPTED
    said = json.loads(capsys.readouterr().out)
    assert said["combination"] == "harmonic"
    assert said["budget_supported"]
    assert read_card(out).pipeline == "consensus"
    assert main(["inspect", "--model", str(out), str(parts / "test" / "bump")]) == REJECTED
    assert main(["evaluate", "--model", str(out), "--category", str(parts), "--json"]) == ACCEPTED
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["metrics"]["o_auroc"]["value"] == 1.0


def test_models_count_by_what_they_tell_of_validation_parts(models, parts, tmp_path, capsys):
    out = tmp_path / "weighed.nominal"
    options = models(parts)
    assert main(["combine", *options, "--weighing", "equal", "--out", str(out), "--json"]) == ACCEPTED
    assert json.loads(capsys.readouterr().out)["weights"] is None
    assert main(["combine", *options, "--category", str(parts), "--out", str(out), "--json"]) == ACCEPTED
    weights = json.loads(capsys.readouterr().out)["weights"]
    assert weights == pytest.approx([0.5, 0.5], abs=0.01), "the gain changes no order"
    assert main(["combine", *options, "--category", str(parts), "--out", str(out)]) == ACCEPTED
    assert "by how well they tell defects of validation parts: gain 1 50%, gain 3 50%" in capsys.readouterr().out


def test_models_named_together_judge_together(models, parts, tmp_path, capsys):
    options = models(parts)
    scan = parts / "test" / "bump" / "000.ply"
    assert main(["inspect", *options, str(scan), "--out", str(tmp_path / "r"), "--format", "json"]) == REJECTED
    assert "Consensus of gain 1, gain 3" in capsys.readouterr().out
    record = json.loads(next((tmp_path / "r").rglob("*.json")).read_text())
    assert {"who", "flags", "disagreement"} <= {shown["key"] for shown in record["maps"]}
    assert record["notes"] == []


def test_models_of_other_parts_are_refused(models, parts, tmp_path, capsys):
    from core.formats.ply_writer import write_ply
    from core.formats.reader import read_scan

    other = tmp_path / "other"
    for i in range(6):
        write_ply(other / f"{i}.ply", read_scan(parts / "train" / "good" / f"{i:03}.ply").points + 1)
    options = [*models(parts)[:2], *models(other)[:2]]
    assert main(["combine", *options, "--out", str(tmp_path / "c.nominal")]) == ERROR
    assert "different good parts (0 in common)" in capsys.readouterr().err
    assert not (tmp_path / "c.nominal").exists()
