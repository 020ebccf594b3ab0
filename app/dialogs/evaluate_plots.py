"""The drawings of an evaluation: the parts' scores with the threshold to drag, and the curves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from app.panels.plots import ThresholdPlot
from app.theme import LIGHT, Theme
from core.evaluation.curves import Curve

Floats = NDArray[np.float64]

_BINS = 40
_WIDE = 30.0
"""Where the highest score is that many times the lowest, the axis is logarithmic, as in the written report."""


class PartsHistogram(ThresholdPlot):
    """How many good parts (upwards) and defective parts (downwards) have which object score.

    Signals
    -------
    moved(score), let_go(score)
        The threshold is being dragged; was let go. In scores, whatever the axis.
    """

    moved = Signal(float)
    let_go = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Object scores of good parts, upwards, and of defective parts, downwards"))
        self._good = pg.PlotCurveItem([0.0, 1.0], [0.0], stepMode="center", fillLevel=0)
        self._bad = pg.PlotCurveItem([0.0, 1.0], [0.0], stepMode="center", fillLevel=0)
        self._band = pg.LinearRegionItem(movable=False)
        self._band.setZValue(-10)
        self._zero = pg.InfiniteLine(pos=0.0, angle=0)
        for item in (self._band, self._good, self._bad, self._zero):
            self.addItem(item)
        self.getAxis("left").setWidth(34)
        self._values = (np.zeros(0), np.zeros(0))
        self._logarithmic = False
        self._floor = 0.0
        self._shown = (0.0, 1.0)
        self.dragged.connect(lambda place: self.moved.emit(self._score(place)))
        self.released.connect(lambda place: self.let_go.emit(self._score(place)))

    def set_parts(self, good: Floats, defective: Floats, threshold: float) -> None:
        """Show the finite scores of the parts; the range holds them and the threshold."""
        self._values = (good[np.isfinite(good)], defective[np.isfinite(defective)])
        everything = np.concatenate([*self._values, [threshold]])
        low, high = float(everything.min()), float(everything.max())
        self._logarithmic = low > 0 and high > _WIDE * low
        self._floor = low / 10
        start, end = self._place(low), self._place(high)
        margin = 0.06 * (end - start) or max(abs(start), 1.0) * 0.1
        self._shown = (start - margin, end + margin)
        self.getAxis("bottom").setTicks([_round_places(*self._shown)] if self._logarithmic else None)
        self.set_range(*self._shown)
        edges = np.linspace(*self._shown, _BINS + 1)
        up, down = (np.histogram(self._places(values), edges)[0] for values in self._values)
        most = float(max(up.max(initial=0), down.max(initial=0), 1))
        for curve, heights in ((self._good, up), (self._bad, -down)):
            curve.setData(edges, heights.astype(np.float64))
            curve.setVisible(bool(heights.any()))
        step = max(1, math.ceil(most / 3))
        counts = range(step, int(most) + 1, step)
        self.getAxis("left").setTicks([[(sign * c, str(c)) for c in (0, *counts) for sign in (1, -1)]])
        lowest = -1.15 * most if down.any() else -0.08 * most
        self.setYRange(lowest, 1.15 * most if up.any() else 0.08 * most, padding=0)

    def set_threshold(self, value: float | None) -> None:
        super().set_threshold(None if value is None else self._place(value))

    def set_band(self, threshold: float, guard: float) -> None:
        """Shade the review band."""
        self._band.setVisible(guard > 0)
        self._band.setRegion((self._place(threshold - guard), self._place(threshold + guard)))

    def dress(self, theme: Theme, color: str) -> None:
        super().dress(theme, color)
        for curve, bars in ((self._good, theme.good_bars), (self._bad, theme.scan_bars)):
            fill = QColor(bars)
            fill.setAlphaF(0.45)
            curve.setPen(pg.mkPen(bars, width=1.5))
            curve.setBrush(fill)
        shade = QColor(theme.review)
        shade.setAlphaF(0.25)
        self._band.setBrush(shade)
        for line in self._band.lines:
            line.setPen(pg.mkPen(None))
        self._zero.setPen(pg.mkPen(theme.muted))

    def _place(self, score: float) -> float:
        """Where a score lies on the axis."""
        return math.log10(max(score, self._floor)) if self._logarithmic else score

    def _places(self, scores: Floats) -> Floats:
        return np.log10(scores) if self._logarithmic else scores

    def _score(self, place: float) -> float:
        return float(10.0**place) if self._logarithmic else place


def _round_places(start: float, end: float) -> list[tuple[float, str]]:
    """Where 1, 2 and 5 times the powers of ten lie on a logarithmic axis; the powers alone if these are too many."""
    powers = range(math.floor(start), math.ceil(end) + 1)
    places = [(power + math.log10(m), m * 10.0**power, m) for power in powers for m in (1, 2, 5)]
    inside = [place for place in places if start <= place[0] <= end]
    if len(inside) > 8:
        inside = [place for place in inside if place[2] == 1]
    return [(place, f"{value:.3g}") for place, value, _ in inside]


@dataclass(frozen=True)
class Line:
    """A named curve; ``second`` draws it in the other colour, dashed."""

    name: str
    curve: Curve
    second: bool = False


class CurvePlot(pg.PlotWidget):
    """Curves in the unit square, with a dot where the present threshold stands.

    Parameters
    ----------
    title : str
        Of the plot, for those who do not see it.
    x_label, y_label : str
    """

    def __init__(self, title: str, x_label: str, y_label: str, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.setAccessibleName(title)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(False, False)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.viewport().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(self.Shape.NoFrame)
        self.setMinimumSize(220, 190)
        self.setTitle(title)
        self.setLabel("bottom", x_label)
        self.setLabel("left", y_label)
        self.showGrid(x=True, y=True, alpha=0.15)
        self.setYRange(0, 1, padding=0.03)
        self.lines: tuple[Line, ...] = ()
        self._items: list[pg.PlotDataItem] = []
        self._legend = self.addLegend(offset=(-8, -8))
        self.dot = pg.ScatterPlotItem(size=12)
        self.dot.setZValue(10)
        self.addItem(self.dot)
        self._theme = LIGHT
        self._title, self._labels = title, (x_label, y_label)

    def sizeHint(self) -> QSize:
        return QSize(320, 260)

    def set_lines(self, *lines: Line, x_end: float = 1.0) -> None:
        """Show other curves, x from 0 to ``x_end``."""
        self.lines = lines
        self.setXRange(0, x_end, padding=0.03)
        self._draw()

    def set_dot(self, place: tuple[float, float] | None) -> None:
        """Put the dot, or take it away."""
        self.dot.setVisible(place is not None)
        if place is not None:
            self.dot.setData([place[0]], [place[1]])

    def dress(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        self.setBackground(theme.base)
        for side, text in (("bottom", self._labels[0]), ("left", self._labels[1])):
            axis = self.getAxis(side)
            axis.enableAutoSIPrefix(False)
            axis.setPen(pg.mkPen(theme.border))
            axis.setTextPen(pg.mkPen(theme.muted))
            axis.setLabel(text, color=theme.muted)
        self.setTitle(self._title, color=theme.text, size="10pt")
        self._legend.setLabelTextColor(theme.text)
        self.dot.setBrush(QColor(theme.part_line))
        self.dot.setPen(pg.mkPen(theme.base, width=2))
        self._draw()

    def _draw(self) -> None:
        for item in self._items:
            self.removeItem(item)
        self._items = []
        for line in self.lines:
            color = self._theme.good_bars if line.second else self._theme.scan_bars
            style = Qt.PenStyle.DashLine if line.second else Qt.PenStyle.SolidLine
            pen = pg.mkPen(color, width=2, style=style)
            self._items.append(self.plot(line.curve.x, line.curve.y, pen=pen, name=line.name))
