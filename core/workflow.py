"""The jobs that Nominal exists for, as the window and the command line call them: train, load, judge.

Here the parts meet: a category's scans, a pipeline, the calibration of its thresholds, and the model file.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.backbones import weights
from core.consensus.members import Member
from core.consensus.pipeline import ConsensusConfig, ConsensusPipeline
from core.datasets.category import Category, ScanEntry
from core.errors import CategoryError, ModelError, ScanError
from core.held_out import FULL, REDUCED, by_mode, cross_fitted
from core.inspection.acquisition import UsualAcquisition
from core.inspection.calibration import Calibration, calibrate
from core.inspection.defects import DefectFinder
from core.inspection.thresholds import Thresholds
from core.inspection.verdict import Inspection, judge
from core.pipelines.base import Pipeline
from core.pipelines.config import Config
from core.pipelines.explanation import Explanation
from core.pipelines.features import pinned
from core.pipelines.registry import pipeline_class
from core.pipelines.state import below, joined
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan
from core.scores import Scores
from core.store.model_file import ModelCard, StoredModel, load_model, save_model
from core.version import VERSION

HELD_OUT_ENOUGH = 19
"""Good validation scans from which on they alone calibrate: fewer cannot support a 5 % false-reject budget."""

FOLDS = 4
LABELLED_AT_MOST = 12
PREVIEW_POINTS = 4096


@dataclass(frozen=True, eq=False)
class Model:
    """A pipeline fitted for one category, with its calibrated thresholds.

    Attributes
    ----------
    card : ModelCard
    pipeline : Pipeline
    calibration : Calibration
    preview : (P, 3) float32
        A small cloud that stands for the model in the library.
    reduced : Calibration, or None
        Of the mode for scans that lack something (``Pipeline.reduced``), where the method has one.
    """

    card: ModelCard
    pipeline: Pipeline
    calibration: Calibration
    preview: NDArray[np.float32]
    reduced: Calibration | None = None

    def lacks(self, scan: Scan) -> str | None:
        """What a scan lacks of what the model was trained with, such as "no RGB image"; None where it lacks nothing."""
        return self.pipeline.lacks(scan)

    def calibration_for(self, lacking: str) -> Calibration:
        """The calibration that holds for scans that lack this, or nothing."""
        return self.reduced if lacking and self.reduced is not None else self.calibration

    def caution(self, scan: Scan) -> str:
        """What the user must know of a scan that was measured otherwise than the good ones; empty for none."""
        usual = UsualAcquisition.from_mapping(self.card.acquisition, self.card.unit)
        return "" if usual is None else usual.caution(scan)

    def in_reduced_mode(self) -> Model:
        """The model as it judges scans that lack something, for all scans alike, so that scores are on one scale.

        Returns
        -------
        Model
            With that mode's pipeline and calibration, sharing what was learnt.

        Raises
        ------
        ModelError
            If it has no such mode.
        """
        pipeline = self.pipeline.reduced() if self.reduced is not None else None
        if pipeline is None or self.reduced is None:
            raise ModelError(
                f"The model {self.card.name} has no mode for judging by shape alone",
                "Leave --without-image away. A model that was trained with photographs may have to be trained again",
            )
        return replace(self, pipeline=pipeline, calibration=self.reduced, reduced=None)


@dataclass(frozen=True, eq=False)
class Judged:
    """A scan with its scores, ready to be held against any thresholds without computing the scores again.

    ``lacking`` says what the scan lacked; it was then judged in the model's reduced mode, which has thresholds of its
    own. Empty where it lacked nothing.
    """

    scan: Scan
    scores: Scores
    finder: DefectFinder
    model_name: str
    seconds: float
    lacking: str = ""

    def inspect(self, thresholds: Thresholds) -> Inspection:
        """The mask, defects and verdict at these thresholds. Milliseconds."""
        return judge(
            self.scan,
            self.scores,
            thresholds,
            self.finder,
            model_name=self.model_name,
            seconds=self.seconds,
            lacking=self.lacking,
        )


def train(
    category: Category,
    pipeline_id: str,
    config: Config,
    *,
    runtime: Runtime,
    preset: str = "custom",
    name: str | None = None,
    part_budget: float = 0.05,
    point_budget: float = 0.001,
    progress: Progress,
) -> Model:
    """Fit a pipeline on a category's good scans and calibrate its thresholds on good scans it was not fitted on.

    With at least ``HELD_OUT_ENOUGH`` good validation scans, these calibrate. With fewer the training scans are
    cross-fitted as well: each fold is scored by a pipeline fitted on the others. A method with a reduced mode scores
    each of these scans in both modes, from the same fits.

    Parameters
    ----------
    category : Category
    pipeline_id : str
    config : Config
        Of the pipeline's own config class.
    preset : str
        What the config is called in the model's card.
    name : str, optional
        The model's name; by default category, pipeline and preset.
    part_budget, point_budget : float
        Share of good parts that may be rejected, and of good points that may be marked.

    Raises
    ------
    CategoryError
        If there are too few good scans to fit and calibrate on.
    ScanError
        If a scan cannot be read or lacks what the method needs.
    Cancelled
    """
    cls = pipeline_class(pipeline_id)
    entries = category.good_train()
    if len(entries) < cls.min_scans:
        raise CategoryError(
            f"{category.name} has {len(entries)} good scans to train on, {cls.title} needs {cls.min_scans}",
            f"Add scans of good parts to {category.root}",
        )
    good = _load(category, entries, progress.part(0.0, 0.1, "Reading scans"))
    held_out = _load(category, _good_validation(category), progress.part(0.1, 0.12, "Reading validation scans"))
    labelled = _load(category, _labelled(category), progress.part(0.12, 0.14, "Reading labelled scans"))
    least = max(2 * cls.min_scans, 3)
    cross_fit = len(held_out) < HELD_OUT_ENOUGH and len(good) >= least
    if not cross_fit and not held_out:
        raise CategoryError(
            f"{category.name} has too few good scans ({len(good)}) to hold any out for calibrating the thresholds",
            f"Add scans of good parts to {category.root}: {least} are the least, 20 or more are better",
        )

    pipeline = cls(pinned(config, images=all(scan.image is not None for scan in good)), runtime)
    share = 1 / (1 + FOLDS) if cross_fit else 0.8
    fitted_at = 0.14 + 0.8 * share
    pipeline.fit(good, progress.part(0.14, fitted_at, "Fitting"))
    scores = by_mode(pipeline, held_out, progress.part(fitted_at, fitted_at + 0.02, "Scoring validation scans"))
    method = "validation split"
    if cross_fit:
        folds = min(FOLDS, len(good))
        scores += cross_fitted(pipeline, good, folds, progress.part(fitted_at + 0.02, 0.95, "Calibrating"))
        method = f"cross-fitted, {folds} folds" + (f", and {len(held_out)} validation scans" if held_out else "")
    marked = by_mode(pipeline, labelled, progress.part(0.95, 0.98, "Scoring labelled scans"))
    named = [scan.replaced(name=f"{scan.name} (validation)") for scan in held_out]  # splits number their scans alike
    scored = [*named, *good] if cross_fit else held_out

    def calibrated(mode: str) -> Calibration:
        known = [(both[mode], s.labels) for both, s in zip(marked, labelled, strict=True) if mode in both]
        return calibrate(
            [both[mode] for both in scores if mode in both],
            part_budget=part_budget,
            point_budget=point_budget,
            method=method,
            labelled=[(found, labels) for found, labels in known if labels is not None],
            scans=[scan for both, scan in zip(scores, scored, strict=True) if mode in both],
        )

    calibration = calibrated(FULL)
    reduced = None if pipeline.reduced() is None else calibrated(REDUCED)
    usual = UsualAcquisition.of([*good, *held_out])
    progress.update(1.0, "Done")
    card = ModelCard(
        name=name or f"{category.name} {cls.title} {preset}",
        pipeline=pipeline_id,
        preset=preset,
        config=pipeline.config.to_mapping(),
        category=category.name,
        unit=category.unit,
        scan_count=len(good),
        created=datetime.now().astimezone().isoformat(timespec="seconds"),
        program_version=VERSION,
        weights=dict(pipeline.weights),
        seed=runtime.seed,
        layout=category.layout,
        source=str(category.root),
        acquisition=usual.to_mapping() if usual is not None else {},
    )
    return Model(card, pipeline, calibration, _preview(good[0], runtime), reduced)


def combine(
    models: Sequence[Model],
    *,
    config: ConsensusConfig | None = None,
    name: str | None = None,
    part_budget: float | None = None,
    point_budget: float | None = None,
) -> Model:
    """A consensus of models of one category, which judges as they do together and is used like any other model.

    Its thresholds come from what the models said of the good parts that all of them were calibrated on: no scan is
    needed. It holds its members whole, so that their own files may go.

    Parameters
    ----------
    models : sequence of Model
        Two or more, in the order in which they are to run.
    config : ConsensusConfig, optional
    name : str, optional
    part_budget, point_budget : float, optional
        Share of good parts that may be rejected, and of good points that may be marked; the first model's if not given.

    Raises
    ------
    ModelError
        If they are too few, one is a consensus itself, or they were not calibrated on the same good parts.
    """
    for model in models:
        if isinstance(model.pipeline, ConsensusPipeline):
            raise ModelError(f"{model.card.name} is a consensus itself", "Combine the models that it is of")
    members = [Member(model.card, model.pipeline, model.calibration.held_out) for model in models]
    config = config or ConsensusConfig()
    pipeline = ConsensusPipeline.of(members, config, models[0].pipeline.runtime)
    first = models[0].card
    known = models[0].calibration
    card = replace(
        first,
        name=name or f"{first.category} {pipeline.members_named}",
        pipeline=pipeline.id,
        preset=config.combination,
        config=config.to_mapping(),
        created=datetime.now().astimezone().isoformat(timespec="seconds"),
        program_version=VERSION,
        weights=dict(pipeline.weights),
        validation={},  # the first member's says nothing of them all
        acquisition=next((model.card.acquisition for model in models if model.card.acquisition), {}),
    )
    calibration = pipeline.calibration(
        known.part_budget if part_budget is None else part_budget,
        known.point_budget if point_budget is None else point_budget,
    )
    return Model(card, pipeline, calibration, models[0].preview)


def save(model: Model, path: Path) -> None:
    """Write a model to a file, whole or not at all.

    Raises
    ------
    OutputError
    """
    calibration = model.calibration.state()
    if model.reduced is not None:
        calibration |= joined({REDUCED: model.reduced.state()})
    save_model(path, StoredModel(model.card, model.pipeline.state(), calibration, model.preview))


def load(path: Path, runtime: Runtime) -> Model:
    """Read a model from a file.

    Raises
    ------
    ModelError
        If the file is missing, damaged or of a later version.
    WeightsError
        If it was fitted with backbone weights that are not here.
    """
    stored = load_model(path)
    card = stored.card
    for name, sha256 in card.weights.items():
        weights.verify(weights.find(name), sha256)
    cls = ConsensusPipeline if card.pipeline == ConsensusPipeline.id else pipeline_class(card.pipeline)
    pipeline = cls(cls.Config.from_mapping(card.config), replace(runtime, seed=card.seed))
    try:
        pipeline.load_state(stored.state)
        calibration = Calibration.from_state(stored.calibration)
        of_reduced = below(stored.calibration, REDUCED)  # none in models of before there was such a mode
        reduced = Calibration.from_state(of_reduced) if of_reduced else None
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise ModelError(
            f"{path.name} does not hold what {cls.title} needs", "Train the category again with this version"
        ) from error
    return Model(card, pipeline, calibration, stored.preview, reduced)


def score(model: Model, scan: Scan, progress: Progress, *, reduced: bool = False) -> Judged:
    """Score a scan and prepare its defects, so that thresholds can then be tried at once.

    Parameters
    ----------
    reduced : bool
        Whether a scan that lacks something of what the model was trained with may be judged in the mode that needs
        less. A scan that lacks nothing is judged in the full mode all the same.

    Raises
    ------
    ScanError, RegistrationError
        If the scan is in another unit than the model, lacks something that it was trained with (and ``reduced`` is
        not given, or the model has no such mode), or cannot be judged.
    Cancelled
    """
    _check_unit(model, scan)
    pipeline, lacking = _fitting(model, scan, reduced)
    start = time.perf_counter()
    scores = pipeline.score(scan, progress.part(0.0, 0.9))
    if caution := model.caution(scan):
        scores = replace(scores, notes=(*scores.notes, caution))
    finder = DefectFinder(scan, scores)
    seconds = time.perf_counter() - start
    progress.update(1.0, "Done")
    return Judged(scan, scores, finder, model.card.name, seconds, lacking)


def inspect(
    model: Model, scan: Scan, progress: Progress, thresholds: Thresholds | None = None, *, reduced: bool = False
) -> Inspection:
    """Score a scan and hold it against ``thresholds``, by default those calibrated for the mode that judged it."""
    judged = score(model, scan, progress, reduced=reduced)
    return judged.inspect(thresholds or model.calibration_for(judged.lacking).thresholds())


def explain(model: Model, scan: Scan, point: int, progress: Progress) -> Explanation | None:
    """The good surface that the score of a point rests on; None where there is none to show.

    Raises
    ------
    ScanError, RegistrationError
        If the scan is in another unit than the model, or it or this point of it cannot be judged.
    Cancelled
    """
    _check_unit(model, scan)
    return _fitting(model, scan, True)[0].explain(scan, point, progress)


def _fitting(model: Model, scan: Scan, reduced: bool) -> tuple[Pipeline, str]:
    """The pipeline that judges this scan, and what the scan lacks."""
    lacking = model.lacks(scan)
    if lacking is None:
        return model.pipeline, ""
    other = model.pipeline.reduced() if model.reduced is not None else None
    if reduced and other is not None:
        return other, lacking
    raise ScanError(
        f"{scan.name} has {lacking}, and the model {model.card.name} was trained with that",
        "Judge it by shape alone (--without-image on the command line), or scan it as the good parts were"
        if other is not None
        else "Scan it as the good parts were, or train a model without",
    )


def _check_unit(model: Model, scan: Scan) -> None:
    if scan.unit != model.card.unit:
        raise ScanError(
            f"{scan.name} is in {scan.unit}, the model {model.card.name} in {model.card.unit}",
            f"Open the scan in {model.card.unit}, or train a model in {scan.unit}",
        )


def _load(category: Category, entries: Sequence[ScanEntry], progress: Progress) -> list[Scan]:
    return [category.load(entry) for entry in progress.over(entries, "{i} of {n}")]


def _good_validation(category: Category) -> tuple[ScanEntry, ...]:
    return tuple(e for e in category.split("validation") if not e.defect or e.defect == "good")


def _labelled(category: Category) -> tuple[ScanEntry, ...]:
    """Labelled defective scans for the F1-best point threshold: only ones kept for validation, never the test's."""
    defective = [e for e in category.split("validation") if e.defect and e.defect != "good"]
    return tuple(defective[:LABELLED_AT_MOST])


def _preview(scan: Scan, runtime: Runtime) -> NDArray[np.float32]:
    count = min(len(scan), PREVIEW_POINTS)
    keep = np.sort(runtime.rng(0).choice(len(scan), count, replace=False))
    return scan.points[keep]
