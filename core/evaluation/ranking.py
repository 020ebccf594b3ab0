"""Ranking: how much that is good and how much that is defective lies at each score. Every metric is read from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ranking:
    """Counts at each distinct score, the highest score first.

    The leading dimensions of the counts are repeats (resamples of the parts), which every metric then has as well.

    Attributes
    ----------
    scores : (k,) float64
        Descending; -inf stands for what was not judged.
    good, defective : (..., k) float64
        How many parts or points have that score.
    regions : (..., k) float64, or None
        Summed over the defects: which share of the defect has that score.
    """

    scores: Floats
    good: Floats
    defective: Floats
    regions: Floats | None = None

    @classmethod
    def of(cls, scores: ArrayLike, defective: ArrayLike, regions: ArrayLike | None = None) -> Ranking:
        """Count scores that are all numbers; infinite ones rank as such.

        Parameters
        ----------
        scores : (n,)
        defective : (n,) bool
        regions : (n,) int, optional
            Which defect each belongs to, from 0; -1 for none.
        """
        values, truth = np.asarray(scores, np.float64).ravel(), np.asarray(defective, bool).ravel()
        distinct, place = np.unique(-values, return_inverse=True)
        good, bad = sums(place, ~truth, len(distinct)), sums(place, truth, len(distinct))
        shares = None
        if regions is not None:
            shares = sums(place, region_weights(np.asarray(regions).ravel()), len(distinct))
        return cls(-distinct, good, bad, shares)

    @property
    def one_class(self) -> bool:
        """Whether there is nothing good or nothing defective, so that nothing can be measured."""
        return len(self.scores) == 0 or not (self.good.any() and self.defective.any())


def sums(place: NDArray[np.integer], weights: NDArray[Any], count: int) -> Floats:
    """(count,) the sum of the weights at each place."""
    return np.bincount(place, weights, minlength=count).astype(np.float64, copy=False)


def region_weights(regions: NDArray[np.integer]) -> Floats:
    """(n,) one over the size of the defect that each point belongs to, 0 where in none (-1): each defect sums to 1."""
    weights = np.zeros(len(regions))
    inside = regions >= 0
    sizes = np.bincount(regions[inside])
    weights[inside] = 1.0 / sizes[regions[inside]]
    return weights
