"""The verb ``weights`` as an engineer uses it: what there is, bringing sets here and away, and the probe's table."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from app import weights_probe, weights_verb
from app.cli import main
from core.backbones import downloading
from core.backbones import weights as sets
from core.backbones.resnet import ResNet
from core.backbones.weights import WeightSet
from core.datasets.category import Category
from core.errors import WeightsError
from core.evaluation import feature_probe
from core.evaluation import probe_scans as scans_module
from core.formats.ply_writer import write_ply
from core.progress import Cancelled, Progress

ACCEPTED, ERROR, STOPPED = 0, 2, 130
WIDE = "wide_resnet50_2-imagenet1k_v1"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "weights"
    monkeypatch.setenv("NOMINAL_WEIGHTS", str(folder))
    return folder


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """ResNet-18's stem and first stage with torchvision's names."""
    trunk = ResNet("resnet18", stages=1).state_dict()
    save_file({name: t for name, t in trunk.items() if t.ndim}, tmp_path / "trunk.safetensors")
    return tmp_path / "trunk.safetensors"


def records(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_list_says_what_is_here_what_is_missing_and_what_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "list"]) == ACCEPTED
    shown = capsys.readouterr().out
    lines = {line.split()[1]: line for line in shown.splitlines() if line[:7].strip() in ("ships", "here", "missing")}
    assert lines["point_mae-nominal"].startswith("ships")
    assert lines[WIDE].startswith("missing")
    assert "138.2 MB" in lines[WIDE]
    assert "BSD-3-Clause" in lines[WIDE]
    assert "unknown" in lines["wide_resnet50_2-racm_in1k"]  # its size is not published
    assert "SCA: point_mae-nominal" in shown
    assert "Deviation: none" in shown


def test_the_list_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "list", "--json"]) == ACCEPTED
    rows = {row["name"]: row for row in records(capsys)}
    assert rows["point_mae-nominal"]["used_by"] == ["sca"]
    assert rows["point_mae-nominal"]["sha256"] == sets.find("point_mae-nominal").sha256
    assert not rows[WIDE]["present"]
    assert rows[WIDE]["url"].startswith("https://")
    assert "ImageNet" in rows[WIDE]["terms"]


def test_import_use_remove(checkpoint: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "import", str(checkpoint), "--name", "mine", "--json"]) == ACCEPTED
    (row,) = records(capsys)
    assert (row["name"], row["architecture"]) == ("mine", "resnet18")
    assert (home / "mine.safetensors").is_file()
    assert main(["weights", "list"]) == ACCEPTED
    assert any(line.startswith("here") and " mine " in line for line in capsys.readouterr().out.splitlines())
    assert main(["weights", "remove", "mine"]) == ACCEPTED
    assert list(home.iterdir()) == []
    assert main(["weights", "remove", "mine"]) == ERROR
    assert main(["weights", "remove", "point_mae-nominal"]) == ERROR
    assert "ships with the program" in capsys.readouterr().err


@pytest.mark.sample
def test_the_real_file_imports_by_the_verb(sample_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = sample_folder / "weights" / "resnet18_imagenet_conv1_layer3.safetensors"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    assert main(["weights", "import", str(path)]) == ACCEPTED
    shown = capsys.readouterr().out
    assert "is here as resnet18-imagenet1k_v1-folded" in shown
    assert "Terms: BSD-3-Clause" in shown


def test_a_file_of_another_network_is_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_file({"bert.embeddings": torch.zeros(2, 2)}, tmp_path / "bert.safetensors")
    assert main(["weights", "import", str(tmp_path / "bert.safetensors")]) == ERROR
    assert "no network that Nominal uses" in capsys.readouterr().err


def test_where(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "where"]) == ACCEPTED
    assert capsys.readouterr().out.strip() == str(home)


@dataclass
class Keyboard(io.StringIO):
    """What somebody types at a terminal, or what a pipe holds."""

    text: str = ""
    terminal: bool = True

    def __post_init__(self) -> None:
        super().__init__(self.text)

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was downloaded, without a network."""
    names: list[str] = []

    def download(name: str, progress: Progress) -> WeightSet:
        names.append(name)
        progress.update(1.0, "Done")
        found = sets.known(name)
        assert found is not None
        return found

    monkeypatch.setattr(downloading, "download", download)
    return names


def test_without_a_terminal_nothing_is_downloaded_unasked(
    fetched: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Keyboard("y\n", terminal=False))
    assert main(["weights", "download", WIDE]) == ERROR
    shown = capsys.readouterr()
    assert "--yes" in shown.err
    assert fetched == []


@pytest.mark.parametrize(("typed", "status"), [("y\n", ACCEPTED), ("n\n", STOPPED), ("\n", STOPPED), ("", STOPPED)])
def test_on_a_terminal_the_user_is_asked(
    fetched: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, status: int
) -> None:
    monkeypatch.setattr(sys, "stdin", Keyboard(typed))
    assert main(["weights", "download", WIDE]) == status
    assert fetched == ([WIDE] if status == ACCEPTED else [])
    shown = capsys.readouterr().err
    for told in ("https://download.pytorch.org/models/wide_resnet50_2-95faca4d.pth", "138.2 MB", "BSD-3", "ImageNet"):
        assert told in shown


def test_yes_agrees(fetched: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "download", WIDE, "--yes", "--json"]) == ACCEPTED
    assert fetched == [WIDE]
    (row,) = records(capsys)
    assert row["name"] == WIDE


def test_what_cannot_be_downloaded_is_said_without_asking(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "download", "nothing"]) == ERROR
    assert "has no address" in capsys.readouterr().err


def test_a_stopped_download_says_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(name: str, progress: Progress) -> WeightSet:
        raise Cancelled

    monkeypatch.setattr(downloading, "download", stopped)
    assert main(["weights", "download", WIDE, "--yes"]) == STOPPED
    assert "the next download goes on from it" in capsys.readouterr().err


@dataclass(frozen=True)
class Row:
    features: str
    modality: str
    category: str
    o_auroc: float
    p_auroc: float
    aupro: float | None
    seconds: float
    channels: int
    train: int = 2
    test: int = 2
    normalisation: str = "unit_sphere"


@dataclass(frozen=True)
class Ready:
    """Scans made ready, as far as the verb looks at them."""

    name: str
    unit: str
    photographed: bool


Probes = list[tuple[str, str, tuple[str, ...], str]]


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> Probes:
    """What the probe was asked for; its rows are made up."""
    asked: Probes = []

    def rows(scans: Ready, names: Sequence[str], modality: str) -> tuple[Row, ...]:
        asked.append((scans.name, scans.unit, tuple(names), modality))
        scores = {"a": 0.5, "b": 0.7}
        return tuple(Row(name, modality, scans.name, scores[scans.name], 0.9, None, 0.25, 448) for name in names)

    def probe_images(
        scans: Ready, names: Sequence[str], runtime: object, *, modality: str, progress: Progress
    ) -> tuple[Row, ...]:
        return rows(scans, names, modality)

    def probe_points(scans: Ready, names: Sequence[str], runtime: object, *, progress: Progress) -> tuple[Row, ...]:
        return rows(scans, names, "points")

    def probe_scans(
        category: Category, runtime: object, *, train: int | None, test: int | None, progress: Progress
    ) -> Ready:
        assert train == test
        return Ready(category.name, category.unit, photographed=category.name == "b")

    monkeypatch.setattr(feature_probe, "probe_images", probe_images)
    monkeypatch.setattr(feature_probe, "probe_points", probe_points)
    monkeypatch.setattr(scans_module, "probe_scans", probe_scans)
    return asked


@pytest.fixture
def labelled(tmp_path: Path) -> Callable[[str], Path]:
    """A folder of good and defective scans."""

    def make(name: str) -> Path:
        rng = np.random.default_rng(3)
        for path in ("train/good/1", "train/good/2", "test/good/3", "test/dent/4"):
            points = rng.uniform(0, 10, (200, 3)).astype(np.float32)
            target = tmp_path / name / f"{path}.ply"
            target.parent.mkdir(parents=True, exist_ok=True)
            write_ply(target, points)
        return tmp_path / name

    return make


def test_the_probe_asks_for_each_part_and_writes_its_table(
    probed: Probes, labelled: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = labelled("a"), labelled("b")
    arguments = ["weights", "probe", "--category", f"{a}:inch", "--category", str(b), "--modality", "points"]
    arguments += ["--features", "fpfh, fpfh+point_mae-nominal", "--device", "cpu"]
    assert main([*arguments, "--out", str(tmp_path / "t.md")]) == ACCEPTED
    names = ("fpfh", "fpfh+point_mae-nominal")
    assert probed == [("a", "inch", names, "points"), ("b", "mm", names, "points")]
    shown = capsys.readouterr().out
    assert "O-AUROC" in shown
    table = [" ".join(line.split()) for line in (tmp_path / "t.md").read_text().splitlines()]
    assert "| fpfh (unit sphere) | points | a | 0.500 | 0.900 | – | 0.25 | 448 |" in table
    assert "| fpfh (unit sphere) | points | 2 of 2 | 0.600 | 0.900 | – | 0.25 |" in table
    assert main([*arguments, "--out", str(tmp_path / "t.json"), "--json"]) == ACCEPTED
    rows = records(capsys)
    assert rows[0] == {
        "category": "a",
        "modality": "points",
        "features": "fpfh",
        "o_auroc": 0.5,
        "p_auroc": 0.9,
        "aupro": None,
        "seconds": 0.25,
        "channels": 448,
        "normalisation": "unit_sphere",
        "train": 2,
        "test": 2,
    }
    assert json.loads((tmp_path / "t.json").read_text()) == rows


def test_the_probe_takes_what_is_here(probed: Probes, labelled: Callable[[str], Path]) -> None:
    assert main(["weights", "probe", "--category", str(labelled("a")), "--modality", "rendered"]) == ACCEPTED
    names = probed[0][2]
    assert {"oriented_energy", "random:resnet18"} <= set(names)
    assert not any(name.startswith("auto") for name in names)
    assert "random:wide_resnet50_2" not in names
    assert WIDE not in names


def test_photographs_are_probed_where_there_are_some(probed: Probes, labelled: Callable[[str], Path]) -> None:
    arguments = ["weights", "probe", "--features", "x", "--category", str(labelled("a")), "--category"]
    assert main([*arguments, str(labelled("b"))]) == ACCEPTED
    asked = [(name, modality) for name, _, _, modality in probed]
    assert asked == [("a", "rendered"), ("a", "points"), ("b", "rgb"), ("b", "rendered"), ("b", "points")]


def test_the_probe_needs_defective_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(3):
        write_ply(tmp_path / f"{i}.ply", np.random.default_rng(i).uniform(0, 10, (200, 3)).astype(np.float32))
    assert main(["weights", "probe", "--category", str(tmp_path)]) == ERROR
    assert "defective test scans" in capsys.readouterr().err
    assert main(["weights", "probe", "--category", str(tmp_path), "--out", "t.pdf"]) == ERROR
    assert ".json or .md" in capsys.readouterr().err


def test_a_colon_in_a_path_is_no_unit() -> None:
    assert weights_probe._place("D:scans") == (Path("D:scans"), "mm")
    assert weights_probe._place("parts:um") == (Path("parts"), "um")


def test_asking_needs_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Keyboard("y\n", terminal=False))
    with pytest.raises(WeightsError, match="nobody was there to ask"):
        weights_verb._agreed()
