"""The heatmap's colours in files.

Turbo, from dark blue over green to dark red, by its published polynomial approximation (A. Mikhailov: *Turbo, an
improved rainbow colormap for visualization*, 2019), as a table of 256 colours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NOT_JUDGED = (128, 128, 128)
"""Grey of points without a score."""

_COEFFICIENTS = np.array(
    [
        [0.13572138, 4.61539260, -42.66032258, 132.13108234, -152.94239396, 59.28637943],
        [0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604],
        [0.10667330, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973],
    ]
)


def turbo() -> NDArray[np.uint8]:
    """(256, 3) the colours from lowest to highest."""
    powers = np.linspace(0.0, 1.0, 256)[:, None] ** np.arange(6)
    return np.asarray(np.clip(powers @ _COEFFICIENTS.T, 0.0, 1.0) * 255.0 + 0.5, np.uint8)


def heatmap(scores: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """(N, 3) the colour of each score, from ``low`` to ``high``; what is beyond takes the end's colour, NaN is grey."""
    with np.errstate(invalid="ignore", over="ignore"):
        share = (scores.astype(np.float64) - low) / max(high - low, np.finfo(np.float64).tiny)
    missing = np.isnan(share)
    index = (np.clip(np.where(missing, 0.0, share), 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    colors = turbo()[index]
    colors[missing] = NOT_JUDGED
    return colors


def display_range(scores: NDArray[np.float32], threshold: float) -> tuple[float, float]:
    """The range that a heatmap of these scores spans: 2nd to 99.9th percentile, but always past the point threshold."""
    judged = scores[np.isfinite(scores)]
    if len(judged) == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(judged.astype(np.float64), [2.0, 99.9]))
    if np.isfinite(threshold):
        high = max(high, threshold + 0.25 * abs(threshold - low))
        low = min(low, threshold)
    return (low, high) if high > low else (low, low + 1.0)
