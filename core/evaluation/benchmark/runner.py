"""Doing the jobs of a benchmark, one after the other, so that it can be stopped and gone on with at any time.

Each run is a file of its own below the benchmark's folder, written whole when the run has ended. A run that failed is
such a file too, with its error, and the others go on; the next call tries it again.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from core import workflow
from core.errors import ModelError, NominalError
from core.evaluation.benchmark.jobs import CONSENSUS, Job, code_digest
from core.evaluation.benchmark.robustness import Alteration, robustness
from core.evaluation.benchmark.runs import ENDING, Run, read_run, write_run
from core.evaluation.evaluation import evaluate
from core.evaluation.reports.record import evaluation_record
from core.evaluation.validation import validated_alike
from core.progress import Cancelled, Progress
from core.reporting.summary import plain
from core.runtime import Runtime
from core.store.model_file import SUFFIX

RUNS, MODELS = "runs", "models"

log = logging.getLogger(__name__)

Told = Callable[[Job, Run, bool], None]
"""Is told of each run, and whether it had been done before."""


@dataclass(frozen=True)
class Plan:
    """What holds for all jobs of a benchmark.

    Attributes
    ----------
    folder : Path
        Where runs, and the models of a consensus, are kept.
    alterations : tuple of Alteration
        What the robustness of models of the first seed is measured against; empty for none.
    keep_models : bool
        Whether all models are kept, not only those that a consensus needs.
    fresh : bool
        Do again what was done before.
    """

    folder: Path
    alterations: tuple[Alteration, ...] = ()
    keep_models: bool = False
    fresh: bool = False

    def alterations_of(self, job: Job) -> tuple[Alteration, ...]:
        """What this run is measured against."""
        return self.alterations if job.first else ()

    def run_file(self, job: Job) -> Path:
        return self.folder / RUNS / f"{job.name}{ENDING}"

    def model_file(self, job: Job) -> Path:
        return self.folder / MODELS / f"{job.name}{SUFFIX}"


def run_jobs(
    jobs: Sequence[Job], plan: Plan, runtime: Runtime, progress: Progress | None = None, told: Told | None = None
) -> tuple[Run, ...]:
    """Do what has not been done yet.

    Parameters
    ----------
    jobs : sequence of Job
        A consensus after its members.
    plan : Plan
    runtime : Runtime
        Its seed is replaced by each job's.
    told : function, optional

    Returns
    -------
    tuple of Run
        In the jobs' order.

    Raises
    ------
    OutputError
        If a run's file cannot be written.
    Cancelled
        What was done until then is kept.
    """
    progress = progress or Progress()
    known = {job.name: None if plan.fresh else _done(job, plan) for job in jobs}
    _need_members(jobs, known, plan)
    runs: list[Run] = []
    clock = _Clock(jobs, known)
    for job in jobs:
        done = known[job.name]
        if done is None:
            start, end = clock.share(job)
            part = progress.part(start, end, f"{clock.said(job)}{job.title}")
            part.update(0.0, "starting")
            run = _run(job, plan, replace(runtime, seed=job.seed), part)
            write_run(run, plan.run_file(job))
            clock.took(job, run.seconds["whole"])
        else:
            run = done
        runs.append(run)
        if told is not None:
            told(job, run, done is not None)
    progress.update(1.0, "Done")
    return tuple(runs)


def _done(job: Job, plan: Plan) -> Run | None:
    """The run of an earlier call, if it is of the same work, did not fail and lacks nothing that is asked for now."""
    run = read_run(plan.run_file(job))
    if run is None or run.record["fingerprint"] != job.fingerprint or run.error:
        return None
    measured = {(one["kind"], one["level"]) for one in run.robustness}
    if not {(a.kind, a.level) for a in plan.alterations_of(job)} <= measured:
        return None
    return None if plan.keep_models and not plan.model_file(job).is_file() else run


def _need_members(jobs: Sequence[Job], known: dict[str, Run | None], plan: Plan) -> None:
    """A consensus that is to be made needs its members' models: those that are not there are trained again."""
    for job in jobs:
        if known[job.name] is None:
            for member in job.members:
                if not plan.model_file(member).is_file():
                    known[member.name] = None


def _run(job: Job, plan: Plan, runtime: Runtime, progress: Progress) -> Run:
    record: dict[str, Any] = {
        "job": job.describe(),
        "fingerprint": job.fingerprint,
        "code": code_digest(),
        "device": runtime.title,
        "error": None,
        "trace": None,
        "evaluation": None,
        "robustness": [],
    }
    start = time.perf_counter()
    seconds = {"train": 0.0, "inspect": 0.0}
    try:
        record.update(_judged(job, plan, runtime, progress, seconds))
    except Cancelled:
        raise
    except NominalError as error:
        record["error"] = str(error)
    except Exception as error:  # a fault of the program in one run must not cost the others
        log.exception("%s failed", job.title)
        record["error"] = f"{type(error).__name__}: {error}"
        record["trace"] = traceback.format_exc()
    record["seconds"] = {**seconds, "whole": time.perf_counter() - start}
    record["finished"] = datetime.now().astimezone().isoformat(timespec="seconds")
    return Run(plain(record))


def _judged(job: Job, plan: Plan, runtime: Runtime, progress: Progress, seconds: dict[str, float]) -> dict[str, Any]:
    """Train, evaluate, alter; ``seconds`` is filled in."""
    alterations = plan.alterations_of(job)
    trained = 0.3 if alterations else 0.7
    start = time.perf_counter()
    model = _model(job, plan, runtime, progress.part(0.0, trained))
    seconds["train"] = time.perf_counter() - start
    evaluated = 0.4 if alterations else 1.0
    found = evaluate(model, job.category, progress=progress.part(trained, evaluated, "judging"), seed=job.seed)
    if found.judged:
        seconds["inspect"] = float(np.median([part.seconds for part in found.judged]))
    fallen = robustness(model, job.category, alterations, progress.part(evaluated, 1.0), seed=job.seed)
    return {"evaluation": evaluation_record(found), "robustness": fallen}


def _model(job: Job, plan: Plan, runtime: Runtime, progress: Progress) -> workflow.Model:
    if job.pipeline == CONSENSUS:
        missing = [member.pipeline for member in job.members if not plan.model_file(member).is_file()]
        if missing:
            raise ModelError(
                f"The consensus lacks its members {', '.join(missing)}: their runs failed",
                "See the errors of their runs, or name the pipelines without them",
            )
        model = workflow.combine(_members(job, plan, runtime, progress))
    else:
        model = workflow.train(
            job.category, job.pipeline, job.config, runtime=runtime, preset=job.preset, progress=progress
        )
    if plan.keep_models or job.serves:
        workflow.save(model, plan.model_file(job))
    return model


def _members(job: Job, plan: Plan, runtime: Runtime, progress: Progress) -> list[workflow.Model]:
    """A consensus' members, measured on validation parts; their files keep what was found."""
    stored = [workflow.load(plan.model_file(member), runtime) for member in job.members]
    models = validated_alike(stored, job.category, progress)
    for member, before, model in zip(job.members, stored, models, strict=True):
        if model is not before:
            workflow.save(model, plan.model_file(member))
    return models


class _Clock:
    """How far the work is, and how long the rest may take, from what runs of the same pipeline took."""

    def __init__(self, jobs: Sequence[Job], known: dict[str, Run | None]) -> None:
        self._open = [job for job in jobs if known[job.name] is None]
        self._taken: dict[str, list[float]] = {}
        for job in jobs:
            if (run := known[job.name]) is not None:
                self._taken.setdefault(job.pipeline, []).append(run.seconds["whole"])

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
