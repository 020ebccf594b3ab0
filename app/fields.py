"""From a score map to what the view shows: the values and the range of their colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.viewer.field import Field
from core.inspection.calibration import Calibration
from core.scores import ScoreMap

ANOMALY = "anomaly"
"""The map that is the score itself."""
DIFFERENCE = "<difference>"
"""One map minus another. No method's map can be called so."""

_SAMPLE = 200_000


def field_of(
    key: str, shown: ScoreMap, unit: str, calibration: Calibration | None, limits: tuple[float, float] | None = None
) -> Field:
    """A map as a field, coloured over ``limits`` or over a range chosen for its kind."""
    low, high = limits or color_range(key, shown, calibration)
    return Field(
        values=shown.values,
        title=shown.title,
        kind=shown.kind,
        low=low,
        high=high,
        unit=unit if shown.kind == "height" else "",
        ends=shown.ends,
        names=shown.names,
    )


def color_range(key: str, shown: ScoreMap, calibration: Calibration | None) -> tuple[float, float]:
    """The values at the ends of the colours.

    Scores are coloured against the good parts, not against themselves, so that a good part looks calm and two parts
    or maps can be compared: from the median of good points, with the calibrated point threshold, or what as few good
    points exceed, in the middle. Where the model does not know that, they span their 2nd to 99.9th percentile.
    Selections and heights lie evenly about 0; weights span 0 to 1; a difference, which is scaled, -1 to 1.
    """
    if key == DIFFERENCE:
        return -1.0, 1.0
    values = _sampled(shown.values)
    if len(values) == 0:
        return 0.0, 1.0
    if shown.kind == "weight":
        return 0.0, 1.0
    if shown.kind == "label":
        return float(values.min()), float(values.max())
    if shown.kind in ("selection", "height"):
        reach = float(np.quantile(np.abs(values), 0.998))
        return _open(-reach, reach)
    if key == ANOMALY and calibration is not None:
        low = float(np.median(calibration.point_sample))
        reach = calibration.point_threshold - low
        if reach > 0:
            return low, low + 2 * reach
    if calibration is not None and shown.kind == "score" and key in calibration.map_scales:
        low, high = calibration.map_scales[key]
        return low, 2 * high - low
    low, high = np.quantile(values, (0.02, 0.999))
    return _open(float(low), float(high))


def full_range(shown: ScoreMap) -> tuple[float, float]:
    """The lowest and the highest value."""
    values = _sampled(shown.values)
    return (0.0, 1.0) if len(values) == 0 else _open(float(values.min()), float(values.max()))


def _sampled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    finite = values[np.isfinite(values)]
    if len(finite) <= _SAMPLE:
        return finite
    extremes = np.array([finite.min(), finite.max()], dtype=np.float32)
    return np.concatenate([finite[:: len(finite) // _SAMPLE + 1], extremes])


def _open(low: float, high: float) -> tuple[float, float]:
    return (low, high) if high > low else (low, low + max(1e-6, abs(low) * 1e-3))
