"""What a ranking of good and defective says: areas under curves, operating points, and how far binning can be off.

Whoever has a score at least as high as the threshold is called defective; what has the same score is told apart by
nothing, so that ties count half in the ROC area. All functions take rankings with repeats, and then give one value
for each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.evaluation.ranking import Floats, Ranking

_ROUNDING = 1e-9  # of recalls such as 0.95 x 20


@dataclass(frozen=True, eq=False)
class Curve:
    """A line through points.

    Attributes
    ----------
    x, y : (m,) float64
        x ascending.
    """

    x: Floats
    y: Floats

    def thinned(self, most: int) -> Curve:
        """At most ``most`` of its points, spread evenly along its length, with both ends."""
        if len(self.x) <= most:
            return self
        along = np.append(0.0, np.cumsum(np.abs(np.diff(self.x)) + np.abs(np.diff(self.y))))
        keep = np.unique(np.searchsorted(along, np.linspace(0.0, along[-1], most)))
        keep = np.unique(np.append(keep, [0, len(self.x) - 1]))
        return Curve(self.x[keep], self.y[keep])


def roc_area(ranking: Ranking) -> Floats:
    """(...,) area under the ROC curve: the share of pairs of a good and a defective one that are in the right order."""
    found = np.cumsum(ranking.defective, axis=-1)
    pairs = ((found - ranking.defective / 2) * ranking.good).sum(axis=-1)
    return _ratio(pairs, found[..., -1] * ranking.good.sum(axis=-1))


def roc_area_error(ranking: Ranking) -> Floats:
    """(...,) how far ``roc_area`` can be off where scores were binned: each pair within a bin by one half."""
    within = (ranking.good * ranking.defective).sum(axis=-1) / 2
    return _ratio(within, ranking.good.sum(axis=-1) * ranking.defective.sum(axis=-1))


def average_precision(ranking: Ranking) -> Floats:
    """(...,) sum over thresholds of the precision times the gain in recall; no line between thresholds is drawn."""
    found, false = np.cumsum(ranking.defective, axis=-1), np.cumsum(ranking.good, axis=-1)
    return _ratio((ranking.defective * _ratio(found, found + false)).sum(axis=-1), found[..., -1])


def average_precision_error(ranking: Ranking) -> Floats:
    """(...,) how far ``average_precision`` can be off where scores were binned.

    Within a bin the precision is lowest if all good ones come first, highest if all defective ones do.
    """
    bad, good = ranking.defective, ranking.good
    found, false = np.cumsum(bad, axis=-1), np.cumsum(good, axis=-1)
    counted = _ratio(found, found + false)
    best = _ratio(found, found + false - good)
    first = found - bad + np.minimum(bad, 1.0)
    worst = _ratio(first, first + false)
    most = np.maximum((bad * (best - counted)).sum(axis=-1), (bad * (counted - worst)).sum(axis=-1))
    return _ratio(most, found[..., -1])


def best_f1(ranking: Ranking) -> Floats:
    """(...,) the highest F1 over all thresholds."""
    return _f1(ranking).max(axis=-1)


def best_f1_score(ranking: Ranking) -> float:
    """The score from which on to call something defective for the highest F1; of equally good ones the highest."""
    return float(ranking.scores[int(np.argmax(_f1(ranking)))])


def false_rejects(ranking: Ranking, recall: float) -> Floats:
    """(...,) share of good ones above the highest threshold that finds at least ``recall`` of the defective ones."""
    found, false = np.cumsum(ranking.defective, axis=-1), np.cumsum(ranking.good, axis=-1)
    enough = found >= found[..., -1:] * recall * (1 - _ROUNDING)
    place = np.argmax(enough & (found > 0), axis=-1)[..., None]
    return _ratio(np.take_along_axis(false, place, axis=-1)[..., 0], false[..., -1])


def overlap_area(ranking: Ranking, limit: float) -> Floats:
    """(...,) area under the per-region overlap up to a false-positive rate, over that rate; exact.

    The curve has a point for each distinct score of a good one: what is *above* that score is marked. Straight lines
    join them, from the overlap at rate 0 to (1, 1).
    """
    steps = _steps(ranking)
    inside = np.clip(limit - steps.rate, 0.0, steps.width)  # how much of the step lies below the limit
    height = steps.overlap + steps.rise * _ratio(inside, steps.width) / 2
    return (inside * height).sum(axis=-1) / limit


def overlap_area_error(ranking: Ranking, limit: float) -> Floats:
    """(...,) how far ``overlap_area`` can be off where scores were binned.

    At the edges of bins the curve is exact, and it never falls. What is taken for a bin lies halfway between its two
    edges; the true line may leave it as high as the far edge of the next one.
    """
    steps = _steps(ranking)
    inside = np.clip(limit - steps.rate, 0.0, steps.width)
    return (inside * (steps.rise / 2 + steps.next_share)).sum(axis=-1) / limit


def overlap_area_at_ranks(ranking: Ranking, limit: float, thresholds: int) -> float:
    """The same area as the published evaluation codes take it: only at so many equidistant ranks of the good ones.

    T ranks of the n good scores, ascending, from the lowest to the highest; above the one of rank r lies the share
    1 - (r + 1) / n of them, ties or not. With few ranks even a perfect detector does not reach 1 as soon as a single
    good score is above all defects.

    Parameters
    ----------
    ranking : Ranking
        Without repeats.
    """
    rate, overlap = overlap_at_ranks(ranking, thresholds)
    x = np.append(rate, 1.0)
    y = np.append(overlap, 1.0)
    width = np.diff(x)
    inside = np.clip(limit - x[:-1], 0.0, width)
    height = y[:-1] + np.diff(y) * _ratio(inside, width) / 2
    return float((inside * height).sum() / limit)


def overlap_at_ranks(ranking: Ranking, thresholds: int) -> tuple[Floats, Floats]:
    """False-positive rates, ascending, and overlaps (T,) at so many equidistant ranks of the good ones."""
    below = np.cumsum(ranking.good[::-1])  # from the lowest score up
    count = round(float(below[-1]))
    ranks = np.linspace(0, count - 1, num=thresholds).astype(np.int64)
    place = len(below) - 1 - np.searchsorted(below, ranks, side="right")
    assert ranking.regions is not None
    covered = np.cumsum(ranking.regions)
    above = (covered - ranking.regions) / covered[-1]
    return (1.0 - (ranks + 1) / count)[::-1], above[place][::-1]


def roc_curve(ranking: Ranking) -> Curve:
    """False-positive rate and recall, from (0, 0) to (1, 1)."""
    found, false = np.cumsum(ranking.defective), np.cumsum(ranking.good)
    return Curve(np.append(0.0, false / false[-1]), np.append(0.0, found / found[-1]))


def precision_recall_curve(ranking: Ranking) -> Curve:
    """Recall and precision at each score; at recall 0 the precision of the highest."""
    found, false = np.cumsum(ranking.defective), np.cumsum(ranking.good)
    precision = found / (found + false)
    return Curve(np.append(0.0, found / found[-1]), np.append(precision[0], precision))


def overlap_curve(ranking: Ranking, limit: float = 1.0) -> Curve:
    """False-positive rate and per-region overlap up to ``limit``, where the line is cut."""
    steps = _steps(ranking)
    used = steps.width > 0
    x, y = np.append(steps.rate[used], 1.0), np.append(steps.overlap[used], 1.0)
    last = int(np.searchsorted(x, limit, side="left"))
    if last == 0:
        return Curve(x[:1], y[:1])
    return Curve(np.append(x[:last], limit), np.append(y[:last], np.interp(limit, x, y)))


def _f1(ranking: Ranking) -> Floats:
    found, false = np.cumsum(ranking.defective, axis=-1), np.cumsum(ranking.good, axis=-1)
    return _ratio(2 * found, found + false + found[..., -1:])


@dataclass(frozen=True, eq=False)
class _Steps:
    """The overlap curve's pieces, one a score; those of scores that no good one has are 0 wide.

    Attributes
    ----------
    rate, overlap : (..., k) float64
        Where a piece starts.
    width, rise : (..., k) float64
        How far it goes.
    next_share : (..., k) float64
        How much of the defects has the score that the next piece starts at.
    """

    rate: Floats
    overlap: Floats
    width: Floats
    rise: Floats
    next_share: Floats


def _steps(ranking: Ranking) -> _Steps:
    assert ranking.regions is not None
    share = _ratio(ranking.regions, _total(ranking.regions))
    overlap = np.cumsum(share, axis=-1) - share  # of what is strictly above
    width = _ratio(ranking.good, _total(ranking.good))
    rate = np.cumsum(width, axis=-1) - width
    k = width.shape[-1]
    places = np.where(width > 0, np.arange(k), k)
    following = np.minimum.accumulate(places[..., ::-1], axis=-1)[..., ::-1]
    end = np.ones((*width.shape[:-1], 1))
    following = np.concatenate([following[..., 1:], np.full(end.shape, k)], axis=-1)
    top = np.take_along_axis(np.concatenate([overlap, end], axis=-1), following, axis=-1)
    next_share = np.take_along_axis(np.concatenate([share, 0 * end], axis=-1), following, axis=-1)
    return _Steps(rate, overlap, width, np.where(width > 0, top - overlap, 0.0), next_share)


def _total(counts: Floats) -> Floats:
    return np.broadcast_to(counts.sum(axis=-1, keepdims=True), counts.shape)


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> Floats:
    """The quotient, 0 where it would be by 0: steps of no width, and what cannot be measured, which callers refuse."""
    numerator, denominator = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    result: Floats = np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)
    return result
