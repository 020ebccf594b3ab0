"""What one model said of each good part that it was not fitted on: kept, so that models can be held together.

Two models of one category are comparable part by part and point by point only if it is known which score belongs to
which part and place. A calibration's quantiles have lost that; this has not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.scan import Scan
from core.scores import Scores

KEPT_POINTS = 300_000
"""Most point scores that are kept, of all parts together."""

_GOLDEN = 0.6180339887498949
_PREFIX = "held_out/"


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Scores of n good parts in the order in which they were scored.

    Attributes
    ----------
    names, digests : (n,) str
        What each scan is called; a digest of its points, which says whether another model saw the same measurement.
    sizes : (n,) int64
        How many points each scan has.
    scores : (n,) float64
        Object scores.
    points : (n, k) float32
        Of each part the scores at its ``places``; NaN where a point is not judged, and beyond the part's own points.
    """

    names: NDArray[np.str_]
    digests: NDArray[np.str_]
    sizes: NDArray[np.int64]
    scores: NDArray[np.float64]
    points: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def of(cls, scans: Sequence[Scan], scores: Sequence[Scores]) -> HeldOut:
        """What is kept of the ``scores`` of these good ``scans``, in the same order."""
        each = min(max(1, KEPT_POINTS // len(scans)), max(len(scan) for scan in scans))
        points = np.full((len(scans), each), np.nan, np.float32)
        for row, said in zip(points, scores, strict=True):
            kept = said.points[places(len(said.points), each)]
            row[: len(kept)] = kept
        return cls(
            names=np.array([scan.name for scan in scans]),
            digests=np.array([digest(scan) for scan in scans]),
            sizes=np.array([len(scan) for scan in scans]),
            scores=np.array([said.object for said in scores], np.float64),
            points=points,
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything as plain arrays."""
        return {f"{_PREFIX}{name}": getattr(self, name) for name in _FIELDS}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> HeldOut | None:
        """What ``state`` gave, also among other arrays; None in models of before this was kept."""
        if not any(key.startswith(_PREFIX) for key in state):
            return None
        return cls(**{name: np.asarray(state[f"{_PREFIX}{name}"]) for name in _FIELDS})


_FIELDS = tuple(HeldOut.__dataclass_fields__)


def places(count: int, most: int) -> NDArray[np.int64]:
    """(min(count, most),) indices of a part's points, spread over all of them and the same for every model.

    Steps of about the golden section of ``count``, made coprime with it: no place comes twice, and no regularity of
    the sensor's grid is met again and again. The first places of a longer list are those of a shorter one.
    """
    step = max(1, round(count * _GOLDEN))
    while gcd(step, count) != 1:
        step += 1
    return (np.arange(min(count, most), dtype=np.int64) * step) % count


def digest(scan: Scan) -> str:
    """16 hexadecimal digits that tell a measurement from another."""
    return hashlib.sha256(np.ascontiguousarray(scan.points).tobytes()).hexdigest()[:16]
