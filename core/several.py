"""Training several pipelines on one category in one go, and measuring each on validation parts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core import workflow
from core.datasets.category import Category, ScanEntry
from core.errors import NominalError
from core.evaluation.validation import validated as measured
from core.inspection.calibration import Calibration
from core.pipelines.config import Config
from core.progress import Cancelled, Progress
from core.runtime import Runtime
from core.scan import Scan
from core.store.model_file import ModelCard
from core.store.validation_score import ValidationScore
from core.workflow import Model

_VALIDATING = 0.85
"""Share of a pipeline's progress at which its training is done and its validation begins."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """One pipeline to train.

    Attributes
    ----------
    pipeline : str
    config : Config
    preset : str
        What the config is called.
    name : str, optional
        The model's; by default category, pipeline and preset.
    """

    pipeline: str
    config: Config
    preset: str
    name: str | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of one pipeline: a kept model, or the reason why there is none.

    Attributes
    ----------
    choice : Choice
    seconds : float
    card, calibration, path : optional
        Of the model.
    validation : ValidationScore, optional
    error : Exception, optional
    """

    choice: Choice
    seconds: float
    card: ModelCard | None = None
    calibration: Calibration | None = None
    path: Path | None = None
    validation: ValidationScore | None = None
    error: Exception | None = None


def train_several(
    category: Category,
    choices: Sequence[Choice],
    keep: Callable[[Choice, Model], Path],
    *,
    runtime: Runtime,
    part_budget: float = 0.05,
    point_budget: float = 0.001,
    validated: bool = True,
    progress: Progress,
) -> tuple[Outcome, ...]:
    """Train one model for each choice. Scans are read once for all; one that fails does not stop the others.

    Parameters
    ----------
    category : Category
    choices : sequence of Choice
    keep : function
        Writes a model and says where; called as soon as one is ready, so that cancelling leaves the finished ones.
    part_budget, point_budget : float
        As in ``workflow.train``.
    validated : bool
        Whether each is measured on validation parts (``core.evaluation.validation``); the card keeps the result.

    Returns
    -------
    tuple of Outcome
        In the order of the choices.

    Raises
    ------
    Cancelled
    """
    once = _ReadOnce(**{name: getattr(category, name) for name in Category.__dataclass_fields__})
    outcomes = []
    for i, choice in enumerate(choices):
        what = f"{i + 1} of {len(choices)}, {choice.pipeline}" if len(choices) > 1 else ""
        step: Progress = progress.part(i / len(choices), (i + 1) / len(choices), what)
        if len(choices) > 1:
            step = _Named(step, choice.pipeline)
        started = time.monotonic()
        try:
            model = _trained(once, choice, runtime, part_budget, point_budget, validated, step)
            step.check()
            path = keep(choice, model)
        except Cancelled:
            raise
        except Exception as error:
            if not isinstance(error, NominalError):  # a fault of one method must not cost the others' models
                log.exception("%s could not be trained", choice.pipeline)
            outcomes.append(Outcome(choice, time.monotonic() - started, error=error))
            continue
        seconds = time.monotonic() - started
        score = ValidationScore.from_mapping(model.card.validation)
        outcomes.append(Outcome(choice, seconds, model.card, model.calibration, path, score))
    progress.update(1.0, "Done")
    return tuple(outcomes)


def _trained(
    category: Category,
    choice: Choice,
    runtime: Runtime,
    part_budget: float,
    point_budget: float,
    validated: bool,
    progress: Progress,
) -> Model:
    model = workflow.train(
        category,
        choice.pipeline,
        choice.config,
        runtime=runtime,
        preset=choice.preset,
        name=choice.name,
        part_budget=part_budget,
        point_budget=point_budget,
        progress=progress.part(0.0, _VALIDATING if validated else 1.0),
    )
    return measured(model, category, progress.part(_VALIDATING, 1.0)) if validated else model


class _Named(Progress):
    """Says of each curve which pipeline it belongs to: "btf: loss"."""

    def __init__(self, whole: Progress, name: str) -> None:
        self._whole, self._name = whole, name

    @property
    def cancelled(self) -> bool:
        return self._whole.cancelled

    def report(self, fraction: float, what: str) -> None:
        self._whole.report(fraction, what)

    def report_metric(self, name: str, step: float, value: float) -> None:
        self._whole.report_metric(f"{self._name}: {name}", step, value)


@dataclass(frozen=True)
class _ReadOnce(Category):
    """A category that keeps the scans it has read."""

    scans: dict[Path, Scan] = field(default_factory=dict, repr=False, compare=False)

    def load(self, entry: ScanEntry) -> Scan:
        if entry.path not in self.scans:
            self.scans[entry.path] = Category.load(self, entry)
        return self.scans[entry.path]
