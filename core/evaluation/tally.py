"""Counting the points of many scans in bounded memory.

A tally keeps, for each distinct float32 score, how many good and defective points have it and which share of the
defects. While there are no more distinct scores than its capacity it is exact. Beyond that the lowest bit of the
scores is dropped, then the next, until they fit: scores that differ only there count as equal. Which bits are dropped
depends on the scores alone, not on the order in which scans come, and two tallies can be put together.

How far a metric can be off is computed from what fell together (``core.evaluation.curves``: the ``..._error``
functions), not estimated. With the default capacity of half a million scores, a hundred scans of a million points
whose scores span ten powers of two keep 15 bits of their mantissa, and errors are below 1e-4.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.evaluation.ranking import Floats, Ranking, region_weights, sums

CAPACITY = 2**19
"""Distinct scores that a tally keeps by default: 14 MB."""

_COARSEST = 20  # bits dropped at most: sign, exponent and 3 bits of the mantissa are left
_MISSED = np.uint32(0)  # below -inf, whose key is 0x007FFFFF: defective points that were not judged

Keys = NDArray[np.uint32]


class PointTally:
    """Counts of points by score.

    Parameters
    ----------
    capacity : int
        Most distinct scores to keep; where even sign, exponent and 3 bits of the mantissa make more, those are kept.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self.dropped = 0
        """Lowest bits of the scores that are not told apart; 0 while exact."""
        self.unjudged = 0
        """Good points without a score."""
        self._keys: Keys = np.empty(0, np.uint32)
        self._counts: Floats = np.empty((3, 0))  # good, defective, regions

    @property
    def exact(self) -> bool:
        return self.dropped == 0

    @property
    def points(self) -> int:
        """How many points were counted, judged or not."""
        return int(self._counts[:2].sum()) + self.unjudged

    @property
    def defective(self) -> int:
        """How many of them are defective."""
        return int(self._counts[1].sum())

    @property
    def regions(self) -> float:
        """How many defects were counted."""
        return float(self._counts[2].sum())

    def add(self, scores: ArrayLike, regions: ArrayLike) -> None:
        """Count the points of one scan.

        Parameters
        ----------
        scores : array of float32
            NaN where not judged: a good point is then counted aside, a defective one below every other score, for
            leaving a defect out of the judgement is missing it.
        regions : array of int, of the same shape
            The defect that each point belongs to, from 0; -1 on good points.
        """
        values, names = np.asarray(scores, np.float32).ravel(), np.asarray(regions).ravel()
        if values.shape != names.shape:
            raise ValueError(f"{values.size} scores but {names.size} labels")
        missing = np.isnan(values)
        aside = missing & (names < 0)
        self.unjudged += int(aside.sum())
        weights = region_weights(names)
        keys = _keys(values)
        keys[missing] = _MISSED
        keep = ~aside
        keys, names, weights = keys[keep] >> np.uint32(self.dropped), names[keep], weights[keep]
        distinct, place = np.unique(keys, return_inverse=True)
        counts = np.stack([sums(place, w, len(distinct)) for w in (names < 0, names >= 0, weights)])
        self._take(distinct, counts)

    def merge(self, other: PointTally) -> None:
        """Count what ``other`` has counted as well."""
        self.unjudged += other.unjudged
        keys, counts = other._keys, other._counts
        if other.dropped > self.dropped:
            self._drop(other.dropped - self.dropped)
        elif other.dropped < self.dropped:
            keys, counts = _summed(keys >> np.uint32(self.dropped - other.dropped), counts)
        self._take(keys, counts)

    def ranking(self, *, background: bool = False) -> Ranking:
        """What was counted.

        Parameters
        ----------
        background : bool
            Whether good points that were not judged count too, below every score, as in published evaluations of
            whole images; they are left out if not.
        """
        keys, counts = self._keys, self._counts
        if background and self.unjudged:
            lowest = np.array([[float(self.unjudged)], [0.0], [0.0]])
            keys, counts = _summed(np.append(_MISSED, keys), np.concatenate([lowest, counts], axis=1))
        scores = _scores(keys, self.dropped)
        return Ranking(scores[::-1], *counts[:, ::-1])

    def _take(self, keys: Keys, counts: Floats) -> None:
        if len(self._keys):
            order = np.argsort(both := np.concatenate([self._keys, keys]), kind="stable")
            keys, counts = _summed(both[order], np.concatenate([self._counts, counts], axis=1)[:, order])
        self._keys, self._counts = keys, counts
        while len(self._keys) > self.capacity and self.dropped < _COARSEST:
            self._drop(1)

    def _drop(self, bits: int) -> None:
        self.dropped += bits
        self._keys, self._counts = _summed(self._keys >> np.uint32(bits), self._counts)


@dataclass(frozen=True, eq=False)
class Stack:
    """The counts of several tallies over the same scores.

    Attributes
    ----------
    scores : (k,) float64
        Descending.
    good, defective, regions : (n, k) float64
        One row a tally.
    """

    scores: Floats
    good: Floats
    defective: Floats
    regions: Floats

    def weighted(self, weights: Floats) -> Ranking:
        """The ranking with the rows counted ``weights`` times: (..., n) weights give (..., k) counts."""
        return Ranking(self.scores, weights @ self.good, weights @ self.defective, weights @ self.regions)


def stacked(tallies: Iterable[PointTally], capacity: int) -> Stack:
    """Several tallies side by side, with at most about ``capacity`` scores; unjudged good points are left out."""
    parts = list(tallies)
    dropped = max((tally.dropped for tally in parts), default=0)
    while True:
        named = [tally._keys >> np.uint32(dropped - tally.dropped) for tally in parts]
        union = np.unique(np.concatenate([np.empty(0, np.uint32), *named]))
        if len(union) <= capacity or dropped >= _COARSEST:
            break
        dropped += 1
    counts = np.zeros((3, len(parts), len(union)))
    for i, (tally, keys) in enumerate(zip(parts, named, strict=True)):
        distinct, summed = _summed(keys, tally._counts)
        counts[:, i, np.searchsorted(union, distinct)] = summed
    scores = _scores(union, dropped)
    good, defective, regions = counts[:, :, ::-1]
    return Stack(scores[::-1], good, defective, regions)


def _keys(values: NDArray[np.float32]) -> Keys:
    """Integers in the order of the floats (the sign flips all bits of negative numbers, else itself alone)."""
    bits = (values + np.float32(0.0)).view(np.uint32)  # -0.0 becomes 0.0
    return np.where(bits >> np.uint32(31), ~bits, bits | np.uint32(0x80000000))


def _scores(keys: Keys, dropped: int) -> Floats:
    """The floats that ``_keys`` came from: the lowest of those that share the bits left; -inf for what was missed."""
    lowest = keys << np.uint32(dropped)
    bits = np.where(lowest >> np.uint32(31), lowest & np.uint32(0x7FFFFFFF), ~lowest)
    with np.errstate(invalid="ignore"):  # keys below that of -inf are no numbers
        scores = bits.astype(np.uint32).view(np.float32).astype(np.float64)
    scores[np.isnan(scores)] = -np.inf
    return scores


def _summed(keys: Keys, counts: Floats) -> tuple[Keys, Floats]:
    """Sorted keys with what equal ones have in common added up."""
    if len(keys) == 0:
        return keys, counts
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    return keys[starts], np.add.reduceat(counts, starts, axis=1)
