"""How far a model's figures fall when its test scans are altered, while it was trained on scans as they are."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.datasets.category import Category, ScanEntry
from core.errors import CategoryError, ScanError
from core.evaluation.evaluation import evaluate
from core.inspection.verdict import Verdict
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
    model: Model,
    category: Category,
    alterations: Sequence[Alteration],
    progress: Progress | None = None,
    *,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """A model's figures on altered test scans.

    Returns
    -------
    list of dict
        For each alteration ``kind``, ``level``, ``METRICS`` (None where not measured), ``good_rejected`` of ``good``,
        ``defects_found`` of ``defective`` at the calibrated thresholds, ``failed``: how many scans could not be
        judged, and ``possible``: whether scans of this sort can be altered so.

    Raises
    ------
    Cancelled
    """
    progress = progress or Progress()
    found = []
    for i, alteration in enumerate(alterations):
        what = f"{alteration.kind} {alteration.level:g}"
        step = progress.part(i / len(alterations), (i + 1) / len(alterations), what)
        found.append(_figures(model, altered_category(category, alteration, seed), step))
    return found


def _figures(model: Model, category: AlteredCategory, progress: Progress) -> dict[str, Any]:
    record: dict[str, Any] = {
        "kind": category.alteration.kind,
        "level": category.alteration.level,
        "possible": True,
        **dict.fromkeys(METRICS),
        "good": 0,
        "good_rejected": 0,
        "defective": 0,
        "defects_found": 0,
        "failed": len(category.split("test")),
    }
    if not _possible(category):
        return {**record, "possible": False}
    try:
        found = evaluate(model, category, progress=progress, resamples=0)
    except CategoryError:  # not one scan could be judged any more
        return record
    confusion = found.confusion()
    measured = {name: found.metrics[name].value for name in METRICS if name in found.metrics}
    return {
        **record,
        **measured,
        "good": sum(confusion.good.values()),
        "good_rejected": confusion.good[Verdict.REJECT],
        "defective": sum(confusion.defective.values()),
        "defects_found": confusion.defective[Verdict.REJECT],
        "failed": len(found.failures),
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
