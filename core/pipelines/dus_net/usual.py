"""What is usual at each place of the part: how far good scans depart from their own reconstruction (beyond the paper).

A reconstruction is rounder than the part where an edge is sharper than the centres are dense, and good parts differ
more at some places than at others. Where scans are aligned, each good scan is rebuilt with the help of the others only,
and what it departs by is what a good scan will depart by at that place.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from core.geometry.neighbors import nearest

Floats = NDArray[np.float32]

_POOL = 9
"""Neighbouring places whose departures are pooled."""
_FORGIVE = 25
"""Neighbouring places of which the largest spread counts: a pose that is off by a step brings an edge's spread here."""
_LEAST = 0.01
"""Least spread, in steps of the places."""


@dataclass(frozen=True, eq=False)
class Usual:
    """Places, and how good scans depart there, in the category's frame.

    Attributes
    ----------
    places : (V, 3) float32
    offset : (V,) float32
        Middle of the good scans' heights.
    spread : (V,) float32
        Standard deviation about it; above 0.
    """

    places: Floats
    offset: Floats
    spread: Floats

    @cached_property
    def tree(self) -> cKDTree:
        """Built once."""
        return cKDTree(self.places)

    @classmethod
    def learn(cls, places: Floats, step: float, seen: Sequence[tuple[Floats, Floats, Floats]], shrink: float) -> Usual:
        """From good scans.

        Parameters
        ----------
        places : (V, 3) float32
        step : float
            Their spacing.
        seen : sequence of (points (M, 3), heights (M,), asides (M,))
            Of each good scan.
        shrink : float
            How many scans the spread of the whole part counts for: the variance is drawn towards the part's median
            variance (Smyth: *Linear models and empirical Bayes methods*, SAGMB 2004).
        """
        tree = cKDTree(places)
        heights = np.full((len(seen), len(places)), np.nan)
        asides = np.full_like(heights, np.nan)
        for row, (points, height, aside) in enumerate(seen):
            place = tree.query(points, workers=-1)[1]
            counts = np.bincount(place, minlength=len(places))
            with np.errstate(invalid="ignore"):
                heights[row] = np.bincount(place, height, len(places)) / counts
                asides[row] = np.bincount(place, aside, len(places)) / counts
        offset = _pooled_median(heights, places)
        squares = (heights - offset) ** 2 + asides**2
        near = nearest(places, places, min(_FORGIVE, len(places)))[1]
        pool = near[:, :_POOL]
        counts = np.isfinite(squares).sum(axis=0)
        pooled = np.nansum(squares, axis=0)[pool].sum(axis=1) / np.maximum(counts[pool].sum(axis=1), 1)
        scans = np.minimum(counts[pool].sum(axis=1), len(seen)).astype(np.float64)
        whole = float(np.median(pooled[scans > 0])) if (scans > 0).any() else 0.0
        variance = (shrink * whole + scans * pooled) / np.maximum(shrink + scans, 1e-12)
        variance = np.where(shrink + scans > 0, variance, whole)
        spread = np.sqrt(variance[near].max(axis=1) + (_LEAST * step) ** 2)
        return cls(places, offset, spread.astype(np.float32))

    def at(self, points: Floats) -> tuple[Floats, Floats]:
        """Offset and spread (M,) at points (M, 3): between the three nearest places."""
        count = min(3, len(self.places))
        distance, near = self.tree.query(points, k=[*range(1, count + 1)], workers=-1)
        weight = 1.0 / (distance**2 + 1e-8)
        weight /= weight.sum(axis=1, keepdims=True)
        offset, spread = (
            (weight * values[near]).sum(axis=1).astype(np.float32) for values in (self.offset, self.spread)
        )
        return offset, spread

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        return {"places": self.places, "offset": self.offset, "spread": self.spread}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Usual:
        """What ``state`` gave."""
        return cls(state["places"], state["offset"], state["spread"])


def _pooled_median(heights: NDArray[np.float64], places: Floats) -> Floats:
    """(V,) median over scans, averaged over four neighbouring places; 0 where no scan has a point."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # places that no scan's point is nearest to
        middle = np.nanmedian(heights, axis=0)
    near = nearest(places, places, min(4, len(places)))[1]
    known = np.isfinite(middle[near])
    total = np.where(known, middle[near], 0.0).sum(axis=1)
    result: Floats = (total / np.maximum(known.sum(axis=1), 1)).astype(np.float32)
    return result
