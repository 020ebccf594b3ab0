"""A benchmark as one HTML page with its curves."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from core.errors import CategoryError
from core.evaluation.benchmark.comparison import Compared
from core.evaluation.benchmark.falls import fall_charts
from core.evaluation.benchmark.runs import Run
from core.evaluation.benchmark.summary import Row
from core.evaluation.benchmark.tables import (
    compared_cells,
    defect_cells,
    failures,
    main_cells,
    robust_cells,
)
from core.evaluation.curves import Curve, roc_curve
from core.evaluation.metrics import part_ranking
from core.evaluation.reports.charts import Line, line_chart
from core.evaluation.reports.markup import document, figure, table


def benchmark_page(
    title: str, about: str, runs: Sequence[Run], rows: Sequence[Row], compared: Sequence[Compared]
) -> str:
    """The whole page."""
    sound = [run for run in runs if not run.error]
    body = [f"<h1>{escape(title)}</h1>", f"<p>{escape(about)}</p>", "<h2>All figures</h2>", table(*main_cells(rows))]
    if any(row.by_defect for row in rows):
        body += ["<h2>O-AUROC by kind of defect, each against all good parts</h2>", table(*defect_cells(rows))]
    if compared:
        body += ["<h2>Beside the published figures</h2>", table(*compared_cells(compared))]
        body.append("".join(f"<p>{escape(note)}</p>" for note in table_notes(compared)))
    body += ["<h2>Curves</h2>", f'<div class="charts">{"".join(_curves(sound))}</div>']
    if any(run.robustness for run in sound):
        body += [
            "<h2>Robustness</h2>",
            "<p>Models trained on scans as they are, judged on altered ones.</p>",
            *(figure(chart, caption) for chart, caption in fall_charts(sound)),
            table(*robust_cells(sound)),
        ]
    if failed := failures(runs):
        body += ["<h2>What did not work</h2>", "".join(f"<p>{escape(one)}</p>" for one in failed)]
    return document(title, body)


def table_notes(compared: Sequence[Compared]) -> list[str]:
    """What is to know of the tables that were compared with."""
    return list(dict.fromkeys(f"{c.table.source}, {c.table.number}: {c.table.note}" for c in compared if c.table.note))


def _curves(runs: Sequence[Run]) -> list[str]:
    """For each category the ROC curves of parts and of points, of each pipeline's first seed."""
    figures = []
    for category in dict.fromkeys(run.category for run in runs):
        first: dict[str, Run] = {}
        for run in runs:
            if run.category == category:
                first.setdefault(run.pipeline, run)
        parts = [line for run in first.values() if (line := _part_line(run)) is not None]
        points = [line for run in first.values() if (line := _point_line(run)) is not None]
        for what, lines in (("parts", parts), ("points", points)):
            if lines:
                title = f"{category}: ROC of {what}"
                chart = line_chart(title, f"share of good {what} rejected", f"share of defective {what} found", lines)
                figures.append(figure(chart, f"{title}, first seed."))
    return figures


def _part_line(run: Run) -> Line | None:
    parts = [part for part in run.evaluation["parts"] if part["object_score"] is not None]
    scores = np.array([part["object_score"] for part in parts], np.float64)
    try:
        ranking = part_ranking(scores, np.array([part["kind"] != "good" for part in parts], bool))
    except CategoryError:  # one class alone: nothing to draw
        return None
    return Line(run.pipeline, roc_curve(ranking))


def _point_line(run: Run) -> Line | None:
    curve = run.evaluation["curves"].get("p_roc")
    return None if curve is None else Line(run.pipeline, Curve(np.array(curve["x"]), np.array(curve["y"])))
