"""The points of a consensus: each member's surprise, and the combined one, calibrated on good parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.inspection.conformal import DECADE, Combine, Floats, Surprise

_FOLDS = 10
"""Groups of good parts of which each is compared with the others."""


@dataclass(frozen=True, eq=False)
class PointSurprise:
    """How surprising points are, each good part counting the same.

    Attributes
    ----------
    members : tuple of m Surprise
        Against the good parts' points, for each member.
    combined : Surprise
        Of the combined statistic, against that of the good parts' points.
    good : (n, k, m) float32
        -log10 p of the good parts' kept points by each member, each part compared with the others; NaN not judged.
    good_combined : (n, k) float32
        -log10 p of the combination there.
    """

    members: tuple[Surprise, ...]
    combined: Surprise
    good: NDArray[np.float32]
    good_combined: NDArray[np.float32]
    combine: Combine

    @classmethod
    def of(cls, points: NDArray[np.float32], combine: Combine) -> PointSurprise:
        """From the members' scores of good parts.

        The statistic of a good part's points rests on the other parts alone: against themselves they would look
        calmer than the next part's.

        Parameters
        ----------
        points : (n, k, m) float32
            Point scores of n good parts, n at least 2; NaN where a member does not judge.
        combine : Combine
        """
        count = len(points)
        own = [_Ordered.of(points[:, :, m]) for m in range(points.shape[2])]
        across = np.full(points.shape, np.nan)
        for fold in range(min(_FOLDS, count)):
            out = np.arange(count) % min(_FOLDS, count) == fold
            for m, ordered in enumerate(own):
                across[out, :, m] = ordered.surprise(~out)(points[out, :, m])
        statistic = combine(across)
        combined = _Ordered.of(statistic).surprise(np.ones(count, np.bool_))
        return cls(
            members=tuple(ordered.surprise(np.ones(count, np.bool_)) for ordered in own),
            combined=combined,
            good=(across / DECADE).astype(np.float32),
            good_combined=(combined(statistic) / DECADE).astype(np.float32),
            combine=combine,
        )

    def __call__(self, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """-log10 p of points: by each member, and combined.

        Parameters
        ----------
        points : (N, m) float32
            Their scores; NaN where a member does not judge.

        Returns
        -------
        members : (N, m) float32
        combined : (N,) float32
            NaN where none judges.
        """
        single = np.stack([law(points[:, m]) for m, law in enumerate(self.members)], axis=1)
        combined = self.combined(self.combine(single))
        return (single / DECADE).astype(np.float32), (combined / DECADE).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Ordered:
    """The judged points of all parts in ascending order, with the part that each is of."""

    scores: Floats
    part: NDArray[np.int64]
    judged: NDArray[np.int64]

    @classmethod
    def of(cls, points: NDArray[np.floating]) -> _Ordered:
        """From (n, k) scores, NaN where not judged."""
        known = np.isfinite(points)
        scores, part = np.asarray(points[known], np.float64), np.nonzero(known)[0]
        order = np.argsort(scores, kind="stable")
        return cls(scores[order], part[order], known.sum(axis=1))

    def surprise(self, parts: NDArray[np.bool_]) -> Surprise:
        """Against the points of these parts, each part counting the same."""
        among = parts[self.part]
        scores, part = self.scores[among], self.part[among]
        some = parts & (self.judged > 0)
        if not some.any():
            return Surprise(np.zeros(1), np.zeros(1), np.inf)  # nothing is known of good points: nothing surprises
        weights = np.divide(len(scores) / some.sum(), self.judged, where=some, out=np.zeros(len(parts)))
        return Surprise.of_ordered(scores, weights[part])
