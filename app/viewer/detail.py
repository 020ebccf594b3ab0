"""Level of detail: which points are drawn, and how many of them while the view moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

REST_LIMIT = 2_000_000
MOVING_LIMIT = 200_000
MOVING_FLOOR = 40_000
SLOW_MS = 55.0
FAST_MS = 18.0


def display_order(count: int, limit: int = REST_LIMIT, seed: int = 0) -> NDArray[np.int64]:
    """(min(count, limit),) indices of the points to draw, in an order of which every beginning is an even thinning.

    A seeded random permutation: its first n entries are a uniform sample for every n, so that a coarser cloud is a
    view of the beginning of the same arrays.
    """
    return np.random.default_rng(seed).permutation(count)[:limit]


def surface_spacing(points: NDArray[np.float32], sample: int = 8_000) -> float:
    """Distance between neighbours of ``points`` on their surface, in their unit.

    Estimated on the first ``sample`` points (in display order, hence an even thinning) and scaled to all: on a surface
    the spacing grows as one over the square root of the count. The distance to the 8th neighbour is 1.60 spacings for
    points strewn at random and 1.41 on a grid; 1.5 serves both.
    """
    few = points[:sample]
    if len(few) < 10:
        return float(np.ptp(few, axis=0).max()) if len(few) > 1 else 0.0
    distances = cKDTree(few).query(few[: min(len(few), 1_000)], k=9)[0][:, 8]
    return float(np.median(distances)) / 1.5 * float(np.sqrt(len(few) / len(points)))


@dataclass
class Detail:
    """How many points to draw now.

    Parameters
    ----------
    moving_limit : int
        Most points while the view moves.
    adaptive : bool
        Whether measured frame times may lower that number (on a slow renderer) or lift it again.
    """

    moving_limit: int = MOVING_LIMIT
    adaptive: bool = True
    count: int = 0
    moving: bool = False
    rest_ms: float = 0.0
    moving_ms: float = 0.0

    def __post_init__(self) -> None:
        self._budget = self.moving_limit

    def reset(self, count: int) -> None:
        """A new cloud of ``count`` displayed points."""
        self.count = count
        self.moving = False
        self.rest_ms = 0.0

    @property
    def budget(self) -> int:
        """Points to draw while moving."""
        if self.adaptive and 0.0 < self.rest_ms < FAST_MS:
            return self.count  # a fast renderer shows all of it
        return min(self._budget, self.count)

    @property
    def shown(self) -> int:
        """Points to draw now."""
        return self.budget if self.moving else self.count

    @property
    def coarse(self) -> bool:
        """Whether fewer points are drawn now than at rest."""
        return self.shown < self.count

    @property
    def lagging(self) -> bool:
        """Whether even the fewest points take too long to draw, so that effects should rest while moving."""
        return (
            self.adaptive and self._budget <= max(MOVING_FLOOR, self.moving_limit // 3) and self.moving_ms > SLOW_MS / 2
        )

    def measured(self, milliseconds: float) -> None:
        """The last frame took this long."""
        if not self.moving:
            self.rest_ms = milliseconds
            return
        self.moving_ms = milliseconds
        if not self.adaptive:
            return
        if milliseconds > SLOW_MS:
            self._budget = max(min(MOVING_FLOOR, self.moving_limit), int(self._budget * 0.6))
        elif milliseconds < FAST_MS:
            self._budget = min(self.moving_limit, int(self._budget * 1.5))
