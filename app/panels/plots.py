"""The two plots of the thresholds panel: point scores as a histogram, parts as a strip, with draggable lines."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from app.theme import Theme

BINS = 80
SAMPLE = 1_000_000
"""Most values that a histogram is made of: more only costs time."""
_FLOOR = -5.0  # shares below 10^-5 are drawn as nothing on the logarithmic axis


class ThresholdPlot(pg.PlotWidget):
    """A plot with one draggable vertical line.

    Signals
    -------
    dragged(value), released(value)
        The line is being moved; was let go.
    """

    dragged = Signal(float)
    released = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(False, False)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the spin boxes are the keyboard's way
        self.viewport().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(self.Shape.NoFrame)
        self.line = pg.InfiniteLine(angle=90, movable=True)
        self.line.addMarker("v", position=1.0, size=11)
        self.line.setCursor(Qt.CursorShape.SizeHorCursor)
        self.line.setZValue(20)
        self.addItem(self.line)
        self.line.sigDragged.connect(lambda line: self.dragged.emit(float(line.value())))
        self.line.sigPositionChangeFinished.connect(lambda line: self.released.emit(float(line.value())))
        self._color = "#000000"

    def sizeHint(self) -> QSize:
        """As low as it may be: it grows where there is room, and never makes the panel scroll."""
        return self.minimumSize()

    def set_threshold(self, value: float | None) -> None:
        """Put the line, without telling anyone."""
        self.line.setVisible(value is not None)
        if value is not None and not self.line.moving:
            self.line.blockSignals(True)
            self.line.setValue(value)
            self.line.blockSignals(False)

    def set_range(self, low: float, high: float) -> None:
        """What the horizontal axis shows; the line stays within."""
        if not high > low:
            high = low + max(1e-6, abs(low) * 1e-3)
        self.setXRange(low, high, padding=0.02)
        self.line.setBounds((low, high))

    def dress(self, theme: Theme, color: str) -> None:
        """Take a theme's colours, and ``color`` for the line."""
        self.setBackground(theme.base)
        for side in ("bottom", "left"):
            axis = self.getAxis(side)
            axis.setPen(pg.mkPen(theme.border))
            axis.setTextPen(pg.mkPen(theme.muted))
        self.line.setPen(pg.mkPen(color, width=2))
        self.line.setHoverPen(pg.mkPen(color, width=5))

    def line_position(self) -> QPointF:
        """Where the line is, in this widget's pixels: for tests and for help."""
        view = self.getViewBox()
        (_, _), (low, high) = view.viewRange()
        scene = view.mapViewToScene(QPointF(self.line.value(), (low + high) / 2))
        return QPointF(self.mapFromScene(scene))


class PointHistogram(ThresholdPlot):
    """How the scores of the scan's points and of the good parts' points are spread."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Histogram of point scores"))
        self._good = pg.PlotCurveItem([0.0, 1.0], [0.0], stepMode="center", fillLevel=0)
        self._scan = pg.PlotCurveItem([0.0, 1.0], [0.0], stepMode="center", fillLevel=0)
        self.addItem(self._good)
        self.addItem(self._scan)
        self.getAxis("left").setWidth(46)
        self._values: NDArray[np.float32] | None = None
        self._sample: NDArray[np.float32] | None = None
        self._edges = np.linspace(0.0, 1.0, BINS + 1)
        self._logarithmic = True

    def set_scores(
        self, scan: NDArray[np.float32] | None, good: NDArray[np.float32] | None, threshold: float | None
    ) -> None:
        """Show new scores; the range holds both and the threshold."""
        self._values = None if scan is None else _thinned(scan[np.isfinite(scan)])
        self._sample = good
        self._fit(threshold)
        self._draw()

    def set_threshold(self, value: float | None) -> None:
        if value is not None and not self._edges[0] <= value <= self._edges[-1]:
            self._fit(value)
            self._draw()
        super().set_threshold(value)

    def _fit(self, threshold: float | None) -> None:
        low, high = score_range([v for v in (self._values, self._sample) if v is not None and len(v)], threshold)
        self._edges = np.linspace(low, high, BINS + 1)
        self.set_range(low, high)

    def set_logarithmic(self, on: bool) -> None:
        self._logarithmic = on
        self._draw()

    def dress(self, theme: Theme, color: str) -> None:
        super().dress(theme, color)
        for curve, bars in ((self._good, theme.good_bars), (self._scan, theme.scan_bars)):
            fill = QColor(bars)
            fill.setAlphaF(0.35)
            curve.setPen(pg.mkPen(bars, width=1.5))
            curve.setBrush(fill)

    def _draw(self) -> None:
        top = 0.0
        for curve, values in ((self._good, self._sample), (self._scan, self._values)):
            if values is None or len(values) == 0:
                curve.setVisible(False)
                continue
            share = np.histogram(np.clip(values, self._edges[0], self._edges[-1]), self._edges)[0] / len(values)
            heights = (
                np.log10(np.maximum(share, 10.0**_FLOOR), dtype=np.float64) - _FLOOR if self._logarithmic else share
            )
            curve.setData(self._edges, heights)
            curve.setVisible(True)
            top = max(top, float(heights.max()))
        axis = self.getAxis("left")
        if self._logarithmic:
            names = {-5: "", -4: "", -3: "0.1 %", -2: "1 %", -1: "10 %", 0: "100 %"}
            axis.setTicks([[(power - _FLOOR, name) for power, name in names.items()]])
            self.setYRange(0, max(top, 3.0), padding=0.05)
        else:
            peak = top or 1.0
            axis.setTicks([[(0, "0"), (peak, f"{100 * peak:.3g} %")]])
            self.setYRange(0, peak, padding=0.05)


class PartStrip(ThresholdPlot):
    """The good parts' object scores as dots, this part's as a diamond, the review band shaded."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Object scores of the good parts and of this part"))
        self.hideAxis("left")
        self._band = pg.LinearRegionItem(movable=False)
        self._band.setZValue(-10)
        self._good = pg.ScatterPlotItem(size=8, pen=None)
        self._part = pg.ScatterPlotItem(size=16)
        self._part.setZValue(10)
        for item in (self._band, self._good, self._part):
            self.addItem(item)
        self.setYRange(0, 1, padding=0)
        self._range = (0.0, 1.0)

    def set_scores(self, part: float | None, good: NDArray[np.float64] | None, threshold: float | None) -> None:
        """Show the parts; one far outside stands at the edge as an arrow."""
        known = np.zeros(0) if good is None else np.asarray(good, dtype=np.float64)
        anchors = [*known.tolist(), *([threshold] if threshold is not None else [])]
        if not anchors:
            anchors = [part] if part is not None and np.isfinite(part) else [0.0, 1.0]
        low, high = min(anchors), max(anchors)
        reach = max(high - low, abs(high) * 0.05, 1e-9)
        wide = high + 1.5 * reach
        if part is not None and np.isfinite(part):
            low, high = min(low, part), max(high, min(part, wide))
        margin = max(high - low, reach) * 0.12
        self._range = (low - margin, high + margin)
        self.set_range(*self._range)
        spread = 0.25 + 0.5 * ((np.arange(len(known)) * 0.618034) % 1.0)  # golden ratio: even, and the same each time
        self._good.setData(known, spread)
        if part is None or not np.isfinite(part):
            self._part.setVisible(False)
            return
        outside = part > self._range[1]
        self._part.setData([self._range[1] - 0.25 * margin if outside else part], [0.5])
        self._part.setSymbol("t2" if outside else "d")
        self._part.setVisible(True)

    def set_band(self, threshold: float | None, guard: float) -> None:
        """Shade the review band."""
        self._band.setVisible(threshold is not None and guard > 0)
        if threshold is not None:
            self._band.setRegion((threshold - guard, threshold + guard))

    def dress(self, theme: Theme, color: str) -> None:
        super().dress(theme, color)
        shade = QColor(theme.review)
        shade.setAlphaF(0.25)
        self._band.setBrush(shade)
        for line in self._band.lines:
            line.setPen(pg.mkPen(None))
        self._good.setBrush(QColor(theme.good_bars))
        self._part.setBrush(QColor(theme.scan_bars))
        self._part.setPen(pg.mkPen(theme.base, width=1.5))


def score_range(values: list[NDArray[np.float32]], threshold: float | None) -> tuple[float, float]:
    """A range with the threshold well inside: far outliers do not squeeze it, they are counted in the last bar."""
    lows = [float(v.min()) for v in values]
    highs = [float(np.quantile(v, 0.99999)) for v in values]
    if threshold is not None:
        lows.append(threshold)
        highs.append(threshold)
    if not lows:
        return 0.0, 1.0
    low, high = min(lows), max(highs)
    if threshold is not None:
        reach = threshold - low
        high = min(max(high, threshold + 0.25 * reach), threshold + 3 * reach) if reach > 0 else high
    return low, high if high > low else low + max(1e-6, abs(low) * 1e-3)


def _thinned(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values if len(values) <= SAMPLE else values[:: len(values) // SAMPLE + 1]
