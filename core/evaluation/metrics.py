"""How well scores tell defective from good, for whole parts and for points.

All are threshold-free and use the raw scores. Points that a pipeline does not judge (NaN): a good one is left out, a
defective one counts as scored below everything, for leaving a defect out of the judgement is missing it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import label
from sklearn.metrics import average_precision_score, roc_auc_score

from core.errors import CategoryError


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
    values, truth = np.asarray(scores, np.float64), np.asarray(defective, bool)
    known = ~np.isnan(values)
    return float(roc_auc_score(*_both(truth[known], values[known], "parts")))


def o_aupr(scores: ArrayLike, defective: ArrayLike) -> float:
    """Average precision of object scores, defective being the positive class.

    Raises
    ------
    CategoryError
        If there are no good or no defective parts.
    """
    values, truth = np.asarray(scores, np.float64), np.asarray(defective, bool)
    known = ~np.isnan(values)
    return float(average_precision_score(*_both(truth[known], values[known], "parts")))


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
    return float(roc_auc_score(*_points(scores, labels)))


def p_aupr(scores: Sequence[ArrayLike], labels: Sequence[ArrayLike]) -> float:
    """Average precision over the points of all scans together, defective being the positive class.

    Raises
    ------
    CategoryError
        If no point is good or none is defective.
    """
    return float(average_precision_score(*_points(scores, labels)))


def aupro(
    scores: Sequence[ArrayLike], labels: Sequence[ArrayLike], limit: float = 0.3, *, thresholds: int | None = None
) -> float:
    """Area under the per-region-overlap curve up to a false-positive rate, divided by that rate.

    Regions are the 8-connected components of the ground truth; a pixel is marked if its score is above the threshold;
    the overlap is the mean over regions of their marked share. The curve is joined by straight lines from (1, 1) down
    to rate 0 (P. Bergmann et al.: *The MVTec 3D-AD dataset*, VISAPP 2022).

    Parameters
    ----------
    scores, labels : sequences of (H, W), one pair an organised scan
        NaN scores (not judged, background) count below everything.
    limit : float
        Highest false-positive rate, above 0, at most 1.
    thresholds : int, optional
        That many equidistant ranks of the good pixels' scores, as the published evaluation codes do; all by default.

    Raises
    ------
    CategoryError
        If no pixel is good or none is defective.
    """
    maps = [_ordered(s) for s in scores]
    truths = [np.asarray(t, bool) for t in labels]
    good = np.concatenate([s[~t] for s, t in zip(maps, truths, strict=True)])
    regions = [region for s, t in zip(maps, truths, strict=True) for region in _regions(s, t)]
    return _overlap(good, regions, limit, thresholds, "pixels")


def aupro_of_clouds(
    scores: Sequence[ArrayLike], regions: Sequence[ArrayLike], limit: float = 0.3, *, thresholds: int | None = None
) -> float:
    """``aupro`` where points lie on no grid, so that regions are given instead of found.

    Parameters
    ----------
    scores : sequence of (N,), one a scan
        NaN (not judged) counts below everything.
    regions : sequence of (N,) int
        The defect that each point belongs to, counted from 0 in each scan; -1 on good points.

    Raises
    ------
    CategoryError
        If no point is good or none is defective.
    """
    values = [_ordered(s) for s in scores]
    names = [np.asarray(r) for r in regions]
    good = np.concatenate([s[r < 0] for s, r in zip(values, names, strict=True)])
    found = [np.sort(s[r == i]) for s, r in zip(values, names, strict=True) for i in np.unique(r[r >= 0])]
    return _overlap(good, found, limit, thresholds, "points")


def _ordered(scores: ArrayLike) -> NDArray[np.float64]:
    return np.nan_to_num(np.asarray(scores, np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)


def _overlap(
    good: NDArray[np.float64], regions: list[NDArray[np.float64]], limit: float, thresholds: int | None, what: str
) -> float:
    """Area under the curve of good points' scores and regions' sorted scores, over the limit."""
    if not 0 < limit <= 1:
        raise ValueError(f"limit {limit} is not a rate above 0")
    good = np.sort(good)
    if len(good) == 0 or not regions:
        _one_class(what, len(regions) == 0)
    if thresholds is None:
        positions = np.flatnonzero(np.append(good[1:] > good[:-1], True))
    else:
        positions = np.linspace(0, len(good) - 1, num=thresholds, dtype=np.int64)
    at = good[positions]
    rate = np.append(1.0, 1.0 - (positions + 1) / len(good))[::-1]
    covered = [1.0 - np.searchsorted(region, at, side="right") / len(region) for region in regions]
    overlap = np.append(1.0, np.mean(covered, axis=0))[::-1]
    return _area(rate, overlap, limit) / limit


def _regions(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """The sorted scores of each 8-connected component."""
    named, count = label(truth, structure=np.ones((3, 3)))
    return [np.sort(scores[named == i]) for i in range(1, count + 1)]


def _area(x: NDArray[np.float64], y: NDArray[np.float64], limit: float) -> float:
    """Area under the lines through (x, y), x ascending, up to ``limit``, where the line is cut."""
    inside = x <= limit
    last = int(inside.sum()) - 1
    end_x, end_y = x[inside], y[inside]
    if last + 1 < len(x) and end_x[-1] < limit:
        share = (limit - x[last]) / (x[last + 1] - x[last])
        end_x, end_y = np.append(end_x, limit), np.append(end_y, y[last] + share * (y[last + 1] - y[last]))
    return float(np.trapezoid(end_y, end_x))


def _points(scores: Sequence[ArrayLike], labels: Sequence[ArrayLike]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    values = np.concatenate([np.asarray(s, np.float64).ravel() for s in scores]) if scores else np.empty(0)
    truth = np.concatenate([np.asarray(t, bool).ravel() for t in labels]) if labels else np.empty(0, bool)
    if values.shape != truth.shape:
        raise ValueError(f"{values.size} scores but {truth.size} labels")
    missing = np.isnan(values)
    keep = ~missing | truth
    values, truth, missing = values[keep], truth[keep], missing[keep]
    if missing.any():
        values[missing] = values[~missing].min(initial=0.0) - 1.0
    return _both(truth, values, "points")


def _both(
    truth: NDArray[np.bool_], values: NDArray[np.float64], what: str
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """The pair for sklearn, if both classes are there; infinities become the largest finite numbers."""
    if len(truth) == 0 or truth.all() or not truth.any():
        _one_class(what, not truth.any())
    return truth, np.nan_to_num(values)


def _one_class(what: str, none_defective: bool) -> None:
    missing = "defective" if none_defective else "good"
    raise CategoryError(
        f"There are no {missing} {what} with a score, so detection cannot be measured",
        f"Add test scans with {missing} {what} and their ground truth",
    )
