"""What the worker does for the Evaluate dialog. Runs without Qt, in the worker thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app import work
from core.datasets.category import Category
from core.datasets.entry import ScanEntry, Split
from core.errors import ScanError
from core.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.evaluation.results import Evaluation
    from core.inspection.thresholds import Thresholds
    from core.workflow import Model

PICTURES = 24
"""Parts of each kind that are shown as pictures: 5 MB together."""


@dataclass(frozen=True)
class EvaluationRequest:
    """What to evaluate.

    Attributes
    ----------
    model : Path
    category : Category
        As recognised, in the model's unit.
    split : Split
    reduced : bool
        Whether all scans are to be judged in the model's reduced mode, by shape alone.
    """

    model: Path
    category: Category
    split: Split
    reduced: bool = False


@dataclass(frozen=True, eq=False)
class Evaluated:
    """An evaluation with what the window needs to show it; neither scans nor the model's insides.

    Attributes
    ----------
    request : EvaluationRequest
    evaluation : Evaluation
        At the thresholds calibrated for the mode that judged.
    calibrated : Thresholds
    pictures : mapping of str to (S, S, 4) uint8
        Of the worst parts, by their keys.
    """

    request: EvaluationRequest
    evaluation: Evaluation
    calibrated: Thresholds
    pictures: Mapping[str, NDArray[np.uint8]]

    def entry(self, key: str) -> ScanEntry | None:
        """The scan of a part."""
        return next((e for e in self.request.category.split(self.request.split) if e.key == key), None)


def evaluate(
    request: EvaluationRequest, model: Model | None, device: str, progress: Progress
) -> tuple[Evaluated, Model]:
    """Judge the scans of a split, and take pictures of the worst.

    Parameters
    ----------
    request : EvaluationRequest
    model : Model, optional
        If it is loaded already.
    """
    from core.evaluation.evaluation import evaluate as evaluated
    from core.evaluation.gallery import Gallery

    if model is None:
        progress.update(0.0, "loading the model")
        model = work.load_model(request.model, device)
    calibration = (model.in_reduced_mode() if request.reduced else model).calibration
    calibrated = calibration.thresholds()
    gallery = Gallery(calibration, calibrated, most=PICTURES)
    found = evaluated(
        model,
        request.category,
        request.split,
        progress,
        thresholds=calibrated,
        good_only=True,
        reduced=request.reduced,
        watch=gallery.look,
    )
    return Evaluated(request, found, calibrated, gallery.pictures), model


def lacking(request: EvaluationRequest, model: Model | None, device: str) -> tuple[str, Model | None]:
    """What scans of a split lack of what the model was trained with, where it has a mode without.

    Of each format the first scan that has no image file of its own is read; a model that is not loaded is, but only if
    its method has such a mode and there is such a scan.

    Parameters
    ----------
    request : EvaluationRequest
    model : Model, optional
        If it is loaded already.

    Returns
    -------
    str
        Such as "no RGB image"; empty where they lack nothing, or the model has no such mode.
    Model or None
        If it is loaded now.
    """
    from core.consensus.pipeline import ConsensusPipeline
    from core.pipelines.base import Pipeline
    from core.pipelines.registry import pipeline_class
    from core.store.model_file import read_card

    suspects: dict[str, ScanEntry] = {}
    for entry in request.category.split(request.split):
        if entry.image is None:
            suspects.setdefault(entry.path.suffix.lower(), entry)
    if not suspects:
        return "", model
    if model is None:
        name = read_card(request.model).pipeline
        if name == ConsensusPipeline.id or pipeline_class(name).reduced is Pipeline.reduced:
            return "", None
        model = work.load_model(request.model, device)
    if model.reduced is None:
        return "", model
    for entry in suspects.values():
        try:
            found = model.lacks(request.category.load(entry))
        except ScanError:  # the evaluation itself will list it
            continue
        if found:
            return found, model
    return "", model


def write_reports(evaluation: Evaluation, folder: Path) -> tuple[Path, ...]:
    """Write JSON, CSV, Markdown and HTML into a folder."""
    from core.evaluation.reports.files import write_reports as written

    return written(evaluation, folder)
