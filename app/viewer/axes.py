"""Which way is X, and how long is a millimetre: the small axes and the scale bar."""

from __future__ import annotations

import math

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from app.viewer.camera import Pose
from app.viewer.colormaps import Theme
from app.viewer.legend import color, draw_panel, number

_ARM = 24.0
_COLORS = {"X": QColor(226, 76, 76), "Y": QColor(74, 170, 84), "Z": QColor(72, 132, 236)}


def nice_length(most: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is no longer than ``most``."""
    if not (most > 0 and math.isfinite(most)):
        return 0.0
    power = 10.0 ** math.floor(math.log10(most))
    return max(factor * power for factor in (1.0, 2.0, 5.0) if factor * power <= most * (1 + 1e-9))


def paint_axes(painter: QPainter, view: QRectF, theme: Theme, pose: Pose) -> None:
    """Three arms at the lower left, the nearer over the farther."""
    if view.width() < 220 or view.height() < 160:
        return
    right, up, back = pose.axes()
    middle = QPointF(view.left() + 46, view.bottom() - 46)
    ground = QRectF(0, 0, 2 * (_ARM + 15), 2 * (_ARM + 15))
    ground.moveCenter(middle)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color(theme.panel, 120))
    painter.drawEllipse(ground)
    metrics = QFontMetricsF(painter.font())
    for axis in sorted(range(3), key=lambda i: back[i]):
        name = "XYZ"[axis]
        tip = QPointF(middle.x() + right[axis] * _ARM, middle.y() - up[axis] * _ARM)
        shade = QColor(_COLORS[name])
        shade.setAlphaF(0.55 if back[axis] < -0.2 else 1.0)
        painter.setPen(QPen(shade, 2.2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(QLineF(middle, tip))
        beyond = QPointF(middle.x() + right[axis] * (_ARM + 8), middle.y() - up[axis] * (_ARM + 8))
        box = QRectF(0, 0, metrics.height(), metrics.height())
        box.moveCenter(beyond)
        painter.setPen(shade)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, name)


def paint_scale_bar(painter: QPainter, view: QRectF, theme: Theme, pixels_per_unit: float, unit: str) -> None:
    """A bar of a round length; it is true at the distance of the focal point."""
    if view.width() < 320 or view.height() < 160 or pixels_per_unit <= 0:
        return
    length = nice_length(min(150.0, view.width() * 0.25) / pixels_per_unit)
    pixels = length * pixels_per_unit
    if pixels < 8:
        return
    text = f"{number(length, length)} {unit}".strip()
    metrics = QFontMetricsF(painter.font())
    wide = max(pixels, metrics.horizontalAdvance(text) + 2)
    left, bottom = view.left() + 104, view.bottom() - 20
    draw_panel(painter, QRectF(left - 9, bottom - metrics.height() - 10, wide + 18, metrics.height() + 18), theme, 120)
    painter.setPen(QPen(color(theme.text), 1.6))
    start = left + (wide - pixels) / 2
    painter.drawPolyline([QPointF(start + x, bottom + y) for x, y in ((0, -5), (0, 0), (pixels, 0), (pixels, -5))])
    painter.drawText(
        QRectF(left, bottom - metrics.height() - 6, wide, metrics.height()),
        Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter,
        text,
    )
