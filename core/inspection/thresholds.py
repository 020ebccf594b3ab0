"""Thresholds: the numbers that turn scores into a mask, defects and a verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self


@dataclass(frozen=True)
class Thresholds:
    """Where marking and rejecting begin. Comparisons are strict: a score equal to a threshold is not above it.

    Attributes
    ----------
    point : float
        A point whose score is above it is marked.
    part : float
        A part whose object score is above it (beyond the guard band) is rejected.
    guard : float
        Half width of the review band around ``part``, in score units, 0 or more.
    min_points : int
        Connected groups of fewer marked points are no defects.
    min_area : float
        Connected groups of less area are no defects, in the scan's unit squared.
    """

    point: float
    part: float
    guard: float = 0.0
    min_points: int = 10
    min_area: float = 0.0

    def replaced(self, **changes: Any) -> Self:
        """New thresholds with these fields changed."""
        return replace(self, **changes)
