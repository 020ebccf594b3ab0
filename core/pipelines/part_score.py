"""From the scores of a part's points to one number for the part."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def top_mean(values: NDArray[Any], share: float) -> float:
    """Mean of the highest ``share`` of the judged values, of the highest one at least.

    A single highest value (``share`` 0) is what papers take; the mean of a few does not hang on one stray point.

    Parameters
    ----------
    values : (N,) floating
        At least one of them not NaN.
    share : float
        0 to 1.
    """
    judged = values[np.isfinite(values)]
    count = max(1, round(share * len(judged)))
    return float(np.partition(judged, len(judged) - count)[-count:].mean(dtype=np.float64))
