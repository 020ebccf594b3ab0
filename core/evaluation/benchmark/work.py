"""One job of a benchmark: training, evaluating, altering; each step is written as it is done."""

from __future__ import annotations

import logging
import time
import traceback
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from core import workflow
from core.errors import ModelError, NominalError
from core.evaluation.benchmark.jobs import Job, code_digest
from core.evaluation.benchmark.kept_scores import judged_together
from core.evaluation.benchmark.plan import Plan
from core.evaluation.benchmark.robustness import Alteration, robustness, robustness_together
from core.evaluation.benchmark.runs import Run, read_run, write_run
from core.evaluation.evaluation import evaluate
from core.evaluation.reports.record import evaluation_record
from core.evaluation.validation import validated_alike
from core.progress import Cancelled, Progress
from core.reporting.summary import plain
from core.runtime import Runtime

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """One job being done; the runtime's seed is the job's."""

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
            watch=kept.keep if plan.keeps(job) and not job.members else None,
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
