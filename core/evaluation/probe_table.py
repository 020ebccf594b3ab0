"""Probe results as a table, in Markdown or for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from core.evaluation.feature_probe import FeatureRow
from core.reporting.text_table import text_table

_HEAD = ("features", "input", "category", "O-AUROC", "P-AUROC", "AUPRO@30 %", "s / scan", "channels")


def probe_table(rows: Sequence[FeatureRow], *, markdown: bool = True) -> str:
    """One line for each row, in the order given; a dash where nothing could be measured."""
    lines = [
        (
            row.features + (f" ({row.normalisation.replace('_', ' ')})" if row.normalisation else ""),
            row.modality,
            row.category,
            _number(row.o_auroc),
            _number(row.p_auroc),
            _number(row.aupro),
            f"{row.seconds:.2f}",
            str(row.channels),
        )
        for row in rows
    ]
    return text_table(_HEAD, lines, words=3, markdown=markdown)


def mean_table(rows: Sequence[FeatureRow], *, markdown: bool = True) -> str:
    """The means over categories of each kind of features, the highest mean of O-AUROC and AUPRO first.

    Only categories that every kind of features of the same input was probed on are counted, so that no kind wins by
    what it was spared.
    """
    lines = []
    for modality in dict.fromkeys(row.modality for row in rows):
        own = [row for row in rows if row.modality == modality]
        kinds = dict.fromkeys((row.features, row.normalisation) for row in own)
        tried = [{row.category for row in own if (row.features, row.normalisation) == kind} for kind in kinds]
        common = set.intersection(*tried)
        means = []
        for kind in kinds:
            mine = [r for r in own if (r.features, r.normalisation) == kind and r.category in common]
            if not mine:
                continue
            values = [_mean([getattr(r, name) for r in mine]) for name in ("o_auroc", "p_auroc", "aupro")]
            worth = _mean([values[0], values[2]])
            means.append((-1.0 if worth is None else worth, kind, values, _mean([r.seconds for r in mine])))
        for _, (features, normalisation), values, seconds in sorted(means, key=lambda m: -m[0]):
            name = features + (f" ({normalisation.replace('_', ' ')})" if normalisation else "")
            count = f"{len(common)} of {len({row.category for row in own})}"
            lines.append((name, modality, count, *(_number(v) for v in values), f"{seconds or 0.0:.2f}"))
    head = ("features", "input", "categories", "O-AUROC", "P-AUROC", "AUPRO@30 %", "s / scan")
    return text_table(head, lines, words=3, markdown=markdown)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
