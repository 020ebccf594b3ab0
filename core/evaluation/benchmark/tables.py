"""A benchmark's tables: heads and rows of text, for the terminal, Markdown and HTML alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.evaluation.benchmark.comparison import Compared
from core.evaluation.benchmark.jobs import titled
from core.evaluation.benchmark.robustness import METRICS as ROBUST_METRICS
from core.evaluation.benchmark.runs import Run
from core.evaluation.benchmark.summary import MEAN, Row, Spread, metrics_of
from core.evaluation.published_tables import NAMES
from core.evaluation.reports.tables import NONE, Cells, interval
from core.evaluation.results import metric_title
from core.synthesis.scan_alterations import KINDS


def main_cells(rows: Sequence[Row]) -> Cells:
    """One row a category and pipeline, then the means."""
    names = metrics_of(rows)
    head = (
        "category", "pipeline", "train", "test good + defective", *(metric_title(name) for name in names),
        "good rejected", "defects found", "train s", "inspect s",
    )  # fmt: skip
    found = []
    for row in rows:
        scans = str(row.train_scans) if row.category != MEAN else ""
        found.append(
            (
                _category(row), row.pipeline, scans, f"{row.good} + {row.defective}",
                *(_cell(row, name) for name in names),
                f"{row.good_rejected:.3g} of {row.good}", f"{row.defects_found:.3g} of {row.defective}",
                f"{row.train_seconds:.1f}", f"{row.inspect_seconds:.2f}",
            )
        )  # fmt: skip
    return head, found


def defect_cells(rows: Sequence[Row], metric: str = "o_auroc") -> Cells:
    """One row a category and pipeline, one column a kind of defect."""
    kinds = list(dict.fromkeys(kind for row in rows for kind in row.by_defect))
    found = []
    for row in rows:
        if row.by_defect:
            values = [row.by_defect.get(kind, {}).get(metric) for kind in kinds]
            found.append((row.category, row.pipeline, *("" if v is None else v.shown for v in values)))
    return ("category", "pipeline", *kinds), found


def compared_cells(compared: Sequence[Compared]) -> Cells:
    """Ours beside the papers'."""
    head = (
        "benchmark", "category", "pipeline", "metric", "ours", "published", "difference", "of", "input", "best there",
        "source", "test scans of ours", "weights of ours",
    )  # fmt: skip
    found = []
    for one in compared:
        metric = metric_title(one.table.metric) + (f", {one.protocol}" if one.protocol else "")
        difference = one.difference
        found.append(
            (
                NAMES[one.table.benchmark], one.category, one.pipeline, metric,
                NONE if one.ours is None else one.ours.shown, f"{one.published:.3f}",
                NONE if difference is None else f"{difference:+.3f}", one.method, one.table.modality,
                f"{one.best[0]} {one.best[1]:.3f}", f"{titled(one.table.source).title} {one.table.number}",
                str(one.parts), ", ".join(one.weights) or "none",
            )
        )  # fmt: skip
    return head, found


def robust_cells(runs: Sequence[Run]) -> Cells:
    """One row a run and alteration, one column a level of it: O-AUROC, and P-AUROC behind it."""
    found = []
    for kind in KINDS:
        for run in runs:
            levels = {one["level"]: one for one in run.robustness if one["kind"] == kind.key and one["possible"]}
            if levels:
                points = [f"{level:g}: {_pair(levels[level])}" for level in sorted(levels, reverse=kind.none > 0)]
                whole = _pair(run.evaluation["metrics"])
                found.append((kind.title, run.category, run.pipeline, whole, "; ".join(points)))
    return ("alteration", "category", "pipeline", "as it is", "O-AUROC / P-AUROC by level"), found


def robust_records(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One record a run, alteration and level, for the CSV; the level of unaltered scans first."""
    found: list[dict[str, Any]] = []
    for run in runs:
        for kind in KINDS:
            levels = [one for one in run.robustness if one["kind"] == kind.key and one["possible"]]
            if not levels:
                continue
            base = {"category": run.category, "pipeline": run.pipeline, "seed": run.seed}
            (rejected, good), (hits, defective) = run.verdicts("good"), run.verdicts("defective")
            plain = {
                "kind": kind.key, "level": kind.none, "good": good, "good_rejected": rejected, "defective": defective,
                "defects_found": hits, "failed": run.evaluation["failed"],
                **{name: run.value(name) for name in ROBUST_METRICS},
            }  # fmt: skip
            others = ("possible", "scores")
            found += [base | {k: v for k, v in one.items() if k not in others} for one in (plain, *levels)]
    return found


def failures(runs: Sequence[Run]) -> list[str]:
    """What did not work, in sentences: runs, and scans within runs."""
    found = [f"{run.category}, {run.pipeline}, seed {run.seed}: {run.error}" for run in runs if run.error]
    for run in runs:
        if not run.error:
            found += [
                f"{run.category}, {run.pipeline}, seed {run.seed}: {part['part']}: {part['error']}"
                for part in run.evaluation["parts"]
                if part["error"]
            ]
    return found


def _category(row: Row) -> str:
    if row.category != MEAN:
        return row.category
    return MEAN if row.categories == row.of else f"{MEAN} of {row.categories} of {row.of}"


def _cell(row: Row, metric: str) -> str:
    found: Spread | None = row.metrics.get(metric)
    if found is None:
        return ""
    if metric == "o_auroc" and row.interval is not None:
        return f"{found.shown} ({interval(metric, row.interval)})"
    return found.shown


def _pair(figures: Mapping[str, object]) -> str:
    return " / ".join(_number(figures.get(name)) for name in ("o_auroc", "p_auroc"))


def _number(value: object) -> str:
    if isinstance(value, Mapping):
        value = value["value"]
    return f"{value:.3f}" if isinstance(value, float) else NONE
