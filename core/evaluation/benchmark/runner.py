"""Doing the jobs of a benchmark, one after the other, so that it can be stopped and gone on with at any time.

Each run is a file of its own below the benchmark's folder, written whole when it has been judged, and again after each
alteration of its scans. A run that failed is such a file too, with its error, and the others go on; the next call tries
it again.
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
from core.evaluation.benchmark.jobs import Job, code_digest
from core.evaluation.benchmark.kept_scores import KeptScores, judged_together
from core.evaluation.benchmark.robustness import Alteration, robustness, robustness_together
from core.evaluation.benchmark.runs import ENDING, Run, read_run, write_run
from core.evaluation.evaluation import evaluate
from core.evaluation.reports.record import evaluation_record
from core.evaluation.validation import validated_alike
from core.progress import Cancelled, Progress
from core.reporting.summary import plain
from core.runtime import Runtime
from core.store.model_file import SUFFIX

RUNS, MODELS, SCORES = "runs", "models", "scores"

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

    def keeps(self, job: Job) -> bool:
        """Whether its model is kept."""
        return self.keep_models or job.serves

    def lacking(self, job: Job, run: Run | None) -> tuple[Alteration, ...]:
        """What a run is to be measured against, and was not yet."""
        wanted = self.alterations if job.first else ()
        return tuple(a for a in wanted if run is None or run.robustness_at(a.kind, a.level) is None)

    def run_file(self, job: Job) -> Path:
        return self.folder / RUNS / f"{job.name}{ENDING}"

    def model_file(self, job: Job) -> Path:
        return self.folder / MODELS / f"{job.name}{SUFFIX}"

    def kept_scores(self, job: Job) -> KeptScores:
        """Of the test scans, until a consensus has used them."""
        return KeptScores(self.folder / SCORES / job.name)


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
    clock = _Clock(jobs, known, plan)
    for job in jobs:
        run = known[job.name]
        before = run is not None and not plan.lacking(job, run)
        if run is None or not before:
            start, end = clock.share(job)
            part = progress.part(start, end, f"{clock.said(job)}{job.title}")
            part.update(0.0, "starting")
            run = _Work(job, plan, replace(runtime, seed=job.seed)).done(run, part)
            clock.took(job, run.seconds["whole"])
        runs.append(run)
        if told is not None:
            told(job, run, before)
    progress.update(1.0, "Done")
    return tuple(runs)


def _done(job: Job, plan: Plan) -> Run | None:
    """The run of an earlier call, if it is of the same work, did not fail, and its model is there if it is needed."""
    run = read_run(plan.run_file(job))
    if run is None or run.record["fingerprint"] != job.fingerprint or run.error:
        return None
    needed = plan.keep_models or (plan.lacking(job, run) and not job.members)
    return None if needed and not plan.model_file(job).is_file() else run


def _need_members(jobs: Sequence[Job], known: dict[str, Run | None], plan: Plan) -> None:
    """A consensus that is to be made needs its members' models: those that are not there are trained again."""
    for job in jobs:
        run = known[job.name]
        if run is None or plan.lacking(job, run):
            for member in job.members:
                if not plan.model_file(member).is_file():
                    known[member.name] = None


@dataclass(frozen=True)
class _Work:
    """One job being done."""

    job: Job
    plan: Plan
    runtime: Runtime

    def done(self, known: Run | None, progress: Progress) -> Run:
        """Train and evaluate, unless that is known, then alter; the file holds what was done after each step."""
        record: dict[str, Any] = dict(known.record) if known is not None else self._blank()
        start, before = time.perf_counter(), record["seconds"]["whole"]

        def written() -> Run:
            record["seconds"]["whole"] = before + time.perf_counter() - start
            record["finished"] = datetime.now().astimezone().isoformat(timespec="seconds")
            run = Run(plain(record))
            write_run(run, self.plan.run_file(self.job))
            return run

        lacking = self.plan.lacking(self.job, known)
        evaluated = 1.0 if not lacking else 0.4 if known is None else 0.0
        try:
            if known is None:
                model = self._judged(record, progress.part(0.0, evaluated))
                written()
            elif self.job.members:
                model = self._consensus(progress.part(0.0, evaluated))
            else:
                model = workflow.load(self.plan.model_file(self.job), self.runtime)
            for i, alteration in enumerate(lacking):
                begin, end = (evaluated + (1 - evaluated) * at / len(lacking) for at in (i, i + 1))
                part = progress.part(begin, end, f"{alteration.kind} {alteration.level:g}")
                found = self._altered(model, alteration, part)
                same = (alteration.kind, alteration.level)
                kept = [one for one in record["robustness"] if (one["kind"], one["level"]) != same]
                record["robustness"] = [*kept, found]
                written()
        except Cancelled:
            raise
        except NominalError as error:
            record["error"] = str(error)
        except Exception as error:  # a fault of the program in one run must not cost the others
            log.exception("%s failed", self.job.title)
            record["error"] = f"{type(error).__name__}: {error}"
            record["trace"] = traceback.format_exc()
        return written()

    def _blank(self) -> dict[str, Any]:
        return {
            "job": self.job.describe(),
            "fingerprint": self.job.fingerprint,
            "code": code_digest(),
            "device": self.runtime.title,
            "error": None,
            "trace": None,
            "evaluation": None,
            "robustness": [],
            "seconds": {"train": 0.0, "inspect": 0.0, "whole": 0.0},
        }

    def _judged(self, record: dict[str, Any], progress: Progress) -> workflow.Model:
        """The model, trained and evaluated; ``record`` is filled in."""
        job, plan = self.job, self.plan
        kept = plan.kept_scores(job)
        kept.forget()
        start = time.perf_counter()
        model = self._model(progress.part(0.0, 0.7))
        record["seconds"]["train"] = time.perf_counter() - start
        found = evaluate(
            model,
            job.category,
            progress=progress.part(0.7, 1.0, "judging"),
            seed=job.seed,
            watch=kept.keep if plan.keeps(job) else None,
            judge=judged_together(model, [plan.kept_scores(one) for one in job.members]) if job.members else None,
        )
        if found.judged:
            record["seconds"]["inspect"] = float(np.median([part.seconds for part in found.judged]))
        record["evaluation"] = evaluation_record(found)
        for member in job.members:
            plan.kept_scores(member).forget()
        return model

    def _altered(self, model: workflow.Model, alteration: Alteration, progress: Progress) -> dict[str, Any]:
        job = self.job
        if not job.members:
            return robustness(model, job.category, alteration, progress, seed=job.seed)
        members = [read_run(self.plan.run_file(member)) for member in job.members]
        return robustness_together(model, job.category, alteration, [run for run in members if run is not None])

    def _model(self, progress: Progress) -> workflow.Model:
        job, plan = self.job, self.plan
        if job.members:
            model = self._consensus(progress)
        else:
            model = workflow.train(
                job.category, job.pipeline, job.config, runtime=self.runtime, preset=job.preset, progress=progress
            )
        if plan.keeps(job):
            workflow.save(model, plan.model_file(job))
        return model

    def _consensus(self, progress: Progress) -> workflow.Model:
        missing = [one.pipeline for one in self.job.members if not self.plan.model_file(one).is_file()]
        if missing:
            raise ModelError(
                f"The consensus lacks its members {', '.join(missing)}: their runs failed",
                "See the errors of their runs, or name the pipelines without them",
            )
        return workflow.combine(self._members(progress))

    def _members(self, progress: Progress) -> list[workflow.Model]:
        """Measured on validation parts; their files keep what was found."""
        files = [self.plan.model_file(member) for member in self.job.members]
        stored = [workflow.load(file, self.runtime) for file in files]
        return validated_alike(stored, self.job.category, progress, lambda i, model: workflow.save(model, files[i]))


class _Clock:
    """How far the work is, and how long the rest may take, from what runs of the same pipeline took."""

    def __init__(self, jobs: Sequence[Job], known: dict[str, Run | None], plan: Plan) -> None:
        self._open = [job for job in jobs if known[job.name] is None or plan.lacking(job, known[job.name])]
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
