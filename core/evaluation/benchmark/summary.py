"""What the runs of a benchmark say together: per category and pipeline over seeds, and each pipeline's means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite

import numpy as np

from core.evaluation.benchmark.runs import Run
from core.evaluation.intervals import Measure

METRICS = ("o_auroc", "o_aupr", "p_auroc", "p_aupr", "aupro_30", "aupro_1")
MEAN = "mean"


@dataclass(frozen=True)
class Spread:
    """A figure over seeds.

    Attributes
    ----------
    mean : float
    deviation : float
        Standard deviation of the sample; NaN of one.
    count : int
        Of seeds.
    """

    mean: float
    deviation: float
    count: int

    @property
    def shown(self) -> str:
        return f"{self.mean:.3f}" + (f" ± {self.deviation:.3f}" if isfinite(self.deviation) else "")


@dataclass(frozen=True)
class Row:
    """One pipeline on one category, or its mean over categories.

    Attributes
    ----------
    category : str
        "mean" for the means.
    pipeline : str
    seeds : tuple of int
    metrics : mapping of str to Spread
        What cannot be measured is missing.
    interval : Measure or None
        O-AUROC with its interval over parts, of a single seed.
    by_defect : mapping of str to mapping of str to Spread
        Kind of defect to metric to figure.
    train_scans, good, defective : int
        Of one seed; of means those of all categories.
    good_rejected, defects_found : float
        Mean over seeds, at the calibrated thresholds.
    train_seconds, inspect_seconds : float
        Means.
    categories, of : int
        How many categories a mean is over, and how many there are.
    weights : tuple of str
        Backbone weights in use.
    """

    category: str
    pipeline: str
    seeds: tuple[int, ...]
    metrics: dict[str, Spread]
    interval: Measure | None = None
    by_defect: dict[str, dict[str, Spread]] = field(default_factory=dict)
    train_scans: int = 0
    good: int = 0
    defective: int = 0
    good_rejected: float = 0.0
    defects_found: float = 0.0
    train_seconds: float = 0.0
    inspect_seconds: float = 0.0
    categories: int = 1
    of: int = 1
    weights: tuple[str, ...] = ()


def summarise(runs: Sequence[Run]) -> list[Row]:
    """A row for each category and pipeline, then each pipeline's mean where there are several categories.

    Runs that failed are in no row. A mean is over the categories that all of the pipeline's seeds were done on, and
    says how many these are.
    """
    sound = [run for run in runs if not run.error]
    categories = list(dict.fromkeys(run.category for run in runs))
    pipelines = list(dict.fromkeys(run.pipeline for run in runs))
    rows = []
    for category in categories:
        for pipeline in pipelines:
            of = [run for run in sound if (run.category, run.pipeline) == (category, pipeline)]
            if of:
                rows.append(_row(of))
    if len(categories) > 1:
        for pipeline in pipelines:
            own = [run for run in runs if run.pipeline == pipeline]
            complete = [c for c in categories if not any(r.error for r in own if r.category == c)]
            of = [run for run in own if run.category in complete]
            if of:
                rows.append(_mean_row(of, len(categories)))
    return rows


def metrics_of(rows: Sequence[Row]) -> list[str]:
    """The metrics that some row has."""
    return [name for name in METRICS if any(name in row.metrics for row in rows)]


def spread(values: Sequence[float]) -> Spread:
    """Mean and standard deviation of figures of several seeds."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return Spread(float(np.mean(values)), deviation, len(values))


def _row(runs: Sequence[Run]) -> Row:
    first = runs[0]
    kinds = dict.fromkeys(kind for run in runs for kind in run.by_defect("o_auroc"))

    def of_kind(kind: str) -> dict[str, Spread]:
        return _spreads(runs, lambda run, name: run.by_defect(name).get(kind))

    return Row(
        category=first.category,
        pipeline=first.pipeline,
        seeds=tuple(run.seed for run in runs),
        metrics=_spreads(runs, lambda run, name: run.value(name)),
        interval=first.measure("o_auroc") if len(runs) == 1 else None,
        by_defect={kind: of_kind(kind) for kind in kinds},
        train_scans=first.evaluation["model"]["scan_count"],
        good=first.verdicts("good")[1],
        defective=first.verdicts("defective")[1],
        good_rejected=_over(runs, lambda run: run.verdicts("good")[0]),
        defects_found=_over(runs, lambda run: run.verdicts("defective")[0]),
        train_seconds=_over(runs, lambda run: run.seconds["train"]),
        inspect_seconds=_over(runs, lambda run: run.seconds["inspect"]),
        weights=first.weights,
    )


def _mean_row(runs: Sequence[Run], of: int) -> Row:
    """For each seed the mean over categories, then the spread of these."""
    seeds = tuple(dict.fromkeys(run.seed for run in runs))
    categories = list(dict.fromkeys(run.category for run in runs))
    metrics = {}
    for name in METRICS:
        each = [[v for run in runs if run.seed == seed and (v := run.value(name)) is not None] for seed in seeds]
        means = [float(np.mean(values)) for values in each if values]
        if means:
            metrics[name] = spread(means)
    rows = [_row([run for run in runs if run.category == category]) for category in categories]
    return Row(
        category=MEAN,
        pipeline=runs[0].pipeline,
        seeds=seeds,
        metrics=metrics,
        train_scans=sum(row.train_scans for row in rows),
        good=sum(row.good for row in rows),
        defective=sum(row.defective for row in rows),
        good_rejected=sum(row.good_rejected for row in rows),
        defects_found=sum(row.defects_found for row in rows),
        train_seconds=float(np.mean([row.train_seconds for row in rows])),
        inspect_seconds=float(np.mean([row.inspect_seconds for row in rows])),
        categories=len(categories),
        of=of,
        weights=tuple(dict.fromkeys(name for row in rows for name in row.weights)),
    )


def _spreads(runs: Sequence[Run], value: Callable[[Run, str], float | None]) -> dict[str, Spread]:
    found = {}
    for name in METRICS:
        values = [one for run in runs if (one := value(run, name)) is not None]
        if values:
            found[name] = spread(values)
    return found


def _over(runs: Sequence[Run], value: Callable[[Run], float]) -> float:
    return float(np.mean([value(run) for run in runs]))
