"""How much each member of a consensus counts.

A p-value says how unusual a score is, not what a member's unusual scores are worth: one that hardly tells defects from
good points adds noise, and nothing that it says of good parts gives it away. Validation parts do. A member counts by
the root of its P-AUPR there, the area under precision against recall over the points. The root, because where
validation parts are good ones with made defects these are all dents, bulges, scratches and holes: a method that alone
sees what no made defect shows, such as a stain, must keep a voice. What the choice brings is in docs/consensus.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.store.validation_score import ValidationScore, comparable

_LEAST = 0.02
"""Added to every P-AUPR, so that where no member tells validation parts all count nearly the same."""


def validated_weights(scores: Sequence[ValidationScore | None]) -> NDArray[np.float64] | None:
    """(m,) what each member counts, of the sum 1; None where they were not all measured on the same parts.

    Parameters
    ----------
    scores : sequence of m ValidationScore
        None where a member was not measured.
    """
    if not comparable(scores):
        return None
    raw = np.sqrt(np.array([score.points for score in scores if score is not None]) + _LEAST)
    return np.asarray(raw / raw.sum())
