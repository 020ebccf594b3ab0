"""How well a model does on validation parts, so that the methods of a category can be held against each other.

Where labelled validation parts exist, good and defective ones, it is their O-AUROC. Else it is the O-AUROC of good
scans that the model was not fitted on against copies of them with made defects. The P-AUPR of the same parts' points
says what a model's voice is worth in a consensus. Test scans are never looked at: what a method is chosen by is no test
of it any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import ceil, nan

import numpy as np

from core.datasets.category import Category, ScanEntry
from core.errors import NominalError
from core.evaluation.curves import average_precision
from core.evaluation.part_metrics import part_metrics
from core.evaluation.tally import PointTally
from core.geometry.background import ForegroundPolicy
from core.pipelines.base import Pipeline
from core.progress import Progress
from core.scan import Scan
from core.store.validation_score import LABELLED, MADE, ValidationScore, comparable
from core.synthesis.made_parts import HEIGHTS, KINDS, made_defective
from core.workflow import Model

HELD_OUT_LEAST = 3
"""Good validation scans from which on they are used; with fewer, training scans are held out from another fit."""
HELD_OUT_MOST = 8
HOLD_OUT_EVERY = 4
MADE_LEAST = 12
"""Made defects altogether, spread over the held-out scans; at least two each."""


def validated(model: Model, category: Category, progress: Progress) -> Model:
    """The model with what ``validate`` finds on its card; as it is where that finds nothing.

    Raises
    ------
    ScanError
    Cancelled
    """
    score = validate(model, category, progress)
    return model if score is None else replace(model, card=replace(model.card, validation=score.to_mapping()))


def validated_alike(
    models: Sequence[Model], category: Category, progress: Progress, keep: Callable[[int, Model], None] | None = None
) -> list[Model]:
    """The models, measured on the same validation parts: those that were not are measured now.

    Parameters
    ----------
    models : sequence of Model
    category : Category
        That they were trained on.
    keep : function, optional
        Gets the place and the measured state of each model that is measured, at once: what was done when the user
        cancels is not lost.

    Raises
    ------
    ScanError
    Cancelled
    """
    found = list(models)
    scores = [ValidationScore.from_mapping(model.card.validation) for model in found]
    if comparable(scores):
        return found
    lacking = [i for i, score in enumerate(scores) if score is None or not score.tells_points]
    first = lacking[0] if lacking else 0  # what it is measured on is what validation parts are now
    parts = None
    for done, i in enumerate([first, *(i for i in range(len(found)) if i != first)]):
        score = scores[i]
        if i == first or i in lacking or (score is not None and score.parts != parts):
            what = f"Measuring {found[i].card.name} on validation parts"
            found[i] = validated(found[i], category, progress.part(done / len(found), (done + 1) / len(found), what))
            if keep is not None and found[i] is not models[i]:
                keep(i, found[i])
        if i == first:
            measured = ValidationScore.from_mapping(found[i].card.validation)
            parts = None if measured is None else measured.parts
    progress.update(1.0, "Measured")
    return found


def validate(model: Model, category: Category, progress: Progress) -> ValidationScore | None:
    """Measure a model on validation parts.

    Scans that the model cannot judge are left out. Where no three good validation scans are there to hold out, another
    pipeline of the same config is fitted on three of four training scans, and the others are held out: this measures
    the method on slightly fewer scans than the model has seen, but never on scans that it knows.

    Parameters
    ----------
    model : Model
    category : Category
        That it was trained on.

    Returns
    -------
    ValidationScore or None
        None where there are too few scans to hold any out.

    Raises
    ------
    ScanError
        If a scan cannot be read.
    Cancelled
    """
    entries = category.split("validation")
    good = [entry for entry in entries if not entry.defect]
    defective = [entry for entry in entries if entry.defect]
    if good and defective:
        parts = ((category.load(entry), bool(entry.defect), entry.key) for entry in (*good, *defective))
        return _measured(model.pipeline, parts, len(entries), LABELLED, progress)
    train = category.good_train()
    if len(good) >= HELD_OUT_LEAST:
        return _on_made(model.pipeline, category, train, good[:HELD_OUT_MOST], progress)
    out = train[HOLD_OUT_EVERY - 1 :: HOLD_OUT_EVERY]
    rest = [entry for entry in train if entry not in out]
    if len(out) < 2 or len(rest) < model.pipeline.min_scans:
        return None
    other = type(model.pipeline)(model.pipeline.config, model.pipeline.runtime)
    fitting = progress.part(0.0, 0.5, "Fitting without the held-out scans")
    other.fit([category.load(entry) for entry in rest], _Unplotted(fitting))
    return _on_made(other, category, rest, out[:HELD_OUT_MOST], progress.part(0.5, 1.0))


def _on_made(
    pipeline: Pipeline, category: Category, known: Sequence[ScanEntry], out: Sequence[ScanEntry], progress: Progress
) -> ValidationScore | None:
    policy = ForegroundPolicy.learn([category.load(entry) for entry in known], seed=0)
    each = max(2, ceil(MADE_LEAST / len(out)))

    def parts() -> Iterator[tuple[Scan, bool, str]]:
        for number, entry in enumerate(out):
            scan = category.load(entry)
            yield scan, False, entry.key
            part = policy.mask(scan)
            for i in range(each):
                turn = number * each + i  # kinds and heights go round at different paces: all pairs come up
                kind, height = KINDS[turn % len(KINDS)], HEIGHTS[turn % len(HEIGHTS)]
                made = made_defective(scan, part, kind, height, seed=turn)
                if made is not None:
                    yield made, True, f"{entry.key} {kind} {height} {turn}"

    return _measured(pipeline, parts(), len(out) * (1 + each), MADE, progress)


def _measured(
    pipeline: Pipeline, parts: Iterator[tuple[Scan, bool, str]], count: int, basis: str, progress: Progress
) -> ValidationScore | None:
    scores, truth, names = [], [], []
    tally, labelled = PointTally(), True
    for i, (scan, defective, name) in enumerate(parts):
        step = progress.part(i / count, min(1.0, (i + 1) / count), f"Validating {i + 1} of {count}")
        step.update(0.0)
        try:
            found = pipeline.score(scan, step)
        except NominalError:  # as in an evaluation: it is in no figure
            value = nan
        else:
            value = float(found.object)
            labelled &= scan.labels is not None or not defective
            defect = np.zeros(len(scan), np.int64) if scan.labels is None else scan.labels.astype(np.int64)
            tally.add(found.points, defect - 1)
        scores.append(value)
        truth.append(defective)
        names.append(name)
    measure = part_metrics(scores, truth).get("o_auroc")
    if measure is None:
        return None
    judged = [bad for value, bad in zip(scores, truth, strict=True) if value == value]
    digest = hashlib.sha256("\n".join([basis, *names]).encode()).hexdigest()[:16]
    ranking = tally.ranking()
    points = float(average_precision(ranking)) if labelled and not ranking.one_class else nan
    return ValidationScore(
        measure.value, measure.low, measure.high, judged.count(False), judged.count(True), basis, digest, points
    )


class _Unplotted(Progress):
    """Passes on everything but the curves: those of this fit would be drawn over the model's own."""

    def __init__(self, whole: Progress) -> None:
        self._whole = whole

    @property
    def cancelled(self) -> bool:
        return self._whole.cancelled

    def report(self, fraction: float, what: str) -> None:
        self._whole.report(fraction, what)
