"""How well a model does on validation parts, so that the methods of a category can be held against each other.

Where labelled validation parts exist, good and defective ones, it is their O-AUROC. Else it is the O-AUROC of good
scans that the model was not fitted on against copies of them with made defects. Test scans are never looked at: what
a method is chosen by is no test of it any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any, Self

from core.datasets.category import Category, ScanEntry
from core.errors import NominalError
from core.evaluation.part_metrics import part_metrics
from core.geometry.background import ForegroundPolicy
from core.pipelines.base import Pipeline
from core.progress import CallbackProgress, Progress
from core.scan import Scan
from core.synthesis.made_parts import HEIGHTS, KINDS, made_defective
from core.workflow import Model

LABELLED, MADE = "labelled parts", "made defects"
HELD_OUT_LEAST = 3
"""Good validation scans from which on they are used; with fewer, training scans are held out from another fit."""
HELD_OUT_MOST = 8
HOLD_OUT_EVERY = 4
MADE_LEAST = 12
"""Made defects altogether, spread over the held-out scans; at least two each."""


@dataclass(frozen=True)
class ValidationScore:
    """What came out.

    Attributes
    ----------
    value : float
        O-AUROC.
    low, high : float
        95 % interval over parts; NaN where there are too few.
    good, defective : int
        Judged parts.
    basis : str
        "labelled parts" or "made defects".
    parts : str
        Stands for the very parts and defects: only scores of the same may be held against each other.
    """

    value: float
    low: float
    high: float
    good: int
    defective: int
    basis: str
    parts: str

    def to_mapping(self) -> dict[str, Any]:
        """As plain values for a model's card."""
        return {key: None if value != value else value for key, value in asdict(self).items()}

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self | None:
        """What ``to_mapping`` gave; None of anything else."""
        if not set(cls.__dataclass_fields__) <= set(values):
            return None
        known = {name: values[name] for name in cls.__dataclass_fields__}
        for name in ("low", "high"):
            known[name] = float("nan") if known[name] is None else known[name]
        return cls(**known)


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
    # Its curves would be drawn over the model's own.
    quiet = CallbackProgress(fitting.update)
    other.fit([category.load(entry) for entry in rest], quiet)
    return _on_made(other, category, rest, out[:HELD_OUT_MOST], progress.part(0.5, 1.0))


def best_of(scores: Sequence[ValidationScore | None]) -> tuple[int, ...]:
    """Which of several models, the newest first, do best: one, or several that are equal.

    Only scores on the same parts are compared, those of the newest model that has one. None is best of itself.
    """
    newest = next((score for score in scores if score is not None), None)
    if newest is None:
        return ()
    rivals = [i for i, score in enumerate(scores) if score is not None and score.parts == newest.parts]
    if len(rivals) < 2:
        return ()
    values = {i: score.value for i in rivals if (score := scores[i]) is not None}
    most = max(values.values())
    return tuple(i for i in rivals if values[i] == most)


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
    for i, (scan, defective, name) in enumerate(parts):
        step = progress.part(i / count, min(1.0, (i + 1) / count), f"Validating {i + 1} of {count}")
        step.update(0.0)
        try:
            value = float(pipeline.score(scan, CallbackProgress(lambda *_, step=step: step.check())).object)
        except NominalError:  # as in an evaluation: it is in no figure
            value = float("nan")
        scores.append(value)
        truth.append(defective)
        names.append(name)
    measure = part_metrics(scores, truth).get("o_auroc")
    if measure is None:
        return None
    judged = [bad for value, bad in zip(scores, truth, strict=True) if value == value]
    digest = hashlib.sha256("\n".join([basis, *names]).encode()).hexdigest()[:16]
    return ValidationScore(
        measure.value, measure.low, measure.high, judged.count(False), judged.count(True), basis, digest
    )
