"""Charts as inline SVG: lines in the unit square, and a histogram of two kinds of parts. Colours come from the page.

Classes: ``first`` to ``eighth`` line, ``good`` and ``bad`` bars, ``axis``, ``mark`` (thresholds), ``band``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

import numpy as np
from numpy.typing import NDArray

from core.evaluation.curves import Curve

_WIDTH, _HEIGHT = 420.0, 330.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 18.0, 14.0, 46.0
_TALL = f'height="{_HEIGHT - _TOP - _BOTTOM}"'
_CAPTION = 22.0
_BINS = 36
_STYLES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_WIDE = 30.0
"""Where the highest score is that many times the lowest, the axis is logarithmic."""


@dataclass(frozen=True)
class Line:
    """A named curve."""

    name: str
    curve: Curve


def line_chart(
    title: str,
    x_label: str,
    y_label: str,
    lines: Sequence[Line],
    *,
    x_end: float = 1.0,
    y_start: float = 0.0,
    places: Sequence[tuple[float, str]] = (),
    legend: bool = True,
) -> str:
    """Up to eight curves with y from ``y_start`` to 1 and x from 0 to ``x_end``.

    Parameters
    ----------
    places : sequence of (float, str)
        What stands at which x, instead of round numbers.
    legend : bool
        Name them in the lower right corner, which ROC curves leave free.

    Returns
    -------
    str
        An ``svg`` element.
    """
    frame = _Frame((0.0, x_end), (y_start, 1.0))
    across = list(places) or _plain(ticks(0.0, x_end))
    parts = [frame.grid(across, _plain(ticks(y_start, 1.0))), frame.labels(x_label, y_label)]
    for line, style in zip(lines, _STYLES, strict=False):
        points = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in zip(line.curve.x, line.curve.y, strict=True))
        parts.append(f'<polyline class="{style}" points="{points}"/>')
    if legend:
        x, y = frame.x(x_end) - 8.0, frame.y(y_start) - 12.0 - 16.0 * (len(lines[: len(_STYLES)]) - 1)
        for line, style in zip(lines, _STYLES, strict=False):
            parts.append(
                f'<text class="legend {style}" x="{x:.1f}" y="{y:.1f}" text-anchor="end">{escape(line.name)}</text>'
            )
            y += 16.0
    return _svg(title, parts)


def sheet(title: str, charts: Sequence[tuple[str, str]], names: Sequence[str], *, columns: int = 3) -> str:
    """Several charts of the same curves side by side, each below its caption, with one legend after the last.

    Parameters
    ----------
    charts : sequence of (str, str)
        Caption and ``svg`` element.
    names : sequence of str
        Of the curves, in the order of the charts' lines.

    Returns
    -------
    str
        An ``svg`` element.
    """
    cell = _HEIGHT + _CAPTION
    rows = ceil((len(charts) + 1) / columns)
    wide, tall = columns * _WIDTH, rows * cell
    parts = [f'<rect class="page" width="{wide:g}" height="{tall:g}"/>']
    corners = [((i % columns) * _WIDTH, (i // columns) * cell) for i in range(len(charts) + 1)]
    for (caption, chart), (x, y) in zip(charts, corners, strict=False):
        parts.append(f'<text class="caption" x="{x + _LEFT:g}" y="{y + _CAPTION - 4:g}">{escape(caption)}</text>')
        inside = re.sub(r"^<svg [^>]*>|</svg>$", "", chart)
        parts.append(f'<g transform="translate({x:g} {y + _CAPTION:g})">{inside}</g>')
    x, y = corners[-1][0] + _LEFT, corners[-1][1] + _CAPTION + _TOP + 16.0
    for name, style in zip(names, _STYLES, strict=False):
        parts.append(f'<polyline class="{style}" points="{x:g},{y - 4:g} {x + 44:g},{y - 4:g}"/>')
        parts.append(f'<text class="legend {style}" x="{x + 54:g}" y="{y:g}">{escape(name)}</text>')
        y += 22.0
    return _svg(title, parts, wide, tall)


def standalone(chart: str, style: str) -> str:
    """A chart as a file of its own, with the style that its page would give it."""
    own = '<svg xmlns="http://www.w3.org/2000/svg"'
    return chart.replace("<svg", own, 1).replace("<title>", f"<style>{style}</style><title>", 1) + "\n"


def score_histogram(
    title: str, good: NDArray[np.float64], defective: NDArray[np.float64], part: float, guard: float
) -> str:
    """How many good parts (upwards) and defective parts (downwards) have which object score, with the part threshold.

    Parameters
    ----------
    good, defective : (n,) float64, finite
    part, guard : float
        The threshold and the half width of its review band; not drawn where they are not finite.

    Returns
    -------
    str
        An ``svg`` element.
    """
    everything = np.array([*good, *defective, *([part] if np.isfinite(part) else [])], np.float64)
    low, high = float(everything.min()), float(everything.max())
    logarithmic = low > 0 and high > _WIDE * low
    scale = np.log10 if logarithmic else np.asarray
    start, end = (float(v) for v in scale(np.array([low, high])))
    margin = 0.04 * (end - start) or max(abs(start), 1.0) * 0.1
    start, end = start - margin, end + margin
    edges = np.linspace(start, end, _BINS + 1)
    up, down = (np.histogram(scale(v), edges)[0] for v in (good, defective))
    most = float(max(up.max(initial=0), down.max(initial=0), 1))
    frame = _Frame((start, end), (-most * 1.1, most * 1.1))
    places = _decades(start, end) if logarithmic else _plain(ticks(start, end))
    counts = sorted({step for t in ticks(0.0, most) if (step := round(t)) > 0})
    parts = [frame.grid(places, [(sign * count, str(count)) for count in counts for sign in (1, -1)])]
    parts.append(frame.labels("object score" + (" (logarithmic)" if logarithmic else ""), "parts"))
    if np.isfinite(part):
        ends = np.array([part - guard, part + guard, part])
        left, right, at = (frame.x(float(v)) for v in scale(np.maximum(ends, low / 10) if logarithmic else ends))
        if right > left:
            parts.append(f'<rect class="band" x="{left:.1f}" y="{_TOP}" width="{right - left:.1f}" {_TALL}/>')
        parts.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>')
    parts += [frame.bars(edges, up, "good"), frame.bars(edges, -down, "bad")]
    ends_of_axis = f'x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{frame.y(0):.1f}" y2="{frame.y(0):.1f}"'
    parts.append(f'<line class="axis" {ends_of_axis}/>')
    right = frame.x(end) - 6.0
    parts.append(f'<text class="legend good" x="{right:.1f}" y="{_TOP + 16}" text-anchor="end">good</text>')
    parts.append(
        f'<text class="legend bad" x="{right:.1f}" y="{_HEIGHT - _BOTTOM - 8}" text-anchor="end">defective</text>'
    )
    return _svg(title, parts)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from ``low`` to ``high``, about so many."""
    span = high - low
    if not span > 0:
        return [low]
    rough = span / about
    power = 10.0 ** floor(log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))
    first = np.ceil(low / step - 1e-9)
    return [float(t) for t in (first + np.arange(int(np.floor(high / step + 1e-9) - first) + 1)) * step]


class _Frame:
    """Where numbers lie on the picture."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self._x, self._y = x, y

    def x(self, value: float) -> float:
        share = (value - self._x[0]) / (self._x[1] - self._x[0])
        return _LEFT + min(max(share, 0.0), 1.0) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self._y[0]) / (self._y[1] - self._y[0])
        return _HEIGHT - _BOTTOM - min(max(share, 0.0), 1.0) * (_HEIGHT - _TOP - _BOTTOM)

    def grid(self, across: Sequence[tuple[float, str]], upright: Sequence[tuple[float, str]]) -> str:
        """The frame, with a line and a text at each (place, text)."""
        parts = [f'<rect class="frame" x="{_LEFT}" y="{_TOP}" width="{_WIDTH - _LEFT - _RIGHT}" {_TALL}/>']
        for value, text in across:
            x = self.x(value)
            parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>')
            parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{text}</text>')
        for value, text in upright:
            y = self.y(value)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
        return "".join(parts)

    def labels(self, x: str, y: str) -> str:
        """What the axes mean."""
        middle = (_TOP + _HEIGHT - _BOTTOM) / 2
        return (
            f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2:.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(x)}</text>'
            f'<text x="14" y="{middle:.1f}" text-anchor="middle" transform="rotate(-90 14 {middle:.1f})">'
            f"{escape(y)}</text>"
        )

    def bars(self, edges: NDArray[np.float64], counts: NDArray[np.int64], style: str) -> str:
        """One bar a bin, from 0 up or down."""
        parts = []
        for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
            if count:
                top, bottom = sorted((self.y(float(count)), self.y(0.0)))
                x, width = self.x(left), max(self.x(right) - self.x(left) - 1.0, 1.0)
                parts.append(
                    f'<rect class="{style}" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{bottom - top:.1f}"/>'
                )
        return "".join(parts)


def _decades(start: float, end: float) -> list[tuple[float, str]]:
    """Ticks of a logarithmic axis: 1, 2 and 5 times the powers of ten."""
    found = [
        (power + float(np.log10(m)), _short(m * 10.0**power))
        for power in range(floor(start), floor(end) + 1)
        for m in (1, 2, 5)
    ]
    inside = [(place, text) for place, text in found if start <= place <= end]
    return inside if len(inside) <= 7 else [(place, text) for place, text in inside if text.strip("0.") == "1"]


def _plain(values: Sequence[float]) -> list[tuple[float, str]]:
    return [(value, _short(value)) for value in values]


def _short(value: float) -> str:
    return f"{value + 0.0:.4g}"  # no -0


def _svg(title: str, parts: Sequence[str], wide: float = _WIDTH, tall: float = _HEIGHT) -> str:
    body = "".join(parts)
    return (
        f'<svg viewBox="0 0 {wide:g} {tall:g}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{body}</svg>"
    )
