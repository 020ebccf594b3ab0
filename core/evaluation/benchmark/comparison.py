"""Our figures beside the published ones, where a benchmark's category was run.

Ours are then taken as the published codes take them: over all points or pixels, AUPRO at as many thresholds as the
paper's code. Pictures are at the scan's resolution, MVTec 3D-AD's figures at 224 x 224.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.evaluation.benchmark.runs import Run
from core.evaluation.benchmark.summary import MEAN, Spread, spread
from core.evaluation.published_tables import PublishedTable, known_benchmark, plain_name, published_tables


@dataclass(frozen=True)
class Compared:
    """One figure of ours beside the paper's.

    Attributes
    ----------
    category : str
        "mean" for the mean over all categories of the benchmark.
    pipeline : str
    ours : Spread or None
        None where it could not be measured.
    published : float
    method : str
        Whose figure that is, as the paper calls it.
    table : PublishedTable
    best : (str, float)
        The best method of that table on this category, and its figure.
    weights : tuple of str
        The backbone weights that ours had.
    parts : int
        Test scans that ours is of.
    """

    category: str
    pipeline: str
    ours: Spread | None
    published: float
    method: str
    table: PublishedTable
    best: tuple[str, float]
    weights: tuple[str, ...]
    parts: int

    @property
    def difference(self) -> float | None:
        """Ours less the paper's."""
        return None if self.ours is None else self.ours.mean - self.published

    @property
    def protocol(self) -> str:
        """How both are measured."""
        thresholds = self.table.thresholds
        return f"T = {thresholds}" if thresholds is not None else ""


def compare(runs: Sequence[Run]) -> list[Compared]:
    """All published figures of the pipelines that were run, on the categories that were run.

    Means are compared only if all the benchmark's categories were run.
    """
    sound = [run for run in runs if not run.error and known_benchmark(run.layout, run.category)]
    found = []
    for pipeline in dict.fromkeys(run.pipeline for run in sound):
        own = [run for run in sound if run.pipeline == pipeline]
        for category in dict.fromkeys(run.category for run in own):
            found += _of_category([run for run in own if run.category == category])
        for layout in dict.fromkeys(run.layout for run in own):
            found += _of_mean([run for run in own if run.layout == layout])
    return found


def _of_category(runs: Sequence[Run]) -> list[Compared]:
    first, name = runs[0], plain_name(runs[0].category)
    found = []
    for table in published_tables():
        if table.benchmark != first.layout or not table.covers(name):
            continue
        best = max(((row.method, row.values[name]) for row in table.rows), key=lambda one: one[1])
        for row in table.rows:
            if row.pipeline == first.pipeline:
                ours = _ours([run.published(table.metric, table.thresholds) for run in runs])
                at = (first.category, first.pipeline, ours, row.values[name], row.method, table, best)
                found.append(Compared(*at, first.weights, _parts(first)))
    return found


def _of_mean(runs: Sequence[Run]) -> list[Compared]:
    first = runs[0]
    categories = {plain_name(run.category) for run in runs}
    full = {plain_name(c) for t in published_tables() if t.benchmark == first.layout for c in t.categories}
    if categories != full:
        return []
    seeds = dict.fromkeys(run.seed for run in runs)
    found = []
    for table in published_tables():
        if table.benchmark != first.layout:
            continue
        best = max(((row.method, row.mean) for row in table.rows), key=lambda one: one[1])
        for row in table.rows:
            if row.pipeline != first.pipeline:
                continue
            means = []
            for seed in seeds:
                values = [run.published(table.metric, table.thresholds) for run in runs if run.seed == seed]
                known = [value for value in values if value is not None]
                means.append(float(np.mean(known)) if len(known) == len(full) else None)
            at = (MEAN, first.pipeline, _ours(means), row.mean, row.method, table, best)
            found.append(Compared(*at, first.weights, sum(_parts(run) for run in runs if run.seed == first.seed)))
    return found


def _ours(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return spread(known) if known else None


def _parts(run: Run) -> int:
    return int(run.evaluation["good"]) + int(run.evaluation["defective"])
