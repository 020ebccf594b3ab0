"""An evaluation as text: for a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from core.evaluation.intervals import Measure, Rate
from core.evaluation.results import Evaluation, Published, metric_title
from core.inspection.verdict import Verdict
from core.reporting.text_table import text_table
from core.version import VERSION

Cells = tuple[Sequence[str], Sequence[Sequence[str]]]
"""Head and rows of a table."""

TYPE_METRICS = ("o_auroc", "p_auroc", "aupro_30")
NONE = "–"
_RANKS, _LIMITS = 100, (0.3, 0.01)


def summary_line(evaluation: Evaluation) -> str:
    """What was evaluated, in one sentence."""
    judged = evaluation.judged
    defective = sum(part.defective for part in judged)
    failed = f", {len(evaluation.failures)} not judged" if evaluation.failures else ""
    mode = ", judged by shape alone" if evaluation.reduced else ""
    return (
        f"{evaluation.category}, {evaluation.split}: {len(judged) - defective} good and {defective} defective parts"
        f"{failed}; model {evaluation.card.name} ({evaluation.card.pipeline}, {evaluation.card.preset}){mode}"
    )


def metric_cells(evaluation: Evaluation) -> Cells:
    """Head and rows of the table of metrics."""
    rows = [(metric_title(name), shown(name, one), interval(name, one)) for name, one in evaluation.metrics.items()]
    return ("metric", "value", "95 % interval"), rows


def verdict_cells(evaluation: Evaluation) -> Cells:
    """Head and rows of the confusion at the evaluation's thresholds."""
    confusion = evaluation.confusion()
    rows = []
    for name, counts, wrong, one in (
        ("good", confusion.good, "rejected", confusion.false_rejects),
        ("defective", confusion.defective, "accepted", confusion.misses),
    ):
        rows.append((name, *(str(counts[verdict]) for verdict in Verdict), f"{wrong}: {shown_rate(one)}"))
    return ("parts", *(str(verdict) for verdict in Verdict), "wrong, with 95 % interval"), rows


def defect_cells(evaluation: Evaluation) -> Cells:
    """Head and rows of the table of kinds of defect."""
    names = [name for name in TYPE_METRICS if name in evaluation.metrics]
    head = ("defect", "parts", *(str(verdict) for verdict in Verdict), *(metric_title(n) for n in names))
    rows = []
    for one in evaluation.by_defect:
        values = []
        for name in names:
            measure = one.metrics.get(name)
            values.append(NONE if measure is None else f"{shown(name, measure)} ({interval(name, measure)})")
        rows.append((one.defect, str(one.parts), *(str(one.verdicts[v]) for v in Verdict), *values))
    return head, rows


def published_cells(evaluation: Evaluation) -> Cells:
    """Head and rows of the figures to be held against published ones."""
    published = evaluation.published
    if published is None:
        return ("metric", "value"), []
    rows = [("P-AUROC", f"{published.p_auroc:.4f}"), ("P-AUPR", f"{published.p_aupr:.4f}")]
    rows += [
        (f"AUPRO@{100 * limit:g} %, {ranks} thresholds", f"{value:.4f}")
        for (ranks, limit), value in published.aupro.items()
    ]
    return ("as published", "value"), rows


def text_report(evaluation: Evaluation) -> str:
    """For a terminal."""
    parts = [summary_line(evaluation)]
    tables = [metric_cells(evaluation), verdict_cells(evaluation), defect_cells(evaluation)]
    parts += [_table(cells, markdown=False) for cells in tables if cells[1]]
    if evaluation.published is not None and evaluation.published.aupro:
        parts.append(f"As published codes measure, over all pixels: {_published_line(evaluation.published)}")
    if evaluation.notes:
        parts.append("\n".join(f"Note: {note}" for note in evaluation.notes))
    return "\n\n".join(parts)


def markdown_report(evaluation: Evaluation) -> str:
    """As a document."""
    card, at = evaluation.card, evaluation.thresholds
    weights = ", ".join(card.weights) or "none"
    parts = [
        f"# {evaluation.category}: evaluation of {card.name}",
        f"{summary_line(evaluation)}, trained on {card.scan_count} scans, seed {card.seed}, weights: {weights}. "
        f"Nominal {VERSION}, {evaluation.device}, {evaluation.created}.",
        *(f"> {note}" for note in evaluation.notes),
        "## Metrics",
        _table(metric_cells(evaluation)),
        f"## Verdicts\n\nPart threshold {at.part:.6g}, review within {at.guard:.3g} of it.",
        _table(verdict_cells(evaluation)),
    ]
    if evaluation.by_defect:
        parts += ["## Kinds of defect, each against all good parts", _table(defect_cells(evaluation))]
    if evaluation.published is not None:
        parts += [
            "## To be held against published figures\n\nEvery point or pixel counts, the background as good, and the "
            "overlap is taken at few ranks of the scores, as the published evaluation codes do. Figures of MVTec "
            "3D-AD are of maps of 224 × 224 pixels, these of the scan's own resolution.",
            _table(published_cells(evaluation)),
        ]
    if evaluation.failures:
        parts += ["## Not judged", "\n".join(f"- {part.key}: {part.error}" for part in evaluation.failures)]
    return "\n\n".join(parts) + "\n"


def shown(name: str, one: Measure) -> str:
    """The value of a metric; rates in per cent."""
    return _number(name, one.value)


def interval(name: str, one: Measure) -> str:
    """Its interval, a dash where there is none."""
    if not isfinite(one.low):
        return NONE
    return f"{_number(name, one.low)} … {_number(name, one.high)}"


def shown_rate(one: Rate) -> str:
    """A share of parts with its interval."""
    if one.of == 0:
        return NONE
    return f"{one.count} of {one.of} ({100 * one.low:.0f} … {100 * one.high:.0f} %)"


def _published_line(published: Published) -> str:
    """The figures that papers give most."""
    overlaps = [f"AUPRO@{100 * limit:g} % {published.aupro[_RANKS, limit]:.3f}" for limit in _LIMITS]
    return f"P-AUROC {published.p_auroc:.3f}, {', '.join(overlaps)} ({_RANKS} thresholds)"


def _number(name: str, value: float) -> str:
    return f"{100 * value:.1f} %" if name.startswith("frr") else f"{value:.3f}"


def _table(cells: Cells, *, markdown: bool = True) -> str:
    return text_table(*cells, markdown=markdown)
