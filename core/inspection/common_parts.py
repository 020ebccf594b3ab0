"""The good parts that several models were all calibrated on, and what each of them said there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from core.inspection.held_out import HeldOut

LEAST = 3
"""Fewest good parts in common: each is compared with the others."""


@dataclass(frozen=True, eq=False)
class CommonParts:
    """What m models said of the same n good parts, which none of them was fitted on.

    Attributes
    ----------
    names : (n,) str
    sizes : (n,) int64
        How many points each scan has.
    scores : (n, m) float64
        Object scores.
    points : (n, k, m) float32
        Point scores at the same k places of each part; NaN where a model does not judge.
    left : int
        How many parts of the model that knows most were left out because another model was not calibrated on them.
    """

    names: NDArray[np.str_]
    sizes: NDArray[np.int64]
    scores: NDArray[np.float64]
    points: NDArray[np.float32]
    left: int

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def of(cls, known: Mapping[str, HeldOut | None]) -> CommonParts:
        """What models, by their names, have in common: the same measurements, told by the points themselves.

        Raises
        ------
        ModelError
            If a model does not know its good parts one by one, or if too few are common to all.
        """
        parts: list[HeldOut] = []
        for name, held_out in known.items():
            if held_out is None:
                raise ModelError(
                    f"{name} was trained before models remembered their good parts one by one",
                    "Train it again with this version",
                )
            parts.append(held_out)
        first = parts[0]
        common = set(reduce(np.intersect1d, [part.digests for part in parts]).tolist())
        if len(common) < LEAST:
            raise ModelError(
                f"{_listed(list(known))} were calibrated on different good parts ({len(common)} in common)",
                "Train them again on the same folder of good scans",
            )
        chosen = list(dict.fromkeys(d for d in first.digests.tolist() if d in common))
        rows = [[part.digests.tolist().index(digest) for digest in chosen] for part in parts]
        width = min(part.points.shape[1] for part in parts)  # the first places are the same for all
        return cls(
            names=first.names[rows[0]],
            sizes=first.sizes[rows[0]],
            scores=np.stack([part.scores[row] for part, row in zip(parts, rows, strict=True)], axis=1),
            points=np.stack([part.points[row, :width] for part, row in zip(parts, rows, strict=True)], axis=2),
            left=max(len(part) for part in parts) - len(chosen),
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]
