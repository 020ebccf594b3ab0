"""Conformal p-values of several models, combined so that what is promised of good parts holds whatever they share.

A score's conformal p-value against n good ones is (1 + how many are at least as high) / (n + 1) (Vovk, Gammerman,
Shafer: *Algorithmic Learning in a Random World*, 2005, ch. 2). Two things are added, and neither can break a promise:

- **Order beyond the resolution.** With n good parts no p-value is below 1 / (n + 1), so that all clearly defective
  parts would tie. ``Surprise`` goes on, steadily, from the p-value's logarithm at the highest good score by how many
  usual excesses a score lies above it. This orders; it is no probability.
- **Dependence.** Models that look at the same part err together, so that the laws of Fisher's and of the harmonic
  combination for independent p-values promise too much. Their laws are not used: the combined statistic is itself
  ranked among the good parts' combined statistics. In ``part_score`` each of the n + 1 parts, the judged one among
  them, is compared with the n others in the same way. If the good parts and a good judged part are exchangeable, so
  are their combined statistics, and a rank among them is an exact p-value (ibid., sec. 2.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Combination = Literal["fisher", "harmonic"]

DECADE = log(10.0)
"""Surprises are in natural logarithms, what users see in powers of ten."""

UNSAID = 1.0
"""The surprise of a member that does not judge: the mean of -ln p over good ones, so that it moves nothing."""

_TOP = 0.25
"""Share of few good scores whose excesses say how fast the surprise grows above the highest."""
_TOP_MOST = 300


@dataclass(frozen=True, eq=False)
class Surprise:
    """-ln p of scores against good ones, in natural logarithms, growing steadily with the score.

    At each good score it is that of the conformal p-value just above it, between two of them interpolated linearly;
    from the highest one on it grows as a Pareto tail of shape 1/2 does, 2 ln(1 + z / 2), z in usual excesses: the mean
    by which the highest quarter of the good scores (at most 300 of them) exceed the next lower one. A shape of 0 (an
    exponential tail) lets one model's wild score outvote all the others.

    Attributes
    ----------
    scores : (k,) float64
        The distinct good scores, ascending.
    heights : (k,) float64
        The surprise at each.
    excess : float
        The usual excess, in units of the score, above 0.
    """

    scores: Floats
    heights: Floats
    excess: float

    @classmethod
    def of(cls, good: NDArray[np.floating], weights: Floats | None = None) -> Surprise:
        """From good scores, finite, at least one, in any order.

        Parameters
        ----------
        good : (n,) floating
        weights : (n,) float64, optional
            What each counts, their sum being the number of scores; 1 if not given.
        """
        order = np.argsort(good, kind="stable")
        ordered = np.asarray(good, np.float64)[order]
        counted = np.ones(len(ordered)) if weights is None else weights[order]
        return cls.of_ordered(ordered, counted)

    @classmethod
    def of_ordered(cls, ordered: Floats, counted: Floats) -> Surprise:
        """From good scores that ascend already, and what each counts."""
        count = len(ordered)
        from_top = np.cumsum(counted[::-1])[::-1]
        first = np.append(True, ordered[1:] > ordered[:-1])  # of equal scores the one with all of them at least as high
        top = min(_TOP_MOST, max(1, round(_TOP * count)), count - 1)
        excess = float((ordered[count - top :] - ordered[count - top - 1]).mean()) if top > 0 else 0.0
        least = max(1e-9, 1e-6 * float(np.abs(ordered[[0, -1]]).max()))
        return cls(ordered[first], np.log((count + 1) / from_top[first]), max(excess, least))

    def __call__(self, scores: NDArray[np.floating]) -> Floats:
        """The surprise of each score; NaN where it is not a number."""
        heights = np.interp(scores, self.scores, self.heights, left=0.0)
        above = np.maximum(np.asarray(scores, np.float64) - self.scores[-1], 0.0) / self.excess
        return np.asarray(heights + 2.0 * np.log1p(above / 2.0))


class Combine(Protocol):
    """One statistic from the members' surprises."""

    def __call__(self, surprises: Floats) -> Floats:
        """(...,) from (..., m); higher is more surprising. NaN stands for a member that does not judge."""
        ...


def fisher(surprises: Floats, weights: Floats | None = None) -> Floats:
    """The mean of -ln p: Fisher's statistic over 2 m, or Good's (1955) with weights. High where members agree.

    Parameters
    ----------
    surprises : (..., m) float64
        NaN where a member does not judge.
    weights : (m,) float64, optional
        What each member counts, above 0 in their sum; all the same if not given.

    Returns
    -------
    (...,) float64
        NaN where none judges.
    """
    return _told(surprises, _known(surprises) @ _shares(surprises, weights))


def harmonic(surprises: Floats, weights: Floats | None = None) -> Floats:
    """-ln of the p-values' weighted harmonic mean (Wilson: *The harmonic mean p-value*, PNAS 2019): nearly the highest.

    High where any one member is sure. Parameters and result are those of ``fisher``.
    """
    shares = _shares(surprises, weights)
    with np.errstate(divide="ignore"):
        return _told(surprises, np.logaddexp.reduce(_known(surprises) + np.log(shares), axis=-1))


class Weighing(Protocol):
    """A combination that takes weights: with them fixed it is a ``Combine``."""

    def __call__(self, surprises: Floats, weights: Floats | None = None) -> Floats: ...


COMBINATIONS: Mapping[str, Weighing] = {"fisher": fisher, "harmonic": harmonic}


def _known(surprises: Floats) -> Floats:
    return np.where(np.isfinite(surprises), surprises, UNSAID)


def _shares(surprises: Floats, weights: Floats | None) -> Floats:
    count = surprises.shape[-1]
    return np.full(count, 1.0 / count) if weights is None else np.asarray(weights, np.float64) / np.sum(weights)


def _told(surprises: Floats, combined: Floats) -> Floats:
    return np.where(np.isfinite(surprises).any(axis=-1), combined, np.nan)


def part_score(good: Floats, judged: Floats, combine: Combine) -> float:
    """-log10 of a part's combined p-value, going on beyond its resolution.

    Parameters
    ----------
    good : (n, m) float64
        Each member's object scores of the good parts, n at least 2.
    judged : (m,) float64
        Its object scores of the part.
    combine : Combine

    Returns
    -------
    float
        Above ``part_grid(n)[-j]`` exactly where fewer than j good parts are at least as surprising among these n + 1:
        for a good part with a probability of at most j / (n + 1).
    """
    combined = combine(_among_others(np.vstack([good, judged])))
    return float(Surprise.of(combined[:-1])(combined[-1:])[0]) / DECADE


def part_grid(count: int) -> Floats:
    """(n,) ascending: the scores, as of ``part_score``, that the n good parts themselves stand for."""
    ranks = np.arange(count, dtype=np.float64)
    return Surprise.of(ranks).heights / DECADE


def _among_others(scores: Floats) -> Floats:
    """(n, m) surprise of each row's scores against those of the other rows."""
    rows = np.arange(len(scores))
    return np.stack(
        [
            np.concatenate([Surprise.of(column[rows != i])(column[i : i + 1]) for i in rows])
            for column in np.ascontiguousarray(scores.T)
        ],
        axis=1,
    )
