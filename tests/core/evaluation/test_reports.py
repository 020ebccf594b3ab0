"""The files of an evaluation: complete, whole, readable, and sound where there is little to tell."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from core.errors import OutputError
from core.evaluation.curves import Curve
from core.evaluation.intervals import Measure
from core.evaluation.reports.charts import Line, line_chart, score_histogram, ticks
from core.evaluation.reports.files import PART_COLUMNS, parts_csv, write_reports
from core.evaluation.reports.page import html_report
from core.evaluation.reports.record import evaluation_record
from core.evaluation.reports.tables import markdown_report, text_report
from core.evaluation.results import Evaluation, PartResult, Published, TypeResult, metric_title
from core.inspection.thresholds import Thresholds
from core.inspection.verdict import Verdict, decide
from core.reporting.text_table import text_table
from core.store.model_file import ModelCard

AT = Thresholds(point=0.5, part=1.0, guard=0.1)


def made(scores: dict[str, float | None] | None = None, **changes: Any) -> Evaluation:
    scores = scores or {"good/a": 0.25, "good/b": 1.5, "dent/a": 3.0, "dent/b": 0.5, "dent/c": None}
    parts = []
    for key, score in scores.items():
        kind = key.split("/")[0]
        verdict = None if score is None else decide(score, AT)
        error = "It is <bent>. Straighten it." if score is None else ""
        defect = "" if kind == "good" else kind
        parts.append(PartResult(key, Path(f"/parts/{key}.ply"), defect, score, verdict, 0.25, 1000, True, error))
    line = Curve(np.array([0.0, 0.2, 1.0]), np.array([0.0, 0.9, 1.0]))
    values: dict[str, Any] = {
        "category": "plate <1>",
        "split": "test",
        "unit": "mm",
        "source": Path("/parts"),
        "card": ModelCard("my & model", "sca", "fast", {"k": 3}, "plate", "mm", 20, "", "0", {"set": "ab" * 32}),
        "device": "CPU",
        "created": "2026-01-02T03:04:05+00:00",
        "thresholds": AT,
        "parts": tuple(parts),
        "metrics": {
            "o_auroc": Measure(0.75, 0.25, 1.0),
            "frr_95": Measure(0.5, 0.0, 1.0),
            "aupro_30": Measure(0.8, float("nan"), float("nan"), 1e-5),
        },
        "by_defect": (TypeResult("dent", 2, dict(zip(Verdict, (1, 0, 1), strict=True)), {"o_auroc": Measure(0.75)}),),
        "published": Published(0.7, 0.3, {(99, 0.3): 0.61, (100, 0.3): 0.62, (99, 0.01): 0.2, (100, 0.01): 0.21}),
        "curves": {"p_roc": line, "p_pr": line, "overlap": Curve(line.x * 0.3, line.y)},
        "notes": ("Few parts & little sense.",),
    }
    return Evaluation(**(values | changes))


def test_all_files_are_written(tmp_path: Path) -> None:
    paths = write_reports(made(), tmp_path / "new" / "out")
    assert [p.name for p in paths] == ["evaluation.json", "parts.csv", "evaluation.md", "evaluation.html"]
    assert sorted(p.name for p in (tmp_path / "new" / "out").iterdir()) == sorted(p.name for p in paths)
    record = json.loads(paths[0].read_text(encoding="utf-8"))
    assert record["metrics"]["o_auroc"] == {"value": 0.75, "low": 0.25, "high": 1.0, "error": 0.0}
    assert record["metrics"]["aupro_30"]["low"] is None
    assert record["confusion"]["good"] == {"accept": 1, "review": 0, "reject": 1}
    assert record["confusion"]["misses"]["of"] == 2  # the part that was not judged is in no rate
    assert record["as_published"]["aupro"]["T99"]["30"] == 0.61
    assert (record["good"], record["defective"], record["failed"]) == (2, 2, 1)
    assert record["by_defect"][0]["verdicts"] == {"accept": 1, "review": 0, "reject": 1}
    assert record["parts"][4]["error"] == "It is <bent>. Straighten it."
    assert record["curves"]["p_roc"]["y"] == [0.0, 0.9, 1.0]
    assert record["model"]["weights"] == {"set": "ab" * 32}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="could not be written"):
        write_reports(made(), tmp_path / "file")


def test_parts_as_a_table() -> None:
    rows = list(csv.DictReader(parts_csv(made()).splitlines()))
    assert tuple(rows[0]) == PART_COLUMNS
    assert [row["object_score"] for row in rows] == ["0.25", "1.5", "3", "0.5", ""]
    assert [row["verdict"] for row in rows] == ["accept", "reject", "reject", "accept", ""]
    assert rows[0]["kind"] == "good"


def test_the_page_needs_nothing_else_and_is_well_formed() -> None:
    page = html_report(made())
    assert not re.search(r"<script|<link|<img|@import|url\(|https?://", page)
    body = page[page.index("<body>") : page.index("</body>") + 7]
    tree = ElementTree.fromstring(body)
    text = "".join(tree.itertext())
    assert "plate <1>: evaluation of my & model" in text
    assert "It is <bent>" in text
    assert "Few parts & little sense." in text
    assert len(tree.findall(".//svg")) == 4
    for svg in tree.iter("svg"):
        for node in svg.iter():
            for name in ("x", "y", "x1", "x2", "y1", "y2", "width", "height"):
                assert np.isfinite(float(node.get(name, "0")))
    wrong = [row.findtext("td") for row in tree.iter("tr") if row.get("class") == "wrong"]
    assert wrong == ["good/b", "dent/b", "dent/c"]


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": {}, "by_defect": (), "published": None, "curves": {}, "notes": ()},
        {"scores": {"good/a": float("inf"), "dent/a": 2.0}},
        {"scores": {"good/a": 1.0, "dent/a": 1.0}, "thresholds": Thresholds(0.0, float("inf"))},
        {"scores": {"good/a": -3.0, "dent/a": 1e9}},
        {"scores": {"good/a": 1e-6, "good/b": 1.0, "dent/a": 1e6}},
    ],
)
def test_little_or_odd_things_to_tell(changes: dict[str, Any], tmp_path: Path) -> None:
    found = made(**changes)
    write_reports(found, tmp_path)
    ElementTree.fromstring(re.search(r"<body>.*</body>", html_report(found), re.DOTALL).group(0))
    assert text_report(found)


def test_text_for_a_terminal_and_as_markdown() -> None:
    shown = text_report(made())
    assert re.search(r"O-AUROC +0\.750 +0\.250 … 1\.000", shown)
    assert re.search(r"good rejected at 95 % recall +50\.0 % +0\.0 % … 100\.0 %", shown)
    assert re.search(r"AUPRO@30 % +0\.800 +–", shown)
    assert "rejected: 1 of 2 (1 … 99 %)" in shown
    assert "AUPRO@30 % 0.620, AUPRO@1 % 0.210 (100 thresholds)" in shown
    assert "1 not judged" in shown
    document = markdown_report(made())
    assert "| AUPRO@30 %, 99 thresholds" in document
    assert "- dent/c: It is <bent>" in document
    assert "> Few parts" in document


def test_names_of_metrics() -> None:
    assert [metric_title(key) for key in ("o_auroc", "aupro_1", "frr_100")] == [
        "O-AUROC", "AUPRO@1 %", "good rejected at 100 % recall",
    ]  # fmt: skip


def test_records_can_leave_out_parts_and_curves() -> None:
    assert not {"parts", "curves"} & set(evaluation_record(made(), parts=False, curves=False))


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.0, 0.3), (-3.0, 1e6), (0.2, 0.20001), (5.0, 5.0)])
def test_ticks_are_few_round_and_inside(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 1 <= len(found) <= 8
    slack = 1e-6 * (high - low)
    assert all(low - slack <= t <= high + slack for t in found)


def test_a_histogram_counts_every_part() -> None:
    chart = score_histogram("t", np.array([1.0, 1.0, 2.0]), np.array([5.0]), 3.0, 0.5)
    tree = ElementTree.fromstring(chart)
    heights = {c: [float(r.get("height")) for r in tree.iter("rect") if r.get("class") == c] for c in ("good", "bad")}
    assert len(heights["good"]) == 2
    assert max(heights["good"]) == pytest.approx(2 * min(heights["good"]), abs=0.2)
    assert heights["bad"] == pytest.approx([min(heights["good"])], abs=0.2)
    assert len([r for r in tree.iter("rect") if r.get("class") == "band"]) == 1


def test_a_line_is_drawn_from_corner_to_corner() -> None:
    chart = line_chart("t", "x", "y", [Line("a < b", Curve(np.array([0.0, 1.0]), np.array([0.0, 1.0])))])
    (line,) = ElementTree.fromstring(chart).iter("polyline")
    (x0, y0), (x1, y1) = (tuple(map(float, p.split(","))) for p in line.get("points").split())
    assert x0 < x1
    assert y0 > y1  # upwards on the screen


def test_tables_in_text() -> None:
    assert text_table(("a", "long"), [("x|y", "1")], markdown=True).splitlines() == [
        "| a    | long |", "| ---- | ---: |", "| x\\|y |    1 |",
    ]  # fmt: skip
    assert text_table(("name", "n"), [("x", "12")]).splitlines() == ["name    n", "----  ---", "x      12"]
