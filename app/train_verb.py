"""The verb ``train``: one pipeline, or several in one go, fitted on a folder of good scans."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.console import Console
from core.errors import ConfigError, NominalError
from core.files import check_writable, check_writable_folder

if TYPE_CHECKING:  # imported when the verb runs: `--help` must not wait for torch
    from core.datasets.category import Category
    from core.several import Choice, Outcome
    from core.workflow import Model

DONE, ERROR = 0, 2
ALL = "all"
SUFFIX = ".nominal"


def add_train_verb(
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
    help = "Fit one pipeline or several on a folder of good scans and calibrate their thresholds."
    train = verbs.add_parser("train", help=help, description=help, parents=[common, computing])
    train.set_defaults(verb=_train)
    train.add_argument("--category", type=Path, required=True, metavar="DIR", help="the folder of the part's scans")
    train.add_argument(
        "--pipeline",
        default="sca",
        metavar="NAME[,NAME]...",
        help="the method (see `info`), several with commas, or all; default: %(default)s",
    )
    train.add_argument("--preset", default="fast", help="named settings: paper or fast; default: %(default)s")
    train.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="change one setting (see `info`)"
    )
    train.add_argument("--unit", choices=units, default="mm", help="of the scans' coordinates; default: %(default)s")
    train.add_argument(
        "--part-budget", type=float, default=0.05, metavar="SHARE", help="good parts that may be rejected"
    )
    train.add_argument(
        "--point-budget", type=float, default=0.001, metavar="SHARE", help="good points that may be marked"
    )
    train.add_argument(
        "--validate",
        action=argparse.BooleanOptionalAction,
        help="measure the models on validation parts, so that they can be compared; default: where several are trained",
    )
    train.add_argument("--name", help="what to call the model; of several, the method's name follows")
    train.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="PATH",
        help="the model file to write (.nominal); of several methods a folder, which gets a file for each",
    )


def _train(options: argparse.Namespace, console: Console) -> int:
    from core.datasets.category import recognise
    from core.pipelines.registry import pipeline_class
    from core.runtime import Runtime
    from core.several import train_several

    for name in ("part_budget", "point_budget"):
        if not 0.0 < getattr(options, name) < 1.0:
            raise ConfigError(
                f"--{name.replace('_', '-')} is not a share", "Give a number between 0 and 1, such as 0.05"
            )
    choices = _choices(options)
    several = len(choices) > 1
    (check_writable_folder if several else check_writable)(options.out)
    runtime = Runtime.choose(options.device, seed=options.seed)
    category = recognise(options.category, unit=options.unit)
    titles = ", ".join(pipeline_class(choice.pipeline).title for choice in choices)
    console.say(
        f"{category.name}: {len(category.good_train())} good scans to train on, layout {category.layout}. "
        f"{titles} ({options.preset}) on {runtime.title}."
    )
    for warning in category.warnings:
        console.problem(f"Warning: {warning}")

    def keep(choice: Choice, model: Model) -> Path:
        from core import workflow

        path = options.out / f"{choice.pipeline}-{choice.preset}{SUFFIX}" if several else options.out
        workflow.save(model, path)
        return Path(path)

    with console.progress("Training") as progress:
        outcomes = train_several(
            category,
            choices,
            keep,
            runtime=runtime,
            part_budget=options.part_budget,
            point_budget=options.point_budget,
            validated=several if options.validate is None else options.validate,
            progress=progress,
        )
    if not several and outcomes[0].error is not None:
        raise outcomes[0].error
    for outcome in outcomes:
        _tell(outcome, category, console)
    _tell_best(outcomes, console)
    return ERROR if any(outcome.error is not None for outcome in outcomes) else DONE


def _choices(options: argparse.Namespace) -> list[Choice]:
    from core.pipelines.registry import general_ids, pipeline_class, pipeline_ids
    from core.several import Choice

    names = [name.strip() for name in options.pipeline.split(",") if name.strip()]
    ids = list(general_ids()) if names == [ALL] else list(dict.fromkeys(names))
    if not ids:
        raise ConfigError("--pipeline names no method", f"Give one or more of {', '.join(pipeline_ids())}, or {ALL}")
    if options.set and len(ids) > 1:
        raise ConfigError(
            "--set changes a setting of one method, and several are to be trained",
            "Train the method whose settings you change by itself",
        )
    changes = dict(_assignment(text) for text in options.set)
    made = []
    for pipeline_id in ids:
        cls = pipeline_class(pipeline_id)
        name = f"{options.name} {cls.title}" if options.name and len(ids) > 1 else options.name
        config = cls.Config.parse(options.preset, changes)
        made.append(Choice(pipeline_id, config, options.preset if not changes else "custom", name))
    return made


def _tell(outcome: Outcome, category: Category, console: Console) -> None:
    """One line, or one record, of one model."""
    if outcome.card is None or outcome.calibration is None:
        error = outcome.error
        text = str(error) if isinstance(error, NominalError) else f"{type(error).__name__}: {error}"
        console.problem(f"{outcome.choice.pipeline} could not be trained: {text}")
        return
    calibration, validation = outcome.calibration, outcome.validation
    record: dict[str, object] = {
        "model": str(outcome.path),
        "category": category.name,
        "pipeline": outcome.choice.pipeline,
        "scans": outcome.card.scan_count,
        "part_threshold": calibration.part_threshold,
        "point_threshold": calibration.point_threshold,
        "budget_supported": calibration.supported,
        "calibration": calibration.advice,
        "seconds": outcome.seconds,
    }
    text = f"{outcome.path} written. {calibration.advice}"
    if validation is not None:
        record["validation"] = validation.to_mapping()
        text += f"\n  {validation.text}"
    console.result(record, text)


def _tell_best(outcomes: Sequence[Outcome], console: Console) -> None:
    """Which did best on validation parts."""
    from core.store.validation_score import best_of

    best = [outcomes[i].choice.pipeline for i in best_of([outcome.validation for outcome in outcomes])]
    if best:
        console.say(f"Best on validation parts: {', '.join(best)}.")


def _assignment(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise ConfigError(f"--set {text} is not understood", "Write it as NAME=VALUE, for example --set epochs=50")
    return name.strip(), value.strip()
