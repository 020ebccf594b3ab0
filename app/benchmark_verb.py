"""The verb ``benchmark``: how well each pipeline does on each category, in one command that can be resumed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.console import Console
from core.errors import ConfigError

DONE, FAILED = 0, 2


def add_benchmark_verb(
    verbs: Any, common: argparse.ArgumentParser, computing: argparse.ArgumentParser, units: Sequence[str]
) -> None:
    """Register the verb.

    Parameters
    ----------
    verbs : the parser's group of verbs
    common, computing : ArgumentParser
        The options of every verb, and of those that compute.
    units : sequence of str
        That scans may be in.
    """
    help = "Train and evaluate pipelines on categories; what is done is kept, so that it can be stopped and resumed."
    benchmark = verbs.add_parser("benchmark", help=help, description=help, parents=[common, computing])
    benchmark.set_defaults(verb=_benchmark)
    benchmark.add_argument(
        "--category",
        nargs="+",
        required=True,
        metavar="DIR[:UNIT]",
        help=f"folders of parts, or of such folders; units: {', '.join(units)}; default: mm, or metres where the "
        "layout is one of a benchmark in metres",
    )
    benchmark.add_argument(
        "--pipelines", default="all", help="ids with commas, consensus among them, or all; default: %(default)s"
    )
    benchmark.add_argument("--preset", default="fast", help="named settings: paper or fast; default: %(default)s")
    benchmark.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="trainings of each, from --seed on; default: %(default)s"
    )
    benchmark.add_argument("--out", type=Path, required=True, metavar="DIR", help="where runs and tables are kept")
    benchmark.add_argument(
        "--robustness", action="store_true", help="judge altered scans too: noise, fewer points, holes, poses, scanners"
    )
    benchmark.add_argument("--keep-models", action="store_true", help="keep the models in DIR/models")
    benchmark.add_argument("--fresh", action="store_true", help="do again what was done before")


def _benchmark(options: argparse.Namespace, console: Console) -> int:
    from core.evaluation.benchmark.comparison import compare
    from core.evaluation.benchmark.files import benchmark_markdown, benchmark_record, write_benchmark
    from core.evaluation.benchmark.jobs import Job, chosen_pipelines, find_categories, make_jobs
    from core.evaluation.benchmark.plan import Plan
    from core.evaluation.benchmark.robustness import ALTERATIONS
    from core.evaluation.benchmark.runner import run_jobs
    from core.evaluation.benchmark.runs import Run
    from core.evaluation.benchmark.summary import summarise
    from core.runtime import Runtime

    if options.seeds < 1:
        raise ConfigError(f"--seeds {options.seeds} is no number of trainings", "Give 1 or more")
    runtime = Runtime.choose(options.device, seed=options.seed)
    categories = find_categories(options.category)
    for category in categories:
        for warning in category.warnings:
            console.problem(f"Warning: {category.name}: {warning}")
    seeds = range(options.seed, options.seed + options.seeds)
    jobs = make_jobs(categories, chosen_pipelines(options.pipelines), options.preset, seeds)
    plan = Plan(options.out, ALTERATIONS if options.robustness else (), options.keep_models, options.fresh)
    console.say(
        f"{len(categories)} categories, {len(jobs)} runs on {runtime.title}; runs and tables are kept in {options.out}."
    )
    runs: list[Run] = []

    def told(job: Job, run: Run, before: bool) -> None:
        runs.append(run)
        if run.error:
            console.problem(f"{job.title}: failed: {run.error}")
        elif not before:
            found = run.value("o_auroc")
            shown = "not measured" if found is None else f"{found:.3f}"
            console.say(f"{job.title}: O-AUROC {shown}, trained in {run.seconds['train']:.1f} s")
        if not before:
            write_benchmark(runs, options.out, options.preset)

    with console.progress("Benchmark") as progress:
        run_jobs(jobs, plan, runtime, progress, told)
    written = write_benchmark(runs, options.out, options.preset)
    rows, compared = summarise(runs), compare(runs)
    record = benchmark_record(runs, rows, compared, options.preset)
    record["files"] = [str(path) for path in written]
    console.result(record, benchmark_markdown(runs, rows, compared, options.preset))
    console.say(f"Written to {options.out}; benchmark.html shows the curves.")
    return FAILED if all(run.error for run in runs) else DONE
