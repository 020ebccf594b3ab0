"""Several models as one on the command line: the verb ``combine``, and ``--model`` given more than once."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.console import Console

if TYPE_CHECKING:
    from core.runtime import Runtime
    from core.workflow import Model

DONE = 0
COMBINATIONS = ("fisher", "harmonic")


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
    console.say(f"{model.card.name}. {model.calibration.note}")
    return model


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
    combine.add_argument("--part-budget", type=float, metavar="SHARE", help="good parts that may be rejected")
    combine.add_argument("--point-budget", type=float, metavar="SHARE", help="good points that may be marked")
    combine.add_argument("--name", help="what to call it")
    combine.add_argument("--out", type=Path, required=True, metavar="FILE", help="the model file to write (.nominal)")


def _combine(options: argparse.Namespace, console: Console) -> int:
    from core import workflow
    from core.consensus.pipeline import ConsensusConfig
    from core.runtime import Runtime

    runtime = Runtime.choose(options.device, seed=options.seed)
    model = workflow.combine(
        [workflow.load(path, runtime) for path in options.model],
        config=ConsensusConfig(combination=options.combination),
        name=options.name,
        part_budget=options.part_budget,
        point_budget=options.point_budget,
    )
    workflow.save(model, options.out)
    calibration = model.calibration
    record = {
        "model": str(options.out),
        "category": model.card.category,
        "members": [str(path) for path in options.model],
        "combination": options.combination,
        "part_threshold": calibration.part_threshold,
        "point_threshold": calibration.point_threshold,
        "budget_supported": calibration.supported,
        "calibration": calibration.note,
    }
    console.result(record, f"{options.out} written: {model.card.name}. {calibration.note}")
    return DONE
