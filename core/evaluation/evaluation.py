"""Evaluating a model: its scores of scans of which it is known what is defective, held against that knowledge."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from math import isnan

import numpy as np
from numpy.typing import NDArray

from core import workflow
from core.datasets.category import Category, ScanEntry
from core.datasets.entry import Split
from core.errors import CategoryError, NominalError
from core.evaluation.intervals import RESAMPLES, Measure
from core.evaluation.metrics import rate_limit
from core.evaluation.part_metrics import part_metrics
from core.evaluation.point_counts import LIMITS, PointCounts
from core.evaluation.results import GOOD, Evaluation, PartResult, TypeResult, verdicts_of
from core.formats.images import read_mask
from core.inspection.thresholds import Thresholds
from core.inspection.verdict import decide
from core.progress import Cancelled, Progress
from core.scan import Scan
from core.scores import Scores
from core.workflow import Model

_WORTH_A_NOTE = 5e-4
"""Errors from which on the third decimal may be another one."""

Watch = Callable[[PartResult, Scan, Scores], None]
"""Is shown each judged part while its points are at hand."""

Judge = Callable[[ScanEntry, Scan, Progress], tuple[Scores, float]]
"""Gives the scores of a scan and the seconds that they took; fails as ``workflow.score`` does."""

log = logging.getLogger(__name__)


def evaluate(
    model: Model,
    category: Category,
    split: Split = "test",
    progress: Progress | None = None,
    *,
    thresholds: Thresholds | None = None,
    limits: Sequence[float] = LIMITS,
    resamples: int = RESAMPLES,
    seed: int = 0,
    good_only: bool = False,
    reduced: bool = False,
    watch: Watch | None = None,
    judge: Judge | None = None,
) -> Evaluation:
    """Judge the scans of one split and measure how well good and defective ones are told apart.

    Scans are read and scored one at a time, and their points only counted: memory does not grow with their number. A
    scan that cannot be judged is reported with the reason, and the others go on.

    Parameters
    ----------
    model : Model
    category : Category
        In the model's unit.
    split : "train", "validation" or "test"
    thresholds : Thresholds, optional
        For the verdicts; the ones calibrated for the mode that judges if not given.
    limits : sequence of float
        False-positive rates up to which AUPRO is taken.
    resamples, seed : int
        Draws of parts that the intervals come from; 0 for no intervals.
    good_only : bool
        Take a split of good parts alone: then only its false rejects are measured.
    reduced : bool
        Judge all scans in the model's reduced mode, whether they lack something or not: scores of two modes are on two
        scales and cannot be ranked together. Without it scans that lack something are not judged.
    watch : function, optional
        Gets each judged part with its scan and scores, which are let go afterwards.
    judge : function, optional
        Where the scores come from, if the model need not work them out.

    Raises
    ------
    CategoryError
        If the split has no scans, only good (see ``good_only``) or only defective ones, is in another unit than the
        model, or if none of its scans can be judged.
    ModelError
        If the model has no reduced mode, and is to judge in it.
    Cancelled
    """
    progress = progress or Progress()
    for limit in limits:
        rate_limit(limit)
    entries = category.split(split)
    _check(model, category, split, entries, good_only)
    if reduced:
        model = model.in_reduced_mode()
    at = thresholds or model.calibration.thresholds()
    counts = PointCounts(limits)
    parts = []
    for i, entry in enumerate(entries):
        step = progress.part(0.95 * i / len(entries), 0.95 * (i + 1) / len(entries), f"{i + 1} of {len(entries)}")
        step.update(0.0, entry.key)
        parts.append(_part(model, category, entry, at, counts, step, watch, judge))
    judged = [part for part in parts if part.score is not None]
    if not judged:
        raise CategoryError(
            f"None of the {len(parts)} scans could be judged. The first: {parts[0].error}",
            "Evaluate by shape alone (--without-image on the command line)"
            if all(part.lacking for part in parts)
            else "Check the scans, and that the model is of this kind of part",
        )
    progress.update(0.95, "measuring")
    metrics = _metrics(judged, counts, None, resamples, seed)
    kinds = list(dict.fromkeys(part.defect for part in judged if part.defective))
    by_defect = []
    for kind in sorted(kinds):
        progress.update(0.97, f"measuring {kind}")
        of = [part for part in judged if part.defect == kind]
        by_defect.append(
            TypeResult(kind, len(of), verdicts_of(of, at), _metrics(judged, counts, kind, resamples, seed))
        )
    progress.update(1.0, "Done")
    return Evaluation(
        category=category.name,
        split=split,
        unit=category.unit,
        source=category.root,
        card=model.card,
        device=model.pipeline.runtime.title,
        created=datetime.now().astimezone().isoformat(timespec="seconds"),
        thresholds=at,
        parts=tuple(parts),
        metrics=metrics,
        by_defect=tuple(by_defect),
        published=counts.published(),
        curves=counts.curves(),
        notes=tuple(_notes(model, category, split, parts, metrics, reduced)),
        reduced=reduced,
    )


def _check(model: Model, category: Category, split: Split, entries: Sequence[ScanEntry], good_only: bool) -> None:
    if category.unit != model.card.unit:
        raise CategoryError(
            f"{category.name} was opened in {category.unit}, the model {model.card.name} is in {model.card.unit}",
            f"Open the folder in {model.card.unit}, or take a model of parts in {category.unit}",
        )
    where = f"{category.root / split} or the like"
    if not entries:
        raise CategoryError(
            f"{category.name} has no {split} scans",
            f"Put good ones into {where}/good and defective ones beside it, a folder for each kind of defect",
        )
    if not good_only and not any(entry.defect for entry in entries):
        raise CategoryError(
            f"All {len(entries)} {split} scans of {category.name} are good, so there are no defects to find",
            f"Put scans of defective parts into {where}, in a folder for each kind of defect",
        )
    if all(entry.defect for entry in entries):
        raise CategoryError(
            f"All {len(entries)} {split} scans of {category.name} are defective, so nothing could be rejected in error",
            f"Put scans of good parts into {where}/good, other ones than the model was trained on",
        )


def _part(
    model: Model,
    category: Category,
    entry: ScanEntry,
    at: Thresholds,
    counts: PointCounts,
    step: Progress,
    watch: Watch | None,
    judge: Judge | None,
) -> PartResult:
    lacking = ""
    try:
        scan = category.load(entry)
        lacking = model.lacks(scan) or "" if model.reduced is not None else ""
        labels, mask = _truth(scan, entry)
        if judge is None:
            judged = workflow.score(model, scan, step)
            scores, seconds = judged.scores, judged.seconds
        else:
            scores, seconds = judge(entry, scan, step)
        value = float(scores.object)
        if labels is not None:
            counts.add(scan, scores.points, labels, entry.defect or GOOD, mask)
    except Cancelled:
        raise
    except NominalError as error:
        return PartResult(entry.key, entry.path, entry.defect, error=str(error), lacking=lacking)
    except Exception as error:  # a fault of the program at one scan must not cost the work on the others
        log.exception("%s could not be judged", entry.path)
        return PartResult(entry.key, entry.path, entry.defect, error=f"{type(error).__name__}: {error}")
    result = PartResult(
        key=entry.key,
        path=entry.path,
        defect=entry.defect,
        score=None if isnan(value) else value,
        verdict=decide(value, at),
        seconds=seconds,
        points=len(scan),
        labelled=labels is not None,
        error="The method gave it no score." if isnan(value) else "",
        notes=scores.notes,
    )
    if watch is not None and result.score is not None:
        watch(result, scan, scores)
    return result


def _truth(scan: Scan, entry: ScanEntry) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
    """What is known of each point and of each pixel, None where nothing is."""
    if not entry.defect and scan.labels is None:
        return np.zeros(len(scan), bool), None
    truth = entry.ground_truth
    if scan.labels is not None and scan.grid is not None and truth is not None and truth.suffix.lower() == ".png":
        return scan.labels, read_mask(truth, (scan.grid.shape[0], scan.grid.shape[1]))
    return scan.labels, None


def _metrics(
    judged: Sequence[PartResult], counts: PointCounts, kind: str | None, resamples: int, seed: int
) -> dict[str, Measure]:
    """Of one kind of defect, or all, against the good parts."""
    chosen = [part for part in judged if kind is None or part.defect in ("", kind)]
    scores = np.array([part.score for part in chosen], np.float64)
    defective = np.array([part.defective for part in chosen])
    of_parts = part_metrics(scores, defective, resamples=resamples, seed=seed)
    return {**of_parts, **counts.metrics(kind, resamples=resamples, seed=seed)}


def _notes(
    model: Model,
    category: Category,
    split: Split,
    parts: Sequence[PartResult],
    metrics: dict[str, Measure],
    reduced: bool,
) -> list[str]:
    """What to know before trusting the figures."""
    notes = []
    if reduced:
        notes.append(
            "All scans were judged by shape alone, by the thresholds of that mode: what shows in the image only was "
            "not looked for."
        )
    if model.card.category != category.name:
        notes.append(f"The model was trained on {model.card.category}, these are scans of {category.name}.")
    if split == "train":
        notes.append("These are scans that models are trained on: figures on scans that the model knows mean little.")
    if split == "validation":
        notes.append("Thresholds are calibrated on validation scans, so that verdicts on these flatter.")
    failed = [part for part in parts if part.score is None]
    if failed:
        notes.append(f"{_scans(len(failed))} of {len(parts)} could not be judged and are in no figure.")
    lacking = [part for part in failed if part.lacking]
    if lacking:
        notes.append(
            f"{_scans(len(lacking))} of these lacked what the model was trained with ({lacking[0].lacking}). Evaluated "
            "by shape alone (--without-image on the command line) all are judged, in one mode."
        )
    doubtful = [part for part in parts if part.notes]
    if doubtful:
        notes.append(
            f"Judged with reservations: {_scans(len(doubtful))} of {len(parts)}. Of {doubtful[0].key}: "
            f"{doubtful[0].notes[0]}"
        )
    defective = [part for part in parts if part.defective and part.score is not None]
    unknown = [part for part in defective if not part.labelled]
    if unknown and len(unknown) == len(defective):
        notes.append("It is not known which points are defective, so only whole parts are measured.")
    elif unknown:
        notes.append(f"{_scans(len(unknown))} of {len(defective)} defective ones have no ground truth of their points.")
    area = metrics.get("o_auroc")
    if not any(part.defective for part in parts):
        notes.append("There are no defective parts among these, so that only false rejects can be measured.")
    elif area is None:
        notes.append(
            "Of the judged scans none is good or none is defective, so they cannot be held against each other."
        )
    elif area.value in (0.0, 1.0):
        notes.append(
            "The scores keep all good and all defective parts apart. The interval of O-AUROC has no width then: it "
            "says that no draw of these parts mixes them, not that no other part would. The limits of the rates hold."
        )
    error = max((measure.error for measure in metrics.values()), default=0.0)
    if error >= _WORTH_A_NOTE:
        notes.append(f"Scores of points were binned to save memory: figures of points are off by at most {error:.1g}.")
    return notes


def _scans(count: int) -> str:
    return f"{count} scan" if count == 1 else f"{count} scans"
