"""What lies over the picture: boxes and numbers of defects, the picked point, legend, axes, scale bar.

Drawn by Qt, not VTK: text stays sharp and follows the theme and the font of the window, lines are never hidden or
darkened by eye-dome lighting, and moving a label costs no rendering of the points.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.viewer.axes import paint_axes, paint_scale_bar
from app.viewer.camera import Pose, Projection
from app.viewer.colormaps import DARK, Theme
from app.viewer.field import Outlined
from app.viewer.legend import Legend, color, draw_panel, number

log = logging.getLogger(__name__)

_MOST_OUTLINED = 40
"""The worst ones; more boxes would hide the part. The table lists all, and outlines the one that is chosen."""
_EDGES = tuple((a, b) for a in range(8) for b in range(a + 1, 8) if (a ^ b) in (1, 2, 4))


@dataclass(frozen=True, eq=False)
class Sight:
    """The camera that the picture below was taken with."""

    pose: Pose
    projection: Projection
    pixels_per_unit: float
    unit: str


def box_corners(bounds: object, pad: float) -> np.ndarray:
    """(8, 3) corners of a box, ``pad`` wider on every side; bit k of a corner's number says low or high on axis k."""
    low, high = np.asarray(bounds, dtype=np.float64)
    ends = np.stack([low - pad, high + pad])
    return np.array([[ends[(i >> axis) & 1][axis] for axis in range(3)] for i in range(8)])


def described(defect: Outlined, unit: str) -> str:
    """A defect's height and area, where they are known."""
    height, area = getattr(defect, "height", None), getattr(defect, "area", None)
    parts = []
    if height is not None and np.isfinite(height):
        parts.append(f"{number(float(height), abs(float(height)), signed=True)} {unit}")
    if area is not None and np.isfinite(area):
        parts.append(f"{number(float(area), float(area))} {unit}²")
    return "  ".join(parts)


class Annotations(QWidget):
    """A transparent sheet over the canvas; the mouse goes through it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.theme: Theme = DARK
        self.legend = Legend()
        self.sight: Sight | None = None
        self.defects: tuple[Outlined, ...] = ()
        self.hidden_defects: frozenset[int] = frozenset()  # ids behind the part
        self.selected: Outlined | None = None
        self.selected_note = ""
        self.pad = 0.0
        self.picked: np.ndarray | None = None  # (3,)
        self.picked_note = ""
        self.pointed: np.ndarray | None = None  # (3,) what the mouse is on elsewhere
        self.show_axes = True
        self.notice = ""
        self.setVisible(True)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
            self._paint(painter)
        except Exception:  # an exception out of a virtual method of Qt would take the program down
            log.exception("could not draw the annotations")
        finally:
            painter.end()

    def _paint(self, painter: QPainter) -> None:
        if self.sight is None:
            return
        view = QRectF(self.rect())
        self._paint_defects(painter, self.sight)
        self._paint_picked(painter, self.sight)
        self._paint_pointed(painter, self.sight)
        if self.show_axes:
            painter.setFont(self.font())
            paint_axes(painter, view, self.theme, self.sight.pose)
            paint_scale_bar(painter, view, self.theme, self.sight.pixels_per_unit, self.sight.unit)
        painter.setFont(self.font())
        self.legend.paint(painter, view, self.theme)
        if self.notice:
            self._pill(painter, QPointF(view.left() + 12, view.top() + 12), self.notice, quiet=True)

    # Defects

    @property
    def outlined(self) -> tuple[Outlined, ...]:
        """The defects that get a box without being selected."""
        return self.defects[:_MOST_OUTLINED]

    def _paint_defects(self, painter: QPainter, sight: Sight) -> None:
        others = [d for d in self.outlined if self.selected is None or d.id != self.selected.id]
        taken: list[QRectF] = []
        if self.selected is not None:
            anchor = self._paint_box(painter, sight, self.selected, chosen=True)
            if anchor is not None:
                words = f"#{self.selected.id}" + (f"  {self.selected_note}" if self.selected_note else "")
                taken.append(self._pill(painter, anchor, words, chosen=True, above=True))
        for defect in others:
            faint = defect.id in self.hidden_defects
            anchor = self._paint_box(painter, sight, defect, chosen=False, faint=faint)
            if anchor is not None:
                spot = self._pill_rect(painter, anchor, f"#{defect.id}", above=True)
                if any(spot.intersects(other) for other in taken):
                    continue
                taken.append(self._pill(painter, anchor, f"#{defect.id}", above=True, faint=faint))

    def _paint_box(
        self, painter: QPainter, sight: Sight, defect: Outlined, *, chosen: bool, faint: bool = False
    ) -> QPointF | None:
        """Draw the corners of a box; returns where its label belongs, None if it is out of sight."""
        corners, _ = sight.projection(box_corners(defect.bounds, self.pad))
        if not np.isfinite(corners).all():
            return None
        low, high = corners.min(axis=0), corners.max(axis=0)
        if high[0] < 0 or high[1] < 0 or low[0] > sight.projection.width or low[1] > sight.projection.height:
            return None
        ground = color(self.theme.panel, 150 if not faint else 60)
        ink = color(self.theme.accent if chosen else self.theme.text, 255 if chosen else 90 if faint else 215)
        share = 0.5 if chosen else 0.26  # whole edges for the selected box, corners for the others
        lines = []
        for a, b in _EDGES:
            start, end = corners[a], corners[b]
            for one, other in ((start, end), (end, start)):
                tip = one + (other - one) * share
                lines.append(QLineF(float(one[0]), float(one[1]), float(tip[0]), float(tip[1])))
        width = 2.0 if chosen else 1.3
        painter.setPen(QPen(ground, width + 2.0))
        painter.drawLines(lines)
        painter.setPen(QPen(ink, width))
        painter.drawLines(lines)
        return QPointF(float((low[0] + high[0]) / 2), float(low[1]) - 5)

    def _pill_rect(self, painter: QPainter, at: QPointF, text: str, *, above: bool = False) -> QRectF:
        metrics = QFontMetricsF(painter.font())
        size = QRectF(0, 0, metrics.horizontalAdvance(text) + 14, metrics.height() + 4)
        if above:
            size.moveCenter(QPointF(at.x(), at.y() - size.height() / 2))
        else:
            size.moveTopLeft(at)
        size.moveLeft(min(max(size.left(), 4.0), max(self.width() - size.width() - 4.0, 4.0)))
        size.moveTop(min(max(size.top(), 4.0), max(self.height() - size.height() - 4.0, 4.0)))
        return size

    def _pill(
        self,
        painter: QPainter,
        at: QPointF,
        text: str,
        *,
        chosen: bool = False,
        above: bool = False,
        faint: bool = False,
        quiet: bool = False,
    ) -> QRectF:
        font = QFont(self.font())
        font.setBold(chosen)
        painter.setFont(font)
        rect = self._pill_rect(painter, at, text, above=above)
        painter.setOpacity(0.5 if faint else 1.0)
        if chosen:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color(self.theme.accent))
            painter.drawRoundedRect(rect, 6, 6)
            painter.setPen(color(self.theme.panel))
        else:
            draw_panel(painter, rect, self.theme)
            painter.setPen(color(self.theme.quiet if quiet else self.theme.text))
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
        painter.setOpacity(1.0)
        painter.setFont(self.font())
        return rect

    # The picked point

    def _place(self, sight: Sight, point: np.ndarray) -> QPointF | None:
        """Where a point lies in the view, None if outside."""
        pixels, _ = sight.projection(point[None])
        if not np.isfinite(pixels).all():
            return None
        at = QPointF(float(pixels[0, 0]), float(pixels[0, 1]))
        return at if QRectF(self.rect()).contains(at) else None

    def _paint_pointed(self, painter: QPainter, sight: Sight) -> None:
        """A cross hair, unlike the ring of a picked point."""
        at = None if self.pointed is None else self._place(sight, self.pointed)
        if at is None:
            return
        for ink, width in ((color(self.theme.panel, 190), 4.0), (color(self.theme.accent), 1.8)):
            painter.setPen(QPen(ink, width))
            for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                painter.drawLine(QPointF(at.x() + 4 * x, at.y() + 4 * y), QPointF(at.x() + 14 * x, at.y() + 14 * y))

    def _paint_picked(self, painter: QPainter, sight: Sight) -> None:
        at = None if self.picked is None else self._place(sight, self.picked)
        if at is None:
            return
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for ink, width in ((color(self.theme.panel, 190), 4.0), (color(self.theme.accent), 1.8)):
            painter.setPen(QPen(ink, width))
            painter.drawEllipse(at, 8, 8)
            for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                painter.drawLine(QPointF(at.x() + 8 * x, at.y() + 8 * y), QPointF(at.x() + 13 * x, at.y() + 13 * y))
        if self.picked_note:
            self._pill(painter, QPointF(at.x() + 16, at.y() + 10), self.picked_note)


def hidden_ids(
    defects: Sequence[Outlined], points: np.ndarray, projection: Projection, eye: np.ndarray, pad: float
) -> frozenset[int]:
    """Ids of the defects that lie behind other points of the part.

    A defect is hidden when something is drawn clearly nearer to the eye at its position's pixel.

    Parameters
    ----------
    points : (n, 3)
        An even thinning of the part.
    pad : float
        How much nearer counts as in front, beyond the defect's own extent.
    """
    if not defects or not len(points):
        return frozenset()
    pixels, _ = projection(points)
    away = np.linalg.norm(points - eye.astype(np.float32), axis=1)
    hidden = set()
    for defect in defects:
        position = np.asarray(defect.position, dtype=np.float64)
        spot, _ = projection(position[None])
        with np.errstate(invalid="ignore"):
            near = (np.abs(pixels - spot[0]) < 5.0).all(axis=1)
        low, high = np.asarray(defect.bounds, dtype=np.float64)
        if near.any() and away[near].min() < np.linalg.norm(position - eye) - np.linalg.norm(high - low) - pad:
            hidden.add(defect.id)
    return frozenset(hidden)
