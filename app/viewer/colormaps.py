"""Colours: maps of values, marks, and the two themes of the view."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from core.scores import MapKind

Rgb = tuple[int, int, int]

SCORE_MAPS = ("turbo", "inferno", "viridis", "cividis")
"""Sequential maps on offer for scores. ``cividis`` and ``viridis`` read the same for colour-blind eyes."""

# Without the nearly black ends: a good part must stay visible on a dark ground, and the worst point must not look calm.
_SPAN = {"turbo": (0.07, 0.95), "inferno": (0.16, 1.0)}

_DIVERGING = ((44, 75, 196), (120, 156, 240), (221, 221, 221), (240, 140, 112), (180, 8, 40))
"""Blue below zero, red above (the habit of metrology); the middle is grey, not white, to stand out from both themes."""

# Okabe and Ito's palette without its black, then three that keep apart from it
_CATEGORIES = (
    *((86, 180, 233), (230, 159, 0), (0, 158, 115), (204, 121, 167), (240, 228, 66), (213, 94, 0), (0, 114, 178)),
    *((148, 103, 189), (140, 86, 75), (23, 190, 207)),
)
_QUIET = (186, 190, 196)  # what is nothing special, among names


@dataclass(frozen=True)
class Theme:
    """Every colour of the view that is no colour map."""

    bottom: Rgb  # background, a gradient from bottom to top
    top: Rgb
    part: Rgb  # points without a field
    dimmed: Rgb  # points that a mask leaves unmarked
    unknown: Rgb  # NaN
    mark: Rgb  # marked points
    contour: Rgb  # rim around marked points on a heatmap
    found: Rgb  # ground truth: a defect that was marked
    missed: Rgb  # ... that was not
    false_alarm: Rgb  # marked where nothing is wrong
    reference: Rgb  # what the part should have been; in no colour map
    explained: Rgb  # a good surface laid over the part; in no colour map
    text: Rgb
    quiet: Rgb  # secondary text
    panel: Rgb  # behind text
    accent: Rgb  # what is selected


DARK = Theme(
    bottom=(24, 27, 33),
    top=(44, 49, 58),
    part=(205, 211, 219),
    dimmed=(168, 175, 184),
    unknown=(104, 110, 119),
    mark=(255, 74, 48),
    contour=(255, 255, 255),
    found=(38, 190, 112),
    missed=(226, 64, 208),
    false_alarm=(255, 158, 24),
    reference=(188, 172, 226),
    explained=(255, 64, 232),
    text=(236, 239, 243),
    quiet=(164, 171, 181),
    panel=(22, 25, 30),
    accent=(72, 200, 255),
)
LIGHT = Theme(
    bottom=(222, 227, 233),
    top=(246, 248, 250),
    part=(184, 192, 202),
    dimmed=(190, 197, 206),
    unknown=(150, 153, 158),
    mark=(222, 34, 14),
    contour=(16, 18, 22),
    found=(12, 140, 76),
    missed=(178, 22, 162),
    false_alarm=(216, 118, 0),
    reference=(148, 130, 196),
    explained=(232, 0, 200),
    text=(26, 29, 34),
    quiet=(88, 95, 105),
    panel=(255, 255, 255),
    accent=(0, 98, 190),
)


@cache
def sequential(name: str) -> NDArray[np.uint8]:
    """(256, 3) colours of the map ``name``, low to high."""
    from matplotlib import colormaps  # pyvista brings it; loaded with the first heatmap, not with the window

    start, stop = _SPAN.get(name, (0.0, 1.0))
    return np.asarray(colormaps[name](np.linspace(start, stop, 256), bytes=True)[:, :3], dtype=np.uint8)


@cache
def diverging() -> NDArray[np.uint8]:
    """(256, 3) colours from negative through zero to positive."""
    stops = np.linspace(0, 255, len(_DIVERGING))
    anchors = np.asarray(_DIVERGING, dtype=np.float64)
    return (
        np.stack([np.interp(np.arange(256), stops, anchors[:, c]) for c in range(3)], axis=1).round().astype(np.uint8)
    )


def categorical(count: int, *, quiet: bool = False) -> NDArray[np.uint8]:
    """(count, 3) colours for names, repeating beyond the palette; ``quiet`` where the first is nothing special."""
    colors = [_CATEGORIES[i % len(_CATEGORIES)] for i in range(max(count, 1))]
    return np.asarray([_QUIET, *colors][: len(colors)] if quiet else colors, dtype=np.uint8)


def table_for(kind: MapKind, score_map: str = "turbo", count: int = 256, *, quiet: bool = False) -> NDArray[np.uint8]:
    """The colours for a kind of map: (256, 3), or (count, 3) for labels."""
    if kind == "label":
        return categorical(count, quiet=quiet)
    if kind in ("selection", "height"):
        return diverging()
    return sequential("viridis" if kind == "weight" else score_map)
