"""Scores of scans by pipelines that were not fitted on them, in each mode that a method has."""

from __future__ import annotations

from collections.abc import Sequence

from core.pipelines.base import Pipeline
from core.progress import Progress
from core.scan import Scan
from core.scores import Scores

FULL, REDUCED = "full", "reduced"
ByMode = dict[str, Scores]
"""Scores of one scan in each mode of a method that can judge it: ``FULL``, and ``REDUCED`` where there is one."""


def by_mode(pipeline: Pipeline, scans: Sequence[Scan], progress: Progress) -> list[ByMode]:
    """Of every scan the scores in each mode that can judge it."""
    quiet, other = _Quiet(progress), pipeline.reduced()
    found: list[ByMode] = []
    for scan in progress.over(scans, "{i} of {n}"):
        of_scan: ByMode = {}
        if other is None or pipeline.lacks(scan) is None:
            of_scan[FULL] = pipeline.score(scan, quiet)
        if other is not None:
            of_scan[REDUCED] = other.score(scan, quiet)
        found.append(of_scan)
    return found


def cross_fitted(pipeline: Pipeline, scans: Sequence[Scan], folds: int, progress: Progress) -> list[ByMode]:
    """Scores of every scan by a pipeline that was fitted on the other folds, in the order of ``scans``."""
    found: dict[int, ByMode] = {}
    for fold in range(folds):
        step = progress.part(fold / folds, (fold + 1) / folds, f"fold {fold + 1} of {folds}")
        out = range(fold, len(scans), folds)
        other = type(pipeline)(pipeline.config, pipeline.runtime)
        other.fit([scan for i, scan in enumerate(scans) if i not in out], _Unplotted(step.part(0.0, 0.8)))
        for i, s in zip(out, by_mode(other, [scans[i] for i in out], step.part(0.8, 1.0)), strict=True):
            found[i] = s
    return [found[i] for i in range(len(scans))]


class _Quiet(Progress):
    """Passes on only the wish to stop."""

    def __init__(self, whole: Progress) -> None:
        self._whole = whole

    @property
    def cancelled(self) -> bool:
        return self._whole.cancelled


class _Unplotted(_Quiet):
    """Passes on the progress, but not the curves: those of the folds would be drawn over the model's own."""

    def report(self, fraction: float, what: str) -> None:
        self._whole.report(fraction, what)
