"""How far each pipeline falls when the scans are altered, as charts: the mean over categories at each level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.evaluation.benchmark.runs import Run
from core.evaluation.benchmark.tables import robust_records
from core.evaluation.curves import Curve
from core.evaluation.reports.charts import Line, line_chart, sheet
from core.evaluation.results import metric_title
from core.synthesis.scan_alterations import KINDS, AlterationKind

_LOWEST = 0.4
"""Of areas under ROC curves in charts: chance is 0.5."""


def fall_charts(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """For O-AUROC and P-AUROC a sheet with a chart for each alteration, and its caption.

    Parameters
    ----------
    runs : sequence of Run
        Those without an error.

    Returns
    -------
    list of (str, str)
        ``svg`` elements and captions; none for what was not measured.
    """
    records = robust_records(runs)
    pipelines = list(dict.fromkeys(str(one["pipeline"]) for one in records))
    found = []
    for metric in ("o_auroc", "p_auroc"):
        charts = [chart for kind in KINDS for chart in _charts(records, kind, pipelines, metric)]
        if charts:
            title = f"{metric_title(metric)} of altered scans"
            caption = f"{title}: the mean over the categories, of unaltered scans on the left."
            found.append((sheet(title, charts, pipelines), caption))
    return found


def _charts(
    records: Sequence[dict[str, Any]], kind: AlterationKind, pipelines: Sequence[str], metric: str
) -> list[tuple[str, str]]:
    """One chart, or several where scans of some categories cannot be altered to all levels: their means are apart."""
    own = [one for one in records if one["kind"] == kind.key and one[metric] is not None]
    categories = list(dict.fromkeys(one["category"] for one in own))
    alike: dict[tuple[float, ...], list[str]] = {}
    for category in categories:
        at = {float(one["level"]) for one in own if one["category"] == category}
        alike.setdefault(tuple(sorted(at, reverse=kind.none > 0)), []).append(category)
    charts = []
    for levels, of in alike.items():
        lines = [_line([one for one in own if one["category"] in of], levels, name, metric) for name in pipelines]
        if len(levels) > 1:
            caption = kind.title if len(alike) == 1 else f"{kind.title}, {', '.join(of)}"
            chart = line_chart(
                f"{caption}: {metric_title(metric)}",
                kind.level_title,
                metric_title(metric),
                lines,
                x_end=float(len(levels) - 1),
                y_start=_LOWEST,
                places=[(float(i), f"{level:.3g}") for i, level in enumerate(levels)],
                legend=False,
            )
            charts.append((caption, chart))
    return charts


def _line(records: Sequence[dict[str, Any]], levels: Sequence[float], pipeline: str, metric: str) -> Line:
    x, y = [], []
    for i, level in enumerate(levels):
        values = [one[metric] for one in records if one["pipeline"] == pipeline and one["level"] == level]
        if values:
            x.append(float(i))
            y.append(float(np.mean(values)))
    return Line(pipeline, Curve(np.array(x), np.array(y)))
