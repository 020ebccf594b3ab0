"""An evaluation as plain values, ready for JSON: one source for files, the command line and tables over many runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.evaluation.intervals import Measure, Rate
from core.evaluation.results import Confusion, Evaluation, PartResult, Published
from core.reporting.summary import DECISION_RULE, plain
from core.version import VERSION


def evaluation_record(evaluation: Evaluation, *, parts: bool = True, curves: bool = True) -> dict[str, Any]:
    """Everything about an evaluation.

    Parameters
    ----------
    parts, curves : bool
        Whether each part and the curves of the points are in it.
    """
    card, thresholds = evaluation.card, evaluation.thresholds
    record: dict[str, Any] = {
        "program": "Nominal",
        "program_version": VERSION,
        "date": evaluation.created,
        "category": evaluation.category,
        "source": str(evaluation.source),
        "split": evaluation.split,
        "unit": evaluation.unit,
        "device": evaluation.device,
        "model": {
            "name": card.name,
            "pipeline": card.pipeline,
            "preset": card.preset,
            "config": card.config,
            "category": card.category,
            "scan_count": card.scan_count,
            "created": card.created,
            "weights": card.weights,
            "seed": card.seed,
        },
        "mode": "by shape alone" if evaluation.reduced else "full",
        "thresholds": {"point": thresholds.point, "part": thresholds.part, "guard": thresholds.guard},
        "decision_rule": DECISION_RULE,
        "good": sum(not part.defective for part in evaluation.judged),
        "defective": sum(part.defective for part in evaluation.judged),
        "failed": len(evaluation.failures),
        "metrics": _measures(evaluation.metrics),
        "confusion": _confusion(evaluation.confusion()),
        "by_defect": [
            {
                "defect": one.defect,
                "parts": one.parts,
                "verdicts": {str(verdict): count for verdict, count in one.verdicts.items()},
                "metrics": _measures(one.metrics),
            }
            for one in evaluation.by_defect
        ],
        "as_published": None if evaluation.published is None else _published(evaluation.published),
        "notes": list(evaluation.notes),
    }
    if parts:
        record["parts"] = [part_record(part) for part in evaluation.parts]
    if curves:
        record["curves"] = {name: {"x": curve.x, "y": curve.y} for name, curve in evaluation.curves.items()}
    made: dict[str, Any] = plain(record)
    return made


def part_record(part: PartResult) -> dict[str, Any]:
    """One part."""
    return {
        "part": part.key,
        "file": str(part.path),
        "kind": part.kind,
        "object_score": part.score,
        "verdict": None if part.verdict is None else str(part.verdict),
        "seconds": part.seconds,
        "points": part.points,
        "labelled": part.labelled,
        "error": part.error or None,
        "lacking": part.lacking or None,
        "notes": list(part.notes),
    }


def _measures(metrics: Mapping[str, Measure]) -> dict[str, Any]:
    return {
        name: {"value": one.value, "low": one.low, "high": one.high, "error": one.error}
        for name, one in metrics.items()
    }


def _confusion(confusion: Confusion) -> dict[str, Any]:
    return {
        "good": {str(verdict): count for verdict, count in confusion.good.items()},
        "defective": {str(verdict): count for verdict, count in confusion.defective.items()},
        "false_rejects": _rate(confusion.false_rejects),
        "misses": _rate(confusion.misses),
        "reviews": _rate(confusion.reviews),
    }


def _rate(one: Rate) -> dict[str, Any]:
    return {"count": one.count, "of": one.of, "share": one.share, "low": one.low, "high": one.high}


def _published(published: Published) -> dict[str, Any]:
    overlaps: dict[str, dict[str, float]] = {}
    for (ranks, limit), value in published.aupro.items():
        overlaps.setdefault(f"T{ranks}", {})[f"{100 * limit:g}"] = value
    return {"p_auroc": published.p_auroc, "p_aupr": published.p_aupr, "aupro": overlaps}
