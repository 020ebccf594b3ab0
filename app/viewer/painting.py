"""From a field to colours: the range, the names and the table, the same wherever a field is drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.viewer.colormaps import Rgb, table_for
from app.viewer.field import Field

MOST_NAMES = 1_000


def names_of(field: Field) -> NDArray[np.float32]:
    """The values of a field of labels, ascending; empty for others."""
    if field.kind != "label":
        return np.empty(0, np.float32)
    if field.names:
        return np.arange(len(field.names), dtype=np.float32)
    known = np.asarray(field.values, dtype=np.float32)
    return np.unique(known[np.isfinite(known)])[:MOST_NAMES]


def table_of(field: Field, score_map: str, names: int) -> NDArray[np.uint8]:
    """(256, 3) colours of a field, (names, 3) for labels."""
    return table_for(field.kind, score_map, names if field.kind == "label" else 256, quiet=bool(field.names))


def color_span(field: Field, low: float, high: float, names: int) -> tuple[float, float]:
    """The values at the ends of the colour table, for wished ones."""
    if field.kind == "label":
        low, high = -0.5, max(names, 1) - 0.5
    elif field.diverging:
        high = max(abs(low), abs(high))
        low = -high
    if not high > low:  # a constant field: its one value gets the low colour
        high = low + max(abs(low), 1.0) * 1e-6
    return float(low), float(high)


def colors_of(field: Field, score_map: str, unknown: Rgb) -> NDArray[np.uint8]:
    """(N, 3) colours of a field's values, as VTK's lookup table gives them."""
    values = np.asarray(field.values, np.float32)
    known = np.isfinite(values)
    names = names_of(field)
    if field.kind == "label":
        values = np.searchsorted(names, values).astype(np.float32)
    low, high = color_span(field, field.low, field.high, len(names))
    table = table_of(field, score_map, len(names))
    with np.errstate(invalid="ignore"):
        place = np.floor((values - low) / (high - low) * len(table))
    colors = table[np.clip(np.where(known, place, 0), 0, len(table) - 1).astype(np.int64)]
    colors[~known] = unknown
    return colors
