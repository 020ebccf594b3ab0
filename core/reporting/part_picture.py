"""A small picture of a scored part: its surface shaded, its scores as heat, what is known of its defects as an outline.

No window is involved, so that a worker can make hundreds of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_dilation, gaussian_filter, zoom

from core.geometry.normals import estimate_normals
from core.geometry.shading import Camera, render_normals
from core.geometry.views import closing_splat, sensor_view, view_along, viewing_directions
from core.reporting.colormap import heatmap
from core.scan import Scan
from core.scores import Scores

Floats = NDArray[np.float64]

_DRAWN = 40_000
"""Most points that are drawn: more do not show at this size."""
_LOOKED_AT = 15_000
"""Points that decide from where to look."""
_OVERSAMPLED = 2
_NEIGHBORS = 16
_DARKEST = 0.45
"""Brightness of colours on a surface that no light meets."""
_INTEREST = 0.01
"""Share of the highest scores that decides from where to look where no defect is known."""
_SIDES = np.r_[0:6, 18:26]
"""Of the viewing directions those to faces and corners."""
_MARGIN = 1.06
_CHOICE_SIZE = 128
_WHOLE = {True: 0.001, False: 0.05}
"""What a pixel of the part counts for against one of what matters: of known defects, and of high scores alone."""
_BLUR = 2.0
"""Pixels, before the picture is scaled down, over which neighbouring points' scores are averaged."""


def part_picture(scan: Scan, scores: Scores, low: float, high: float, *, size: int = 168) -> NDArray[np.uint8]:
    """The part of a scan, coloured by its scores.

    Organised scans are seen as their sensor saw them, others from where most of their labelled points show, or of the
    highest scores where none are labelled. Labelled points are outlined, black on white.

    Parameters
    ----------
    scan, scores : Scan, Scores
        Of the same N points. Points that are neither judged nor labelled are not drawn, unless none is.
    low, high : float
        Scores that the first and the last colour stand for.
    size : int
        Pixels of the square picture a side.

    Returns
    -------
    (size, size, 4) uint8
        Red, green, blue and opacity: the background is transparent. The same on every run.
    """
    labels = np.zeros(len(scan), bool) if scan.labels is None else scan.labels
    drawn = np.flatnonzero(scores.judged | labels)
    if not len(drawn):
        drawn = np.arange(len(scan))
    if len(drawn) > _DRAWN:
        drawn = np.sort(np.random.default_rng(0).choice(drawn, _DRAWN, replace=False))
    points, values, marked = scan.points[drawn], scores.points[drawn], labels[drawn]
    normals = estimate_normals(points, k=_NEIGHBORS) if scan.normals is None else scan.normals[drawn]
    view = sensor_view(scan) if scan.organised else _telling_view(points, normals, values, marked)
    fine = size * _OVERSAMPLED
    extent = Camera.over(points, view).extent
    picture = render_normals(points, normals, view=view, size=fine, splat=closing_splat(points, extent, fine))
    seen = picture.index >= 0
    made = np.zeros((fine, fine, 4))
    brightness = _DARKEST + (1.0 - _DARKEST) * picture.image[seen].astype(np.float64)
    made[seen, :3] = heatmap(_blurred(values, picture.index)[seen], low, high) * brightness[:, None]
    made[seen, 3] = 255.0
    if marked.any():
        _outline(made, seen & marked[picture.index])
    return _cut(made, size)


def _telling_view(
    points: NDArray[np.float32], normals: NDArray[np.float32], values: NDArray[np.float32], marked: NDArray[np.bool_]
) -> Floats:
    """The view that shows most of what matters; of equally good ones that which shows more of the part."""
    some = np.unique(np.linspace(0, len(points) - 1, min(_LOOKED_AT, len(points))).astype(np.int64))
    few = np.flatnonzero(marked)
    if not len(few):
        known = np.nan_to_num(values, nan=-np.inf)
        few = np.argsort(-known, kind="stable")[: max(1, round(_INTEREST * len(points)))]
    matters = np.zeros(len(points), bool)
    matters[few] = True
    keep = np.union1d(some, few)
    points, normals, matters = points[keep], normals[keep], matters[keep]
    center = (points.min(axis=0) + points.max(axis=0)) / 2.0
    extent = max(float(np.ptp(points, axis=0).max()), 1e-12)
    splat = closing_splat(points, extent, _CHOICE_SIZE)
    whole = _WHOLE[bool(marked.any())]
    best, found = -1.0, np.eye(3)
    for direction in viewing_directions()[_SIDES]:
        view = view_along(direction)
        index = render_normals(
            points, normals, view=view, size=_CHOICE_SIZE, splat=splat, center=center, extent=extent
        ).index
        shown = index[index >= 0]
        flat = np.abs(normals[shown] @ view[2])  # the squares of points seen aslant cover more than there is
        told = float((flat * (matters[shown] + whole)).sum())
        if told > best:
            best, found = told, view
    return found


def _blurred(values: NDArray[np.float32], index: NDArray[np.int32]) -> NDArray[np.float32]:
    """(H, W) scores as seen, averaged with those around; NaN where the point that is seen has none."""
    shown = np.where(index >= 0, values[index], np.nan).astype(np.float64)
    known = np.isfinite(shown)
    weight = gaussian_filter(known.astype(np.float64), _BLUR)
    mean = gaussian_filter(np.where(known, shown, 0.0), _BLUR) / np.maximum(weight, 1e-9)
    return np.where(known, mean, shown).astype(np.float32)


def _outline(made: Floats, inside: NDArray[np.bool_]) -> None:
    """Draw a line around what is ``inside``, in place."""
    inside = binary_closing(inside, iterations=_OVERSAMPLED)
    inner = binary_dilation(inside, iterations=_OVERSAMPLED)
    outer = binary_dilation(inner, iterations=_OVERSAMPLED)
    made[outer & ~inner] = (20.0, 20.0, 20.0, 255.0)
    made[inner & ~inside] = (255.0, 255.0, 255.0, 255.0)


def _cut(made: Floats, size: int) -> NDArray[np.uint8]:
    """The square about what is drawn, at the wanted size."""
    rows, columns = np.nonzero(made[..., 3])
    if not len(rows):
        return np.zeros((size, size, 4), np.uint8)
    side = max(int(np.ptp(rows)), int(np.ptp(columns))) + 1
    side = max(round(side * _MARGIN), 8)
    padded = np.pad(made, ((side, side), (side, side), (0, 0)))
    top, left = ((int(v.min()) + int(v.max()) + 1 - side) // 2 + side for v in (rows, columns))
    cut = padded[top : top + side, left : left + side]
    opaque = cut[..., 3:] / 255.0
    scale = size / side
    # Colours are weighed by their opacity, or the transparent black of the background would darken the edges.
    both = zoom(
        np.concatenate([cut[..., :3] * opaque, cut[..., 3:]], axis=2), (scale, scale, 1), order=1, grid_mode=True,
        mode="nearest",
    )  # fmt: skip
    solid = np.maximum(both[..., 3:] / 255.0, 1e-6)
    result = np.concatenate([both[..., :3] / solid, both[..., 3:]], axis=2)
    return np.asarray(np.clip(result + 0.5, 0, 255), np.uint8)
