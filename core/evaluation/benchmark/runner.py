"""Doing the jobs of a benchmark, one after the other, so that it can be stopped and gone on with at any time.

Each run is a file of its own below the benchmark's folder, written whole when it has been judged, and again after each
alteration of its scans. A run that failed is such a file too, with its error, and the others go on; the next call tries
it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from core.evaluation.benchmark.clock import Clock
from core.evaluation.benchmark.jobs import Job
from core.evaluation.benchmark.plan import Plan
from core.evaluation.benchmark.runs import Run, read_run
from core.evaluation.benchmark.work import Work
from core.files import check_writable_folder
from core.progress import Progress
from core.runtime import Runtime

Told = Callable[[Job, Run, bool], None]
"""Is told of each run, and whether it had been done before."""


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
        If a run's file cannot be written; told before the first one if the folder is closed.
    Cancelled
        What was done until then is kept.
    """
    progress = progress or Progress()
    check_writable_folder(plan.folder)
    known = {job.name: None if plan.fresh else _done(job, plan) for job in jobs}
    _need_members(jobs, known, plan)
    runs: list[Run] = []
    left = [job for job in jobs if known[job.name] is None or plan.lacking(job, known[job.name])]
    clock = Clock(left, [run for run in known.values() if run is not None])
    for job in jobs:
        run, before = known[job.name], job not in left
        if run is None or not before:
            start, end = clock.share(job)
            part = progress.part(start, end, f"{clock.said(job)}{job.title}")
            part.update(0.0, "starting")
            run = Work(job, plan, replace(runtime, seed=job.seed)).done(run, part)
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
