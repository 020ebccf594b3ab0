"""How far good parts stray from their mean at each place, told from few scans without overconfidence."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from core.geometry.neighbors import nearest

Array = NDArray[np.float32]

_POOL = 9
"""Neighbouring places whose spreads are pooled."""
_FORGIVE = 25
"""Neighbouring places of which the largest spread counts (2.8 steps about): beside an edge, a pose that is off by a
step brings the edge's spread here."""
_LEAST = 0.01
"""Least spread, in steps: good scans that are equal to the last digit promise nothing about the next."""
_BENDS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Shares of the places, flattest first, that are put into one class of how much the surface bends."""
_CAP = 95.0
"""Percentile of a class's variances that its wilder ones count as."""
_SIGMAS = 3.0
"""Where a score means the same however few scans told it."""


def pooled_median(heights: Array, points: Array) -> Array:
    """(V,) median over scans of (S, V) heights, averaged over neighbouring places; 0 where no scan has a point."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # places that no scan's point is nearest to
        middle = np.nanmedian(heights, axis=0)
    _, near = nearest(points, points, min(4, len(points)))
    known = np.isfinite(middle[near])
    total = np.where(known, middle[near], 0.0).sum(axis=1)
    return (total / np.maximum(known.sum(axis=1), 1)).astype(np.float32)


def expected_spread(
    heights: Array, asides: Array, points: Array, normals: Array, *, shrink: float, step: float
) -> Array:
    """(V,) the standard deviation by which a good part's departure at each place is judged.

    The squares of one scan in ten, the largest, count as the next one (a good scan with a bad spot), and neighbouring
    places are pooled. The variance is drawn towards that of places where the surface bends alike, as if that had been
    seen in ``shrink`` scans (the moderated variance of G. Smyth: *Linear models and empirical Bayes methods*, SAGMB
    2004, with a prior that follows a covariate: edges measure worse than flats on every scanner). Of what the places
    around have, the largest counts. Last it is widened as Student's t is at that many degrees of freedom, so that
    three spreads are exceeded as seldom after four scans as after forty.

    Parameters
    ----------
    heights, asides : (S, V) float32
        Of each good scan at each place against the others, NaN where it was not measured.
    points, normals : (V, 3) float32
    shrink : float
        Scans that the prior counts for, 0 or more.
    step : float
        Spacing of the places.
    """
    squares = np.sort(heights**2 + asides**2, axis=0)  # NaN last
    counts = np.isfinite(squares).sum(axis=0)
    last = np.maximum(counts - counts // 10 - 1, 0)
    ceiling = np.take_along_axis(squares, last[None], axis=0)
    sums = np.nansum(np.minimum(squares, ceiling), axis=0)
    _, near = nearest(points, points, min(_POOL, len(points)))
    pooled_counts = counts[near].sum(axis=1)
    local = sums[near].sum(axis=1) / np.maximum(pooled_counts, 1)
    scans = np.minimum(pooled_counts, len(heights)) * (counts[near].mean(axis=1) > 0)
    _, around = nearest(points, points, min(_FORGIVE, len(points)))
    prior = _of_its_kind(local, scans > 0, bend(normals, around))
    variance = (shrink * prior + scans * local) / np.maximum(shrink + scans, 1e-12)
    variance = np.where(shrink + scans > 0, variance, prior)
    freedom = np.maximum(shrink + scans - 1.0, 1.0)  # one went into the mean
    variance = variance * np.square(inflation(freedom))
    return np.sqrt(variance[around].max(axis=1) + (_LEAST * step) ** 2).astype(np.float32)


def bend(normals: Array, around: NDArray[np.int64]) -> NDArray[np.float64]:
    """(V,) how much the surface turns about each place: 0 where flat, 1 less the length of the mean normal."""
    mean = normals[around].mean(axis=1, dtype=np.float64)
    return 1.0 - np.linalg.norm(mean, axis=1)


def inflation(freedom: NDArray[np.floating]) -> NDArray[np.float64]:
    """What makes a Student t of so many degrees of freedom exceed three spreads as seldom as a normal deviate does."""
    values, inverse = np.unique(np.round(freedom, 1), return_inverse=True)
    factors: NDArray[np.float64] = t.ppf(norm.cdf(_SIGMAS), np.maximum(values, 1.0)) / _SIGMAS
    return factors[inverse]


def _of_its_kind(
    local: NDArray[np.float64], seen: NDArray[np.bool_], bends: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(V,) the usual variance of places that bend alike."""
    prior = np.zeros(len(local))
    if not seen.any():
        return prior
    edges = np.quantile(bends, _BENDS[1:-1])
    kinds = np.searchsorted(edges, bends)
    for kind in range(len(_BENDS) - 1):
        of = local[seen & (kinds == kind)]
        of = of if len(of) else local[seen]
        prior[kinds == kind] = np.minimum(of, np.percentile(of, _CAP)).mean()
    return prior
