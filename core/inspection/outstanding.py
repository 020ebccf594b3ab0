"""A good part that scores far above all others: it alone sets the part threshold, and hides defects behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.inspection.held_out import HeldOut

_LEAST = 8
"""Parts from which on one can be said to stand out."""
_FARTHER = 3.0
"""How many times as far above the median as the next one. Of 25 scores with an exponential tail one set in thirty has
such a part by chance, of normal ones one in four hundred."""


@dataclass(frozen=True)
class Outstanding:
    """The part.

    Attributes
    ----------
    name : str
        What its scan is called.
    score, following : float
        Its object score, and the next highest.
    """

    name: str
    score: float
    following: float

    @property
    def said(self) -> str:
        """What to do about it, for people."""
        return (
            f"The good part {self.name} alone scores {self.score:.3g}, the next one {self.following:.3g}, and the part "
            "threshold follows it: look at it. If it is not good or was measured badly, take it out and train again."
        )


def outstanding(held_out: HeldOut | None) -> Outstanding | None:
    """The good part that stands out, None where none does or parts are not known one by one."""
    if held_out is None or len(held_out) < _LEAST:
        return None
    order = np.argsort(held_out.scores)
    first, second = order[-1], order[-2]
    score, following = float(held_out.scores[first]), float(held_out.scores[second])
    usual = float(np.median(held_out.scores))
    if not score - usual > _FARTHER * (following - usual):
        return None
    return Outstanding(str(held_out.names[first]), score, following)
