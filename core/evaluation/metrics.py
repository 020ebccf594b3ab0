"""How well scores tell defective from good, for whole parts and for points.

All are threshold-free and use the raw scores. Points that a pipeline does not judge (NaN): a good one is left out, a
defective one counts as scored below everything, for leaving a defect out of the judgement is missing it. The functions
here take all scores at once and are exact; ``core.evaluation.tally`` counts the points of scans that do not fit into
memory together, and ``core.evaluation.curves`` reads the same metrics from its counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import CategoryError
from core.evaluation.curves import (
    average_precision,
    best_f1,
    best_f1_score,
    false_rejects,
    overlap_area,
    overlap_area_at_ranks,
    roc_area,
)
from core.evaluation.ranking import Ranking
from core.evaluation.regions import grid_regions


def o_auroc(scores: ArrayLike, defective: ArrayLike) -> float:
    """Area under the ROC curve of object scores; ties count half. Parts without a score (NaN) are left out.

    Parameters
    ----------
    scores, defective : (n,)

    Raises
    ------
    CategoryError
        If there are no good or no defective parts.
    """
    return float(roc_area(part_ranking(scores, defective)))


def o_aupr(scores: ArrayLike, defective: ArrayLike) -> float:
    """Average precision of object scores, defective being the positive class.

    Raises
    ------
    CategoryError
        If there are no good or no defective parts.
    """
    return float(average_precision(part_ranking(scores, defective)))


def f1_max(scores: ArrayLike, defective: ArrayLike) -> tuple[float, float]:
    """The highest F1 of object scores over all thresholds, and the score from which on parts are then rejected.

    It is chosen on the very parts that it is measured on: what a threshold could do at best, not what one will do.

    Raises
    ------
    CategoryError
        If there are no good or no defective parts.
    """
    ranking = part_ranking(scores, defective)
    return float(best_f1(ranking)), best_f1_score(ranking)


def false_reject_rate(scores: ArrayLike, defective: ArrayLike, recall: float = 0.95) -> float:
    """Share of good parts that are rejected by the highest threshold that finds ``recall`` of the defective ones.

    Parts whose scores are equal are rejected together, so that the recall reached may be higher.

    Parameters
    ----------
    scores, defective : (n,)
    recall : float
        Above 0, at most 1.

    Raises
    ------
    CategoryError
        If there are no good or no defective parts.
    """
    if not 0 < recall <= 1:
        raise ValueError(f"recall {recall} is not a share above 0")
    return float(false_rejects(part_ranking(scores, defective), recall))


def p_auroc(scores: Sequence[ArrayLike], labels: Sequence[ArrayLike]) -> float:
    """Area under the ROC curve over the points of all scans together.

    Parameters
    ----------
    scores, labels : sequences of arrays, one pair a scan

    Raises
    ------
    CategoryError
        If no point is good or none is defective.
    """
    return float(roc_area(_point_ranking(scores, labels)))


def p_aupr(scores: Sequence[ArrayLike], labels: Sequence[ArrayLike]) -> float:
    """Average precision over the points of all scans together, defective being the positive class.

    Raises
    ------
    CategoryError
        If no point is good or none is defective.
    """
    return float(average_precision(_point_ranking(scores, labels)))


def aupro(
    scores: Sequence[ArrayLike], labels: Sequence[ArrayLike], limit: float = 0.3, *, thresholds: int | None = None
) -> float:
    """Area under the per-region-overlap curve up to a false-positive rate, divided by that rate.

    Regions are the 8-connected components of the ground truth; a pixel is marked if its score is above the threshold;
    the overlap is the mean over regions of their marked share. The curve is joined by straight lines from (1, 1) down
    to rate 0 (P. Bergmann et al.: *The MVTec 3D-AD dataset*, VISAPP 2022). Every pixel that is given counts.

    Parameters
    ----------
    scores, labels : sequences of (H, W), one pair an organised scan
        NaN scores (not judged, background) count below everything.
    limit : float
        Highest false-positive rate, above 0, at most 1.
    thresholds : int, optional
        Protocol mode: that many equidistant ranks of the good pixels' scores, as the published evaluation codes do
        (99 or 100). Exact if not given: every good score is a threshold. The two are not comparable at low limits.

    Raises
    ------
    CategoryError
        If no pixel is good or none is defective.
    """
    regions = [grid_regions(np.asarray(label, bool)) for label in labels]
    return _overlap(scores, regions, limit, thresholds, "pixels")


def aupro_of_clouds(
    scores: Sequence[ArrayLike], regions: Sequence[ArrayLike], limit: float = 0.3, *, thresholds: int | None = None
) -> float:
    """``aupro`` where points lie on no grid, so that regions are given instead of found.

    Parameters
    ----------
    scores : sequence of (N,), one a scan
        NaN (not judged) counts below everything.
    regions : sequence of (N,) int
        The defect that each point belongs to, counted from 0 in each scan; -1 on good points (see
        ``core.evaluation.regions``).

    Raises
    ------
    CategoryError
        If no point is good or none is defective.
    """
    return _overlap(scores, [np.asarray(r) for r in regions], limit, thresholds, "points")


def part_ranking(scores: ArrayLike, defective: ArrayLike) -> Ranking:
    """The ranking of parts by object score; those without one (NaN) are left out.

    Raises
    ------
    CategoryError
        If there are no good or no defective parts.
    """
    values, truth = np.asarray(scores, np.float64), np.asarray(defective, bool)
    known = ~np.isnan(values)
    return measurable(Ranking.of(values[known], truth[known]), "parts")


def measurable(ranking: Ranking, what: str) -> Ranking:
    """The ranking itself, if it holds good and defective ones.

    Raises
    ------
    CategoryError
        If one of the two is missing; it says which, calling them ``what``.
    """
    if ranking.one_class:
        missing = "good" if ranking.defective.any() else "defective"
        raise CategoryError(
            f"There are no {missing} {what} with a score, so detection cannot be measured",
            f"Add test scans with {missing} {what} and their ground truth",
        )
    return ranking


def rate_limit(limit: float) -> float:
    """The limit itself, if it is a rate above 0, at most 1; ``ValueError`` if not."""
    if not 0 < limit <= 1:
        raise ValueError(f"limit {limit} is not a rate above 0")
    return limit


def _point_ranking(scores: Sequence[ArrayLike], labels: Sequence[ArrayLike]) -> Ranking:
    values = np.concatenate([np.asarray(s, np.float64).ravel() for s in scores]) if scores else np.empty(0)
    truth = np.concatenate([np.asarray(t, bool).ravel() for t in labels]) if labels else np.empty(0, bool)
    if values.shape != truth.shape:
        raise ValueError(f"{values.size} scores but {truth.size} labels")
    keep = ~np.isnan(values) | truth
    return measurable(Ranking.of(_lowest(values[keep]), truth[keep]), "points")


def _overlap(
    scores: Sequence[ArrayLike],
    regions: Sequence[NDArray[np.integer]],
    limit: float,
    thresholds: int | None,
    what: str,
) -> float:
    rate_limit(limit)
    values, names, first = [np.empty(0)], [np.empty(0, np.int64)], 0
    for s, r in zip(scores, regions, strict=True):
        values.append(_lowest(np.asarray(s, np.float64).ravel()))
        names.append(np.where(r.ravel() >= 0, r.ravel() + first, -1))
        first += int(r.max(initial=-1)) + 1
    named = np.concatenate(names)
    ranking = measurable(Ranking.of(np.concatenate(values), named >= 0, named), what)
    if thresholds is None:
        return float(overlap_area(ranking, limit))
    return overlap_area_at_ranks(ranking, limit, thresholds)


def _lowest(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(values), -np.inf, values)
