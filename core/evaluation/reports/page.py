"""An evaluation as one HTML page that needs nothing else: no network, no scripts; the charts are inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from core.errors import CategoryError
from core.evaluation.curves import precision_recall_curve, roc_curve
from core.evaluation.metrics import part_ranking
from core.evaluation.reports.charts import Line, line_chart, score_histogram
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

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --dim: #5b6675; --rule: #d7dce3; --page: #ffffff; --good: #2b7bba;
  --bad: #d1495b; --mark: #7a5195; --band: #7a519533; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --dim: #9aa6b5; --rule: #364150; --page: #161b22;
  --good: #5aa9e6; --bad: #ff6b7d; --mark: #c79bef; --band: #c79bef33; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 2rem auto;
  max-width: 68rem; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p, figcaption { color: var(--dim); max-width: 60rem; }
.notes { border-left: 3px solid var(--mark); padding-left: 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap; }
th:first-child, td:first-child, .text { text-align: left; } th { color: var(--dim); font-weight: 600; }
tr.wrong td { color: var(--bad); } td.reason { white-space: normal; text-align: left; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1.5rem; }
figure { margin: 0; } figcaption { font-size: .9rem; }
svg { width: 100%; height: auto; font: 11px system-ui, sans-serif; } svg text { fill: var(--dim); }
.frame { fill: none; stroke: var(--rule); } .grid { stroke: var(--rule); stroke-width: .5; }
.axis { stroke: var(--dim); } polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
.first { stroke: var(--good); } .second { stroke: var(--bad); stroke-dasharray: 5 3; }
svg text.first { fill: var(--good); } svg text.second { fill: var(--bad); }
svg .legend { stroke: none; font-weight: 600; }
rect.good { fill: var(--good); } rect.bad { fill: var(--bad); } svg text.good { fill: var(--good); }
svg text.bad { fill: var(--bad); } .mark { stroke: var(--mark); stroke-width: 2; stroke-dasharray: 4 3; }
.band { fill: var(--band); }
@media print { body { margin: 0; max-width: none; } figure, tr { break-inside: avoid; } }
"""


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
        _table(*metric_cells(evaluation)),
        "<p>Intervals: 95 %, from drawing the good and the defective parts again. Figures of points are over judged "
        "points; defective points that were not judged count as missed.</p>",
        "<h2>Verdicts</h2>",
        _table(*verdict_cells(evaluation)),
        f"<p>Part threshold {at.part:.6g}, review within {at.guard:.3g} of it: {escape(DECISION_RULE)}.</p>",
        f'<div class="charts">{"".join(_charts(evaluation))}</div>',
    ]
    if evaluation.by_defect:
        body += ["<h2>Kinds of defect, each against all good parts</h2>", _table(*defect_cells(evaluation))]
    body += ["<h2>Parts, the highest score first</h2>", _parts(evaluation)]
    if evaluation.published is not None:
        body += [
            "<h2>To be held against published figures</h2>",
            "<p>Every point or pixel counts, the background as good, and the overlap is taken at few ranks of the "
            "scores, as the published evaluation codes do. Figures of MVTec 3D-AD are of maps of 224 × 224 pixels, "
            "these of the scan's own resolution.</p>",
            _table(*published_cells(evaluation)),
        ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


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
        figures.append(_figure(chart, text + (f" {beyond} infinite scores are not shown." if beyond else "")))
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
        figures.append(_figure(chart, "ROC: what finding more of the defective costs in good ones."))
        chart = line_chart("Precision-recall curve", "share of defective ones found", "precision", precision)
        figures.append(_figure(chart, "Precision: of what is called defective, how much is."))
    if "overlap" in curves:
        line = curves["overlap"]
        chart = line_chart(
            "Overlap with the defects",
            "share of good points marked",
            "mean share of a defect marked",
            [Line("defects", line)],
            x_end=float(line.x[-1]) or 1.0,
        )
        figures.append(_figure(chart, "Overlap: how much of each defect is marked; AUPRO is the area below."))
    return figures


def _figure(chart: str, caption: str) -> str:
    return f"<figure>{chart}<figcaption>{escape(caption)}</figcaption></figure>"


def _parts(evaluation: Evaluation) -> str:
    rows = []
    for part in sorted(evaluation.judged, key=lambda p: -(p.score or 0.0)):
        wrong = part.verdict is (Verdict.ACCEPT if part.defective else Verdict.REJECT)
        cells = [part.key, part.kind, f"{part.score:.6g}", str(part.verdict), f"{part.seconds:.2f}", f"{part.points:,}"]
        rows.append(_row(cells, "wrong" if wrong else ""))
    for part in evaluation.failures:
        rows.append(
            f'<tr class="wrong"><td>{escape(part.key)}</td><td class="text">{escape(part.kind)}</td>'
            f'<td class="reason" colspan="4">{escape(part.error) or NONE}</td></tr>'
        )
    head = _row(("part", "kind", "object score", "verdict", "seconds", "points"), tag="th")
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    made = "".join(_row(row) for row in rows)
    return f'<div class="wide"><table><thead>{_row(head, tag="th")}</thead><tbody>{made}</tbody></table></div>'


def _row(cells: Sequence[str], style: str = "", tag: str = "td") -> str:
    return f'<tr class="{style}">' + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
