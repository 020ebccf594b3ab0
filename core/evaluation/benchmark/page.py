"""A benchmark as one HTML page with its curves."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from core.errors import CategoryError
from core.evaluation.benchmark.comparison import Compared
from core.evaluation.benchmark.runs import Run
from core.evaluation.benchmark.summary import Row
from core.evaluation.benchmark.tables import (
    compared_cells,
    defect_cells,
    failures,
    main_cells,
    robust_cells,
    robust_records,
)
from core.evaluation.curves import Curve, roc_curve
from core.evaluation.metrics import part_ranking
from core.evaluation.reports.charts import Line, line_chart
from core.evaluation.reports.markup import document, figure, table
from core.evaluation.results import metric_title
from core.synthesis.scan_alterations import KINDS, AlterationKind

_LOWEST = 0.4
"""Of areas under ROC curves in charts: chance is 0.5."""


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
            f'<div class="charts">{"".join(_falls(sound))}</div>',
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


def _falls(runs: Sequence[Run]) -> list[str]:
    """For each alteration a chart of the mean over categories, one line a pipeline."""
    records = robust_records(runs)
    figures = []
    for kind in KINDS:
        own = [one for one in records if one["kind"] == kind.key]
        levels = [kind.none, *(level for level in kind.levels if any(one["level"] == level for one in own))]
        levels.sort(reverse=kind.none > 0)
        for metric in ("o_auroc", "p_auroc"):
            lines = _lines(own, kind, levels, metric)
            if lines:
                places = [(float(i), f"{level:.3g}") for i, level in enumerate(levels)]
                chart = line_chart(
                    f"{kind.title}: {metric_title(metric)}",
                    kind.level_title,
                    metric_title(metric),
                    lines,
                    x_end=float(len(levels) - 1),
                    y_start=_LOWEST,
                    places=places,
                )
                figures.append(figure(chart, f"{kind.title}: mean {metric_title(metric)} over the categories."))
    return figures


def _lines(
    records: Sequence[dict[str, object]], kind: AlterationKind, levels: Sequence[float], metric: str
) -> list[Line]:
    lines = []
    for pipeline in dict.fromkeys(str(one["pipeline"]) for one in records):
        x, y = [], []
        for i, level in enumerate(levels):
            values = [one[metric] for one in records if one["pipeline"] == pipeline and one["level"] == level]
            known = [value for value in values if isinstance(value, float)]
            if known:
                x.append(float(i))
                y.append(float(np.mean(known)))
        if len(x) > 1:
            lines.append(Line(pipeline, Curve(np.array(x), np.array(y))))
    return lines
