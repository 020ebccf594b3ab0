"""What runs say together: means and spreads over seeds, means over categories, ours beside the papers'."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from core.datasets.category import Category, ScanEntry
from core.evaluation.benchmark.comparison import compare
from core.evaluation.benchmark.falls import fall_charts
from core.evaluation.benchmark.files import benchmark_markdown, write_benchmark
from core.evaluation.benchmark.jobs import data_digest
from core.evaluation.benchmark.robustness import Alteration, altered_category
from core.evaluation.benchmark.runs import Run, read_run, write_run
from core.evaluation.benchmark.summary import summarise
from core.evaluation.benchmark.tables import main_cells, robust_cells
from core.formats.ply_writer import write_ply


def run(
    category: str = "bracket",
    pipeline: str = "sca",
    seed: int = 0,
    o_auroc: float = 0.8,
    *,
    layout: str = "nominal",
    error: str | None = None,
    aupro: dict[str, dict[str, float]] | None = None,
    robustness: list[dict[str, Any]] | None = None,
) -> Run:
    def measure(value: float) -> dict[str, float | None]:
        return {"value": value, "low": None, "high": None, "error": 0.0}

    verdicts = {"accept": 3, "review": 0, "reject": 1}
    evaluation = {
        "model": {"scan_count": 20, "weights": {"resnet18-nominal": "ab"}},
        "metrics": {"o_auroc": measure(o_auroc), "p_auroc": measure(0.9)},
        "by_defect": [{"defect": "dent", "parts": 4, "metrics": {"o_auroc": measure(o_auroc)}}],
        "confusion": {"good": verdicts, "defective": verdicts},
        "as_published": {"p_auroc": 0.95, "p_aupr": 0.4, "aupro": aupro or {}},
        "good": 4, "defective": 4, "failed": 0, "curves": {},
        "parts": [
            {"part": "a", "kind": "good", "object_score": 1.0, "error": None},
            {"part": "b", "kind": "dent", "object_score": 2.0, "error": None},
        ],
    }  # fmt: skip
    return Run(
        {
            "job": {"format": 1, "category": category, "layout": layout, "pipeline": pipeline, "seed": seed},
            "fingerprint": "f", "code": "c", "device": "CPU", "error": error, "robustness": robustness or [],
            "seconds": {"train": 10.0 + seed, "inspect": 0.5, "whole": 20.0},
            "evaluation": None if error else evaluation,
        }
    )  # fmt: skip


def test_mean_and_deviation_over_seeds() -> None:
    row = summarise([run(seed=i, o_auroc=value) for i, value in enumerate((0.7, 0.8, 0.9))])[0]
    assert row.metrics["o_auroc"].mean == pytest.approx(0.8)
    assert row.metrics["o_auroc"].deviation == pytest.approx(0.1)  # of the sample: sqrt((0.01 + 0 + 0.01) / 2)
    assert row.metrics["o_auroc"].shown == "0.800 ± 0.100"
    assert row.by_defect["dent"]["o_auroc"].mean == pytest.approx(0.8)
    assert (row.good_rejected, row.good, row.train_seconds) == (1.0, 4, 11.0)


def test_a_mean_over_categories_spreads_over_seeds_not_over_categories() -> None:
    runs = [run("a", seed=0, o_auroc=0.6), run("a", seed=1, o_auroc=0.8)]
    runs += [run("b", seed=0, o_auroc=1.0), run("b", seed=1, o_auroc=0.8)]
    mean = summarise(runs)[-1]
    assert (mean.category, mean.categories, mean.of) == ("mean", 2, 2)
    assert mean.metrics["o_auroc"].mean == pytest.approx(0.8)
    assert mean.metrics["o_auroc"].deviation == pytest.approx(0.0)
    assert mean.good == 8


def test_a_mean_leaves_out_and_names_what_failed() -> None:
    runs = [run("a"), run("b", error="It broke."), run("a", "btf"), run("b", "btf")]
    rows = summarise(runs)
    assert [(row.category, row.pipeline) for row in rows] == [
        ("a", "sca"), ("a", "btf"), ("b", "btf"), ("mean", "sca"), ("mean", "btf"),
    ]  # fmt: skip
    assert [cells[0] for cells in main_cells(rows)[1]][-2:] == ["mean of 1 of 2", "mean"]
    assert "b, sca, seed 0: It broke." in benchmark_markdown(runs, rows, [], "fast")


def test_ours_stand_beside_the_papers_by_the_papers_protocol() -> None:
    aupro = {"T99": {"30": 0.91, "1": 0.4}, "T100": {"30": 0.92, "1": 0.41}}
    made = [run("cable_gland", name, o_auroc=0.9, layout="mvtec3d", aupro=aupro) for name in ("iaenet", "cmdr_iad")]
    found = {(c.table.source, c.table.metric, c.table.modality, c.pipeline): c for c in compare(made)}
    ours = found["iaenet", "o_auroc", "3D", "iaenet"]
    assert (ours.published, ours.method) == (0.954, "IAENet")
    assert ours.difference == pytest.approx(0.9 - 0.954)
    assert ours.best == ("CPMF-1view", 0.969)
    assert ours.weights == ("resnet18-nominal",)
    overlap = found["iaenet", "aupro_30", "3D", "iaenet"]
    assert overlap.ours is not None
    assert (overlap.ours.mean, overlap.published, overlap.protocol) == (0.92, 0.951, "T = 100")
    multimodal = found["cmdr_iad", "aupro_30", "2D+3D", "cmdr_iad"]
    assert multimodal.ours is not None
    assert (multimodal.ours.mean, multimodal.published, multimodal.protocol) == (0.91, 0.973, "T = 99")
    assert found["cmdr_iad", "p_auroc", "3D", "cmdr_iad"].ours.mean == 0.95  # type: ignore[union-attr]
    assert all(c.category == "cable_gland" for c in compare(made))  # no means of one category


def test_parts_of_ones_own_are_compared_with_nothing() -> None:
    assert compare([run("cable_gland", "iaenet"), run("plate", "iaenet", layout="mvtec3d")]) == []


def test_means_are_compared_once_all_categories_are_there() -> None:
    names = ["airplane", "car", "candybar", "chicken", "diamond", "duck", "fish", "gemstone", "seahorse", "shell"]
    names += ["starfish", "toffees"]
    runs = [run(name, "dus_net", o_auroc=0.7, layout="real3d_ad") for name in names]
    mean = next(c for c in compare(runs) if c.category == "mean" and c.table.metric == "o_auroc")
    assert (mean.published, mean.best[0]) == (0.795, "DUS-Net")
    assert mean.difference == pytest.approx(0.7 - 0.795)


def test_robustness_is_told_level_by_level() -> None:
    level = {"kind": "noise", "level": 0.005, "possible": True, "o_auroc": 0.6, "p_auroc": None}
    level |= {"aupro_30": None, "good": 4, "good_rejected": 2, "defective": 4, "defects_found": 3, "failed": 0}
    cells = robust_cells([run(robustness=[level, level | {"kind": "pose", "level": 30.0, "possible": False}])])[1]
    assert cells == [("Noise", "bracket", "sca", "0.800 / 0.900", "0.005: 0.600 / –")]


def falling(category: str, levels: Sequence[float], values: Sequence[float]) -> Run:
    at = {"kind": "pose", "possible": True, "p_auroc": None, "aupro_30": None, "failed": 0}
    at |= {"good": 4, "good_rejected": 2, "defective": 4, "defects_found": 3}
    return run(category, robustness=[at | {"level": x, "o_auroc": y} for x, y in zip(levels, values, strict=True)])


def drawn(charts: Sequence[tuple[str, str]]) -> list[tuple[str, int]]:
    """The caption of each chart, and of how many points its lines are."""
    sheet = ElementTree.fromstring(charts[0][0])
    captions = [text.text or "" for text in sheet.iter("text") if text.get("class") == "caption"]
    counts = [len(line.get("points", "").split()) for chart in sheet.iter("g") for line in chart.findall("polyline")]
    return list(zip(captions, counts, strict=True))


def test_falls_are_drawn_as_means_of_categories_that_fall_at_the_same_levels() -> None:
    alike = [falling("a", (90.0, 180.0), (0.7, 0.6)), falling("b", (90.0, 180.0), (0.6, 0.5))]
    assert drawn(fall_charts(alike)) == [("Pose", 3)]
    apart = [*alike, falling("c", (30.0, 90.0, 180.0), (0.7, 0.6, 0.5))]
    assert drawn(fall_charts(apart)) == [("Pose, a, b", 3), ("Pose, c", 4)]
    assert fall_charts([run()]) == []


def test_robustness_has_files_of_its_own(tmp_path: Path) -> None:
    write_benchmark([falling("a", (90.0, 180.0), (0.7, 0.6))], tmp_path, "fast")
    picture = ElementTree.parse(tmp_path / "robustness.svg").getroot()
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    assert "--good" in (picture.findtext("{http://www.w3.org/2000/svg}style") or "")
    assert (tmp_path / "robustness.csv").is_file()


def test_a_run_reads_back_and_a_damaged_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_run(run(), path)
    again = read_run(path)
    assert again is not None
    assert again.value("o_auroc") == 0.8
    path.write_text(path.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    assert read_run(path) is None
    assert read_run(tmp_path / "none.json") is None


def test_all_files_are_written(tmp_path: Path) -> None:
    written = write_benchmark([run(), run(seed=1)], tmp_path, "fast")
    assert [path.name for path in written] == ["benchmark.json", "benchmark.csv", "benchmark.md", "benchmark.html"]
    assert "resnet18-nominal" in (tmp_path / "benchmark.md").read_text(encoding="utf-8")


@pytest.fixture
def category(tmp_path: Path) -> Category:
    rng = np.random.default_rng(0)
    points = rng.random((60, 3)).astype(np.float32)
    write_ply(tmp_path / "a.ply", points)
    np.savetxt(tmp_path / "a.txt", np.column_stack([points, points[:, 0] > 0.7]))
    entry = ScanEntry(tmp_path / "a.ply", "test", "dent", None, tmp_path / "a.txt", "dent/a")
    return Category("box", tmp_path, "nominal", "mm", (entry,))


def test_an_altered_category_gives_the_same_altered_scans_with_labels(category: Category) -> None:
    altered = altered_category(category, Alteration("downsampling", 0.5), seed=4)
    entry = altered.split("test")[0]
    assert entry.ground_truth is None  # what lies in files no longer fits
    scan = altered.load(entry)
    assert len(scan) == 30
    np.testing.assert_array_equal(scan.labels, scan.points[:, 0] > 0.7)
    np.testing.assert_array_equal(scan.points, altered.load(entry).points)


def test_the_digest_of_data_sees_changed_files(category: Category) -> None:
    before = data_digest(category)
    assert data_digest(dataclasses.replace(category, entries=())) != before
    (category.root / "a.txt").write_text("0 0 0 1\n", encoding="utf-8")
    assert data_digest(category) != before
