"""What a consensus shows of a scan: who flags what, and where the members disagree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.scores import ScoreMap, Scores

NOBODY = "nobody"
SEVERAL = "several"


def surprise_map(title: str, surprise: NDArray[np.float32]) -> ScoreMap:
    """One member's surprise, (N,) -log10 p."""
    help = f"How surprising {title} finds each point: 3 is what one good point in 1,000 reaches, 4 one in 10,000."
    return ScoreMap(surprise, f"{title}: surprise", "score", help)


def disagreement(surprises: NDArray[np.float32]) -> ScoreMap:
    """How far apart the members are, from (N, m) -log10 p; unknown where fewer than two judge."""
    known = np.isfinite(surprises)
    high = np.where(known, surprises, -np.inf).max(axis=1)
    low = np.where(known, surprises, np.inf).min(axis=1)
    apart = np.where(known.sum(axis=1) > 1, high - low, np.nan)
    help = "How many powers of ten lie between the most and the least surprised model. High: look at who flags what."
    return ScoreMap(apart.astype(np.float32), "Disagreement", "score", help)


def who_flags(surprises: NDArray[np.float32], titles: Sequence[str], level: float) -> dict[str, ScoreMap]:
    """Which member, and how many, find a point more surprising than ``level``, from (N, m) -log10 p.

    Where none judges both maps are unknown.
    """
    known = np.isfinite(surprises)
    with np.errstate(invalid="ignore"):
        flagged = surprises > level
    count = flagged.sum(axis=1)
    several = len(titles) + 1
    who = np.where(count == 1, flagged.argmax(axis=1) + 1, np.where(count > 1, several, 0))
    unknown = ~known.any(axis=1)
    each = f"each alone marks {100 * 10**-level:.2g} % of good points"
    return {
        "who": ScoreMap(
            np.where(unknown, np.nan, who),
            "Who flags it",
            "label",
            f"The one model that flags a point, or several; {each}.",
            names=(NOBODY, *(f"{title} only" for title in titles), SEVERAL),
        ),
        "flags": ScoreMap(
            np.where(unknown, np.nan, count),
            f"How many of {len(titles)} flag it",
            "label",
            f"The number of models that flag a point; {each}.",
            names=tuple(f"{i} of {len(titles)}" for i in range(len(titles) + 1)),
        ),
    }


def taken_over(said: Scores, title: str, key: str) -> dict[str, ScoreMap]:
    """A member's own maps that defects are measured by: signed heights."""
    return {
        f"{key}_{name}": ScoreMap(shown.values, f"{title}: {shown.title}", shown.kind, shown.help, shown.ends)
        for name, shown in said.maps.items()
        if shown.kind == "height"
    }
