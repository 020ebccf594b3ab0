"""An evaluation as one HTML page that needs nothing else: no network, no scripts; the charts are inline SVG."""

from __future__ import annotations

from html import escape

import numpy as np

from core.errors import CategoryError
from core.evaluation.curves import precision_recall_curve, roc_curve
from core.evaluation.metrics import part_ranking
from core.evaluation.reports.charts import Line, line_chart, score_histogram
from core.evaluation.reports.markup import document, figure, row, table
from core.evaluation.reports.tables import (
    NONE,
    defect_cells,
    metric_cells,
    published_cells,
    summary_line,
    verdict_cells,
)
from core.evaluation.results import Evaluation
from core.inspection.verdict import Verdict
from core.reporting.summary import DECISION_RULE
from core.version import VERSION


def html_report(evaluation: Evaluation) -> str:
    """The whole page."""
    card, at = evaluation.card, evaluation.thresholds
    title = f"{evaluation.category}: evaluation of {card.name}"
    weights = ", ".join(card.weights) or "none"
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(summary_line(evaluation))}, trained on {card.scan_count} scans, seed {card.seed}, weights: "
        f"{escape(weights)}. Nominal {escape(VERSION)}, {escape(evaluation.device)}, {escape(evaluation.created)}.</p>",
    ]
    if evaluation.notes:
        body.append(f'<div class="notes">{"".join(f"<p>{escape(note)}</p>" for note in evaluation.notes)}</div>')
    body += [
        "<h2>Metrics</h2>",
        table(*metric_cells(evaluation)),
        "<p>Intervals: 95 %, from drawing the good and the defective parts again. Figures of points are over judged "
        "points; defective points that were not judged count as missed.</p>",
        "<h2>Verdicts</h2>",
        table(*verdict_cells(evaluation)),
        f"<p>Part threshold {at.part:.6g}, review within {at.guard:.3g} of it: {escape(DECISION_RULE)}.</p>",
        f'<div class="charts">{"".join(_charts(evaluation))}</div>',
    ]
    if evaluation.by_defect:
        body += ["<h2>Kinds of defect, each against all good parts</h2>", table(*defect_cells(evaluation))]
    body += ["<h2>Parts, the highest score first</h2>", _parts(evaluation)]
    if evaluation.published is not None:
        body += [
            "<h2>To be held against published figures</h2>",
            "<p>Every point or pixel counts, the background as good, and the overlap is taken at few ranks of the "
            "scores, as the published evaluation codes do. Figures of MVTec 3D-AD are of maps of 224 × 224 pixels, "
            "these of the scan's own resolution.</p>",
            table(*published_cells(evaluation)),
        ]
    return document(title, body)


def _charts(evaluation: Evaluation) -> list[str]:
    """Figures of what could be measured."""
    judged = evaluation.judged
    figures = []
    scores = np.array([p.score for p in judged], np.float64)
    defective = np.array([p.defective for p in judged], bool)
    finite = np.isfinite(scores)
    if finite.any():
        at = evaluation.thresholds
        good, bad = scores[finite & ~defective], scores[finite & defective]
        chart = score_histogram("Object scores of good and defective parts", good, bad, at.part, at.guard)
        beyond = int((~finite).sum())
        text = "Good parts upwards, defective ones downwards; the line is the part threshold, the band is for review."
        figures.append(figure(chart, text + (f" {beyond} infinite scores are not shown." if beyond else "")))
    roc, precision = [], []
    try:
        ranking = part_ranking(scores, defective)
        roc.append(Line("parts", roc_curve(ranking)))
        precision.append(Line("parts", precision_recall_curve(ranking)))
    except CategoryError:  # one class alone: nothing to draw
        pass
    curves = evaluation.curves
    if "p_roc" in curves:
        roc.append(Line("points", curves["p_roc"]))
        precision.append(Line("points", curves["p_pr"]))
    if roc:
        chart = line_chart("ROC curve", "share of good ones rejected", "share of defective ones found", roc)
        figures.append(figure(chart, "ROC: what finding more of the defective costs in good ones."))
        chart = line_chart("Precision-recall curve", "share of defective ones found", "precision", precision)
        figures.append(figure(chart, "Precision: of what is called defective, how much is."))
    if "overlap" in curves:
        line = curves["overlap"]
        chart = line_chart(
            "Overlap with the defects",
            "share of good points marked",
            "mean share of a defect marked",
            [Line("defects", line)],
            x_end=float(line.x[-1]) or 1.0,
        )
        figures.append(figure(chart, "Overlap: how much of each defect is marked; AUPRO is the area below."))
    return figures


def _parts(evaluation: Evaluation) -> str:
    rows = []
    for part in sorted(evaluation.judged, key=lambda p: -(p.score or 0.0)):
        wrong = part.verdict is (Verdict.ACCEPT if part.defective else Verdict.REJECT)
        cells = [part.key, part.kind, f"{part.score:.6g}", str(part.verdict), f"{part.seconds:.2f}", f"{part.points:,}"]
        rows.append(row(cells, "wrong" if wrong else ""))
    for part in evaluation.failures:
        rows.append(
            f'<tr class="wrong"><td>{escape(part.key)}</td><td class="text">{escape(part.kind)}</td>'
            f'<td class="reason" colspan="4">{escape(part.error) or NONE}</td></tr>'
        )
    head = row(("part", "kind", "object score", "verdict", "seconds", "points"), tag="th")
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'
