"""How well a model did on validation parts, as its card keeps it, and which of several did best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isnan, nan
from typing import Any, Self

LABELLED, MADE = "labelled parts", "made defects"


@dataclass(frozen=True)
class ValidationScore:
    """What came out.

    Attributes
    ----------
    value : float
        O-AUROC.
    low, high : float
        95 % interval over parts; NaN where there are too few.
    good, defective : int
        Judged parts.
    basis : str
        "labelled parts" or "made defects".
    parts : str
        Stands for the very parts and defects: only scores of the same may be held against each other.
    points : float
        P-AUPR over the points of the same parts; NaN where their defects are not labelled, or where the model was
        measured before this was kept.
    """

    value: float
    low: float
    high: float
    good: int
    defective: int
    basis: str
    parts: str
    points: float = nan

    @property
    def tells_points(self) -> bool:
        """Whether points were measured too."""
        return not isnan(self.points)

    @property
    def text(self) -> str:
        """In words."""
        interval = f" ({self.low:.2f} … {self.high:.2f})" if self.low == self.low else ""
        count = (
            f"{self.good} good parts and {self.defective} {'made defects' if self.basis == MADE else 'defective ones'}"
        )
        points = f", P-AUPR {self.points:.3f}" if self.tells_points else ""
        return f"O-AUROC {self.value:.3f}{interval}{points} on validation: {count}"

    def to_mapping(self) -> dict[str, Any]:
        """As plain values for a model's card."""
        return {key: None if value != value else value for key, value in asdict(self).items()}

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self | None:
        """What ``to_mapping`` gave; None of anything else."""
        known = {"points": None, **values}
        if not set(cls.__dataclass_fields__) <= set(known):
            return None
        named = {name: known[name] for name in cls.__dataclass_fields__}
        for name in ("low", "high", "points"):
            named[name] = nan if named[name] is None else named[name]
        return cls(**named)


def comparable(scores: Sequence[ValidationScore | None]) -> bool:
    """Whether all of these models were measured, points and all, on the same parts."""
    known = [score for score in scores if score is not None and score.tells_points]
    return 0 < len(known) == len(scores) and len({score.parts for score in known}) == 1


def best_of(scores: Sequence[ValidationScore | None]) -> tuple[int, ...]:
    """Which of several models, the newest first, do best: one, or several that are equal.

    Only scores on the same parts are compared, those of the newest model that has one. None is best of itself.
    """
    newest = next((score for score in scores if score is not None), None)
    if newest is None:
        return ()
    rivals = [i for i, score in enumerate(scores) if score is not None and score.parts == newest.parts]
    if len(rivals) < 2:
        return ()
    values = {i: score.value for i in rivals if (score := scores[i]) is not None}
    most = max(values.values())
    return tuple(i for i in rivals if values[i] == most)
