"""The verb ``evaluate``: how well a model tells good parts from defective ones."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.combine_verb import add_model_option, chosen_model
from app.console import Console
from core.files import check_writable_folder

DONE = 0


def add_evaluate_verb(
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
    help = "Measure how well a model tells good parts from defective ones, on scans that are sorted into folders."
    evaluate = verbs.add_parser("evaluate", help=help, description=help, parents=[common, computing])
    evaluate.set_defaults(verb=_evaluate)
    add_model_option(evaluate)
    evaluate.add_argument("--category", type=Path, required=True, metavar="DIR", help="the folder of the part's scans")
    evaluate.add_argument(
        "--split", choices=("train", "validation", "test"), default="test", help="which scans; default: %(default)s"
    )
    evaluate.add_argument("--unit", choices=units, help="of the scans' coordinates; default: the model's")
    evaluate.add_argument("--part-threshold", type=float, help="for the verdicts, instead of the calibrated one")
    evaluate.add_argument(
        "--without-image",
        action="store_true",
        help="judge all scans by shape alone, by the thresholds of that mode; for models trained with images",
    )
    evaluate.add_argument(
        "--out", type=Path, metavar="DIR", help="where JSON, CSV, Markdown and a page with curves are written"
    )


def _evaluate(options: argparse.Namespace, console: Console) -> int:
    from core.datasets.category import recognise
    from core.evaluation.evaluation import evaluate
    from core.evaluation.reports.files import write_reports
    from core.evaluation.reports.record import evaluation_record
    from core.evaluation.reports.tables import text_report
    from core.runtime import Runtime

    if options.out is not None:
        check_writable_folder(options.out)
    model = chosen_model(options.model, Runtime.choose(options.device, seed=options.seed), console)
    category = recognise(options.category, unit=options.unit or model.card.unit)
    for warning in category.warnings:
        console.problem(f"Warning: {warning}")
    reduced = options.without_image
    thresholds = (model.in_reduced_mode() if reduced else model).calibration.thresholds()
    if options.part_threshold is not None:
        thresholds = thresholds.replaced(part=options.part_threshold)
    with console.progress("Evaluating") as progress:
        found = evaluate(
            model, category, options.split, progress, thresholds=thresholds, seed=options.seed, reduced=reduced
        )
    for part in found.failures:
        console.problem(f"Not judged: {part.path}: {part.error}")
    written = write_reports(found, options.out) if options.out is not None else ()
    record = evaluation_record(found, curves=False)
    record["files"] = [str(path) for path in written]
    console.result(record, text_report(found))
    if written:
        console.say(f"\nReports written to {options.out}; {written[-1].name} shows the curves.")
    return DONE
