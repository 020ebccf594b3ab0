"""Several models as one on the command line: the verb ``combine``, and ``--model`` given more than once."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.combine_work import weighing_said
from app.console import Console
from core.files import check_writable

if TYPE_CHECKING:
    from core.runtime import Runtime
    from core.workflow import Model

DONE = 0
COMBINATIONS = ("fisher", "harmonic")
WEIGHINGS = ("validation", "equal")


def add_model_option(verb: argparse.ArgumentParser) -> None:
    """``--model``, which may be given several times: their consensus judges."""
    verb.add_argument(
        "--model",
        type=Path,
        action="append",
        required=True,
        metavar="FILE",
        help="a .nominal file; given more than once, the consensus of the models judges",
    )


def chosen_model(paths: Sequence[Path], runtime: Runtime, console: Console) -> Model:
    """The model, or the consensus of the models, that ``--model`` named."""
    from core import workflow

    models = [workflow.load(path, runtime) for path in paths]
    if len(models) == 1:
        return models[0]
    model = workflow.combine(models)
    console.say(f"{model.card.name}. {_said(model)}")
    return model


def _said(model: Model) -> str:
    return f"{weighing_said(model)} {model.calibration.advice}"


def add_combine_verb(verbs: Any, common: argparse.ArgumentParser, computing: argparse.ArgumentParser) -> None:
    """Register the verb.

    Parameters
    ----------
    verbs : the parser's group of verbs
    common, computing : ArgumentParser
        The options of every verb, and of those that compute.
    """
    help = "Make one model of several: their consensus, calibrated on the good parts that all of them know."
    combine = verbs.add_parser("combine", help=help, description=help, parents=[common, computing])
    combine.set_defaults(verb=_combine)
    add_model_option(combine)
    combine.add_argument(
        "--combination",
        choices=COMBINATIONS,
        default="fisher",
        help="fisher asks for agreement, harmonic follows whoever is surest; default: %(default)s",
    )
    combine.add_argument(
        "--weighing",
        choices=WEIGHINGS,
        default="validation",
        help="models count by how well they tell defects of validation parts, or equal; default: %(default)s",
    )
    combine.add_argument(
        "--category",
        type=Path,
        metavar="DIR",
        help="the category's folder: models that were not measured on its validation parts yet are measured now",
    )
    combine.add_argument("--part-budget", type=float, metavar="SHARE", help="good parts that may be rejected")
    combine.add_argument("--point-budget", type=float, metavar="SHARE", help="good points that may be marked")
    combine.add_argument("--name", help="what to call it")
    combine.add_argument("--out", type=Path, required=True, metavar="FILE", help="the model file to write (.nominal)")


def _combine(options: argparse.Namespace, console: Console) -> int:
    from core import workflow
    from core.consensus.pipeline import ConsensusConfig, ConsensusPipeline
    from core.datasets.category import recognise
    from core.evaluation.validation import validated_alike
    from core.runtime import Runtime

    check_writable(options.out)
    runtime = Runtime.choose(options.device, seed=options.seed)
    models = [workflow.load(path, runtime) for path in options.model]
    if options.category is not None:
        category = recognise(options.category, unit=models[0].card.unit)
        with console.progress("Measuring the models") as progress:
            models = validated_alike(models, category, progress)
    model = workflow.combine(
        models,
        config=ConsensusConfig(combination=options.combination, weighing=options.weighing),
        name=options.name,
        part_budget=options.part_budget,
        point_budget=options.point_budget,
    )
    workflow.save(model, options.out)
    calibration, pipeline = model.calibration, model.pipeline
    assert isinstance(pipeline, ConsensusPipeline)
    weights = pipeline.member_weights
    record = {
        "model": str(options.out),
        "category": model.card.category,
        "members": [str(path) for path in options.model],
        "combination": options.combination,
        "weights": None if weights is None else weights.tolist(),
        "part_threshold": calibration.part_threshold,
        "point_threshold": calibration.point_threshold,
        "budget_supported": calibration.supported,
        "calibration": calibration.advice,
    }
    console.result(record, f"{options.out} written: {model.card.name}. {_said(model)}")
    return DONE
