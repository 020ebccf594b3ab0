"""How far a model's figures fall when its test scans are altered, while it was trained on scans as they are."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.consensus.pipeline import ConsensusPipeline
from core.datasets.category import Category, ScanEntry
from core.errors import CategoryError, ScanError
from core.evaluation.benchmark.runs import Run
from core.evaluation.evaluation import evaluate
from core.evaluation.part_metrics import part_metrics
from core.inspection.thresholds import Thresholds
from core.inspection.verdict import Verdict, decide
from core.progress import Progress
from core.scan import Scan
from core.synthesis.scan_alterations import KINDS, altered_scan
from core.workflow import Model

METRICS = ("o_auroc", "p_auroc", "aupro_30")


class ImpossibleError(ScanError):
    """A scan of its sort cannot be altered so."""


@dataclass(frozen=True)
class Alteration:
    """One way and one level."""

    kind: str
    level: float


ALTERATIONS = tuple(Alteration(kind.key, level) for kind in KINDS for level in kind.levels)


@dataclass(frozen=True)
class AlteredCategory(Category):
    """A category whose scans come out of ``load`` altered, the same scan always in the same way.

    Attributes
    ----------
    alteration : Alteration
    seed : int
    truths : tuple of ScanEntry
        The entries with their ground truth, which the altered scans carry themselves: masks no longer fit them.
    """

    alteration: Alteration = Alteration("noise", 0.0)
    seed: int = 0
    truths: tuple[ScanEntry, ...] = ()

    def load(self, entry: ScanEntry) -> Scan:
        """Read a scan and alter it.

        Raises
        ------
        ScanError
            If it cannot be read.
        ImpossibleError
            If a scan of its sort cannot be altered so.
        """
        original = next(one for one in self.truths if (one.split, one.key) == (entry.split, entry.key))
        scan = super().load(original)
        rng = np.random.default_rng([self.seed, zlib.crc32(entry.key.encode())])
        altered = altered_scan(scan, self.alteration.kind, self.alteration.level, rng)
        if altered is None:
            raise ImpossibleError(f"{entry.key} cannot be altered so", "Leave this alteration out")
        return altered


def altered_category(category: Category, alteration: Alteration, seed: int = 0) -> AlteredCategory:
    """A category with its scans altered."""
    return AlteredCategory(
        name=category.name,
        root=category.root,
        layout=category.layout,
        unit=category.unit,
        entries=tuple(replace(entry, ground_truth=None) for entry in category.entries),
        warnings=category.warnings,
        alteration=alteration,
        seed=seed,
        truths=category.entries,
    )


def robustness(
    model: Model, category: Category, alteration: Alteration, progress: Progress, *, seed: int = 0
) -> dict[str, Any]:
    """A model's figures on altered test scans.

    Returns
    -------
    dict
        ``kind``, ``level``, ``METRICS`` (None where not measured), ``good_rejected`` of ``good``, ``defects_found`` of
        ``defective`` at the calibrated thresholds, ``failed``: how many scans could not be judged, ``scores``: the
        object score of each that could, and ``possible``: whether scans of this sort can be altered so.

    Raises
    ------
    Cancelled
    """
    altered = altered_category(category, alteration, seed)
    record = _unmeasured(category, alteration)
    if not _possible(altered):
        return {**record, "possible": False}
    try:
        found = evaluate(model, altered, progress=progress, resamples=0)
    except CategoryError:  # not one scan could be judged any more
        return record
    measured = {name: found.metrics[name].value for name in METRICS if name in found.metrics}
    scores = {part.key: part.score for part in found.parts if part.score is not None}
    return record | _verdicts(category, scores, found.thresholds) | measured


def robustness_together(
    consensus: Model, category: Category, alteration: Alteration, members: Sequence[Run]
) -> dict[str, Any]:
    """A consensus' figures on altered test scans, by what its members said of these parts in their own runs.

    Members kept no points of altered scans, so that figures of points are not measured.

    Parameters
    ----------
    consensus : Model
    category : Category
    alteration : Alteration
    members : sequence of Run
        In the consensus' order, each measured against this alteration.

    Returns
    -------
    dict
        As of ``robustness``.
    """
    pipeline = consensus.pipeline
    assert isinstance(pipeline, ConsensusPipeline)
    said = [run.robustness_at(alteration.kind, alteration.level) for run in members]
    record = _unmeasured(category, alteration)
    if not all(one is not None and one["possible"] for one in said):
        return {**record, "possible": False}
    scores = {}
    for entry in category.split("test"):
        known = {m: one["scores"][entry.key] for m, one in enumerate(said) if one and entry.key in one["scores"]}
        if known:
            scores[entry.key] = pipeline.part_together(known)
    parts = [entry for entry in category.split("test") if entry.key in scores]
    measured = part_metrics([scores[e.key] for e in parts], [bool(e.defect) for e in parts], resamples=0)
    area = {"o_auroc": measured["o_auroc"].value} if measured else {}
    return record | _verdicts(category, scores, consensus.calibration.thresholds()) | area


def _unmeasured(category: Category, alteration: Alteration) -> dict[str, Any]:
    return {
        "kind": alteration.kind,
        "level": alteration.level,
        "possible": True,
        **dict.fromkeys(METRICS),
        "good": 0,
        "good_rejected": 0,
        "defective": 0,
        "defects_found": 0,
        "failed": len(category.split("test")),
        "scores": {},
    }


def _verdicts(category: Category, scores: Mapping[str, float], at: Thresholds) -> dict[str, Any]:
    """What the thresholds make of the parts that have a score."""
    entries = category.split("test")
    good = [scores[entry.key] for entry in entries if entry.key in scores and not entry.defect]
    defective = [scores[entry.key] for entry in entries if entry.key in scores and entry.defect]
    return {
        "good": len(good),
        "good_rejected": sum(decide(score, at) is Verdict.REJECT for score in good),
        "defective": len(defective),
        "defects_found": sum(decide(score, at) is Verdict.REJECT for score in defective),
        "failed": len(entries) - len(scores),
        "scores": dict(scores),
    }


def _possible(category: AlteredCategory) -> bool:
    """Whether scans of this sort can be altered so, by the first that can be read."""
    for entry in category.split("test"):
        try:
            category.load(entry)
        except ImpossibleError:
            return False
        except ScanError:  # the evaluation will say so
            continue
        return True
    return True
