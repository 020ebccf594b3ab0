"""A picture that is zoomed and moved with the mouse, a layer over it, and marks on its pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QWidget

from app.theme import Theme
from app.viewer.colormaps import Rgb

_MARGIN = 0.02
_FARTHEST = 10.0  # pictures' sizes that the view may show at once: a narrow panel must still hold a wide one


class PictureView(pg.GraphicsView):
    """Shows one picture. The wheel zooms about the mouse, dragging moves, a double click shows all of it.

    Signals
    -------
    pointed(row, column)
        The pixel under the mouse; -1, -1 for none.
    clicked(row, column)
    """

    pointed = Signal(int, int)
    clicked = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.setMinimumSize(120, 150)
        self.setAccessibleName(self.tr("Picture of the scan"))
        self.box = pg.ViewBox(lockAspect=1.0, invertY=True, enableMenu=False)
        self.setCentralItem(self.box)
        self.ground = pg.ImageItem(axisOrder="row-major")
        self.layer = pg.ImageItem(axisOrder="row-major")
        self.rim = pg.PlotCurveItem(connect="pairs")
        self.picked = pg.ScatterPlotItem(size=17, symbol="o", pxMode=True)
        self.cross = pg.ScatterPlotItem(size=15, symbol="+", pxMode=True)
        for depth, item in enumerate((self.ground, self.layer, self.rim, self.picked, self.cross)):
            item.setZValue(depth)
            self.box.addItem(item)
        self._shape: tuple[int, int] | None = None
        self._at = (-1, -1)
        self._fitted = True  # until the user zooms or moves
        self.box.sigRangeChangedManually.connect(self._let_go)
        self.box.sigResized.connect(self._resized)
        self.scene().sigMouseClicked.connect(self._on_click)

    def sizeHint(self) -> QSize:
        return QSize(280, 220)

    def set_ground(self, pixels: NDArray[np.uint8]) -> None:
        """Another picture, (H, W, 3); one of the same size stays where it is."""
        shape = (pixels.shape[0], pixels.shape[1])
        self.ground.setImage(pixels, autoLevels=False, levels=(0, 255))
        if shape != self._shape:
            self._shape = shape
            farthest = _FARTHEST * max(shape)
            self.box.setLimits(minXRange=4, minYRange=4, maxXRange=farthest, maxYRange=farthest)
            self.fit()

    def set_layer(self, pixels: NDArray[np.uint8], opacity: float) -> None:
        """What lies over the picture, (H, W, 4), as opaque as that."""
        self.layer.setImage(pixels, autoLevels=False, levels=(0, 255))
        self.layer.setOpacity(opacity)

    def set_rim(self, x: NDArray[np.float64], y: NDArray[np.float64], ink: Rgb) -> None:
        """Lines two and two, such as around marked pixels."""
        self.rim.setPen(pg.mkPen(ink, width=2))
        self.rim.setData(x, y, connect="pairs")

    def mark_picked(self, pixel: tuple[int, int] | None, *, follow: bool = False) -> None:
        """Mark a pixel by a ring; ``follow`` moves the picture where the ring would be outside."""
        if pixel is None:
            self.picked.clear()
            return
        row, column = pixel
        self.picked.setData([column + 0.5], [row + 0.5])
        shown: QRectF = self.box.viewRect()
        if follow and not self._fitted and not shown.contains(QPointF(column + 0.5, row + 0.5)):
            self.box.setRange(
                QRectF(column + 0.5 - shown.width() / 2, row + 0.5 - shown.height() / 2, shown.width(), shown.height()),
                padding=0,
            )

    def fit(self) -> None:
        """Show the whole picture."""
        if self._shape is not None:
            height, width = self._shape
            self.box.setRange(QRectF(0, 0, width, height), padding=_MARGIN)
            self._fitted = True

    def _let_go(self, *_: object) -> None:
        self._fitted = False

    def _resized(self, *_: object) -> None:
        if self._fitted:
            self.fit()

    def dress(self, theme: Theme, accent: Rgb) -> None:
        """Take a theme's colours."""
        self.setBackground(theme.base)
        self.picked.setPen(pg.mkPen(accent, width=2))
        self.picked.setBrush(None)
        self.cross.setPen(pg.mkPen(accent, width=1))
        self.cross.setBrush(pg.mkBrush(accent))

    def pixel_at(self, at: QPointF) -> tuple[int, int]:
        """Row and column at a place of the scene; -1, -1 outside the picture."""
        if self._shape is None:
            return -1, -1
        place = self.box.mapSceneToView(at)
        row, column = int(np.floor(place.y())), int(np.floor(place.x()))
        inside = 0 <= row < self._shape[0] and 0 <= column < self._shape[1]
        return (row, column) if inside else (-1, -1)

    def place_of(self, row: int, column: int) -> QPointF:
        """Where the middle of a pixel is, in this widget's pixels: for tests and for help."""
        return QPointF(self.mapFromScene(self.box.mapViewToScene(QPointF(column + 0.5, row + 0.5))))

    def _point(self, pixel: tuple[int, int]) -> None:
        if pixel == self._at:
            return
        self._at = pixel
        if pixel[0] < 0:
            self.cross.clear()
        else:
            self.cross.setData([pixel[1] + 0.5], [pixel[0] + 0.5])
        self.pointed.emit(*pixel)

    def _on_click(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if event.double():
            self.fit()
            return
        pixel = self.pixel_at(event.scenePos())
        if pixel[0] >= 0:
            self.clicked.emit(*pixel)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._point(self.pixel_at(self.mapToScene(event.position().toPoint())))

    def leaveEvent(self, event: QEvent) -> None:
        self._point((-1, -1))
        super().leaveEvent(event)
