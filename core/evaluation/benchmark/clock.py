"""How far a benchmark is, and how long the rest may take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from core.evaluation.benchmark.jobs import Job
from core.evaluation.benchmark.runs import Run


class Clock:
    """Guesses by what runs of the same pipeline took.

    Parameters
    ----------
    jobs : sequence of Job
        That are to be done.
    known : iterable of Run
        What was done before.
    """

    def __init__(self, jobs: Sequence[Job], known: Iterable[Run]) -> None:
        self._open = list(jobs)
        self._taken: dict[str, list[float]] = {}
        for run in known:
            self._taken.setdefault(run.pipeline, []).append(run.seconds["whole"])

    def took(self, job: Job, seconds: float) -> None:
        """A run has ended."""
        self._taken.setdefault(job.pipeline, []).append(seconds)

    def share(self, job: Job) -> tuple[float, float]:
        """Which part of the whole progress a run is."""
        weights = [self._guess(one) for one in self._open]
        at = self._open.index(job)
        total = sum(weights)
        return sum(weights[:at]) / total, sum(weights[: at + 1]) / total

    def said(self, job: Job) -> str:
        """How many runs are done, and about how long the rest will take."""
        at = self._open.index(job)
        text = f"run {at + 1} of {len(self._open)}"
        if self._taken:
            text += f", about {_duration(sum(self._guess(one) for one in self._open[at:]))} left"
        return f"{text}: "

    def _guess(self, job: Job) -> float:
        every = [seconds for taken in self._taken.values() for seconds in taken]
        taken = self._taken.get(job.pipeline, every)
        return max(float(np.mean(taken)), 1e-3) if taken else 1.0


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
