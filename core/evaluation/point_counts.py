"""The points of many scans, counted as the scans come: metrics by kind of defect, intervals over parts, curves.

Memory does not grow with the points: one tally for the good parts and one for each kind of defect, one for published
figures, and a coarse one for each part, which only the intervals are taken from.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from core.evaluation.curves import (
    Curve,
    average_precision,
    average_precision_error,
    overlap_area,
    overlap_area_at_ranks,
    overlap_area_error,
    overlap_curve,
    precision_recall_curve,
    roc_area,
    roc_area_error,
    roc_curve,
)
from core.evaluation.intervals import RESAMPLES, Measure, Statistic, bootstrap
from core.evaluation.regions import grid_regions, scan_regions
from core.evaluation.results import GOOD, Published, share_key
from core.evaluation.tally import PointTally, stacked
from core.scan import Scan

LIMITS = (0.3, 0.01)
"""False-positive rates up to which the overlap is taken."""
PUBLISHED_LIMITS = (0.3, 0.1, 0.05, 0.01)
PUBLISHED_RANKS = (99, 100)

_PART_SCORES = 2048  # of a part's coarse tally: its scores are told apart to 1 % or better
_CURVE_POINTS = 400


class PointCounts:
    """Takes the scored points of one scan after the other.

    Parameters
    ----------
    limits : sequence of float
        False-positive rates up to which the overlap is taken.
    """

    def __init__(self, limits: Sequence[float] = LIMITS) -> None:
        self._limits = tuple(limits)
        self._kinds: dict[str, PointTally] = {}
        self._parts: list[tuple[str, PointTally]] = []
        self._whole = PointTally()
        self._organised = True

    def add(
        self,
        scan: Scan,
        scores: NDArray[np.float32],
        labels: NDArray[np.bool_],
        kind: str,
        mask: NDArray[np.bool_] | None = None,
    ) -> None:
        """Count a scan.

        Parameters
        ----------
        scan : Scan
        scores : (N,) float32
            NaN where not judged.
        labels : (N,) bool
        kind : str
            Kind of defect; "good" for a good part.
        mask : (H, W) bool, optional
            The ground truth of the whole grid where it is known: for published figures defective pixels without a
            measurement count as missed.
        """
        regions = scan_regions(scan, labels, mask)
        for tally in (self._kinds.setdefault(kind, PointTally()), part := PointTally(_PART_SCORES)):
            tally.add(scores, regions)
        self._parts.append((kind, part))
        if scan.grid is None:
            self._organised = False
            self._whole.add(scores, regions)
        else:
            truth = np.append(labels, False)[scan.grid] if mask is None else mask
            self._whole.add(scan.in_file_order(scores), grid_regions(truth))

    def metrics(self, kind: str | None = None, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Measure]:
        """P-AUROC, P-AUPR and AUPRO of one kind of defect (or all) and the good parts, over judged points.

        Empty if there are no good or no defective points. The intervals are of coarser scores than the values, and
        moved by what that changes.
        """
        tally = self._tally(kind)
        ranking = tally.ranking()
        if ranking.one_class:
            return {}
        statistics = self._statistics()
        chosen = [(name, part) for name, part in self._parts if kind is None or name in (kind, GOOD)]
        stack = stacked((part for _, part in chosen), _PART_SCORES)
        coarse = stack.weighted(np.ones(len(chosen)))
        intervals = bootstrap(
            stack.weighted,
            np.array([name != GOOD for name, _ in chosen]),
            statistics,
            width=len(stack.scores),
            resamples=resamples,
            seed=seed,
        )
        errors = {} if tally.exact else self._errors()
        found = {}
        for name, of in statistics.items():
            value = float(of(ranking))
            shift = value - float(of(coarse))
            low, high = (min(max(end + shift, 0.0), 1.0) if np.isfinite(end) else end for end in intervals[name])
            error = float(errors[name](ranking)) if name in errors else 0.0
            found[name] = Measure(value, low, high, error)
        return found

    def published(self) -> Published | None:
        """The metrics for comparing with published figures; None if there are no good or no defective points."""
        ranking = self._whole.ranking(background=True)
        if ranking.one_class:
            return None
        overlaps = {}
        if self._organised:
            overlaps = {
                (ranks, limit): overlap_area_at_ranks(ranking, limit, ranks)
                for ranks in PUBLISHED_RANKS
                for limit in PUBLISHED_LIMITS
            }
        return Published(float(roc_area(ranking)), float(average_precision(ranking)), overlaps)

    def curves(self) -> dict[str, Curve]:
        """ROC and precision-recall curves of the points, and the overlap curve up to the highest limit."""
        ranking = self._tally(None).ranking()
        if ranking.one_class:
            return {}
        whole = {
            "p_roc": roc_curve(ranking),
            "p_pr": precision_recall_curve(ranking),
            "overlap": overlap_curve(ranking, max(self._limits)),
        }
        return {name: curve.thinned(_CURVE_POINTS) for name, curve in whole.items()}

    def _tally(self, kind: str | None) -> PointTally:
        whole = PointTally()
        for name, tally in self._kinds.items():
            if kind is None or name in (kind, GOOD):
                whole.merge(tally)
        return whole

    def _statistics(self) -> dict[str, Statistic]:
        overlaps = {share_key("aupro", limit): partial(overlap_area, limit=limit) for limit in self._limits}
        return {"p_auroc": roc_area, "p_aupr": average_precision, **overlaps}

    def _errors(self) -> dict[str, Statistic]:
        overlaps = {share_key("aupro", limit): partial(overlap_area_error, limit=limit) for limit in self._limits}
        return {"p_auroc": roc_area_error, "p_aupr": average_precision_error, **overlaps}
