"""The legend: a colour bar with ticks and the threshold, or a list of what the colours mean."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLocale, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPen, QPolygonF

from app.viewer.colormaps import Rgb, Theme

_BAR_WIDTH = 14.0
_PAD = 9.0
_LEAST_HEIGHT = 150.0  # below this view height ticks no longer fit: no legend
_LEAST_WIDTH = 260.0


@dataclass(frozen=True, eq=False)
class Bar:
    """A colour bar from ``low`` to ``high``."""

    title: str
    unit: str
    colors: NDArray[np.uint8]  # (256, 3), low to high
    low: float
    high: float
    signed: bool = False  # numbers carry their sign
    unknown: bool = False  # some points have no value
    ends: tuple[str, str] = ("", "")  # what the lowest and the highest colour stand for


@dataclass(frozen=True, eq=False)
class Key:
    """Swatches with names."""

    title: str
    entries: tuple[tuple[Rgb, str], ...]


def room(view_width: float, view_height: float) -> float:
    """Pixels to keep free at the right edge. The same with and without a legend, so that the part does not jump."""
    return min(104.0, 0.22 * view_width) if view_width >= _LEAST_WIDTH and view_height >= _LEAST_HEIGHT else 0.0


def nice_ticks(low: float, high: float, most: int) -> list[float]:
    """Round values in [low, high], at most ``most`` of them, a step of 1, 2 or 5 times a power of ten apart."""
    span = high - low
    if not (math.isfinite(span) and span > 0) or most < 2:
        return []
    raw = span / (most - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if power * factor >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return [index * step for index in range(first, min(last, first + 50) + 1)]


def number(value: float, span: float = 0.0, *, signed: bool = False) -> str:
    """``value`` in the user's locale, with as many digits as ``span`` calls for."""
    locale = QLocale()
    magnitude = max(abs(value), span)
    if value != 0 and (magnitude >= 1e5 or magnitude < 1e-3):
        text = locale.toString(value, "g", 3)
    else:
        digits = max(0, 2 - math.floor(math.log10(span))) if span > 0 else 3
        text = locale.toString(value, "f", min(digits, 6))
        point = locale.decimalPoint()
        if point in text:
            text = text.rstrip("0").removesuffix(point)
    return f"+{text}" if signed and value > 0 else text


def color(rgb: Rgb, alpha: int = 255) -> QColor:
    return QColor(*rgb, alpha)


def draw_panel(painter: QPainter, rect: QRectF, theme: Theme, opacity: int = 205) -> None:
    """A translucent ground on which text stays readable whatever lies behind it."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color(theme.panel, opacity))
    painter.drawRoundedRect(rect, 7, 7)


class Legend:
    """Paints a `Bar` or a `Key` at the right edge of the view."""

    def __init__(self) -> None:
        self.content: Bar | Key | None = None
        self.extra: tuple[tuple[Rgb, str], ...] = ()  # what is laid over the part, whatever the mode
        self.mark: float | None = None
        self.text_not_judged = "not judged"
        self.text_threshold = "threshold"
        self.rect = QRectF()

    def paint(self, painter: QPainter, view: QRectF, theme: Theme) -> None:
        """Draw into ``view``; nothing where it would leave no room for the part."""
        self.rect = QRectF()
        if view.width() < _LEAST_WIDTH or view.height() < _LEAST_HEIGHT:
            return
        metrics = QFontMetricsF(painter.font())
        if self.extra:
            view = self._paint_extra(painter, view, theme, metrics)
        if self.content is None:
            return
        width, height = self._size(metrics, view.width(), view.height())
        self.rect = QRectF(view.right() - _PAD - width, view.top() + _PAD, width, height)
        draw_panel(painter, self.rect, theme)
        inner = self.rect.adjusted(_PAD, _PAD * 0.7, -_PAD, -_PAD * 0.7)
        painter.setPen(color(theme.text))
        heading = QRectF(inner.left(), inner.top(), inner.width(), metrics.height())
        painter.drawText(
            heading,
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
            metrics.elidedText(self._title(), Qt.TextElideMode.ElideRight, inner.width()),
        )
        below = inner.adjusted(0, metrics.height() + 4, 0, 0)
        if isinstance(self.content, Bar):
            self._paint_bar(painter, below, theme, metrics, self.content)
        else:
            self._paint_key(painter, below, theme, metrics, self.content)

    def _paint_extra(self, painter: QPainter, view: QRectF, theme: Theme, metrics: QFontMetricsF) -> QRectF:
        """A panel with swatches in the corner; returns the view that is left below it."""
        line = metrics.height() + 4
        width = max(metrics.horizontalAdvance(name) for _, name in self.extra) + 20
        width = min(width, max(90.0, min(view.width() * 0.36, 260.0)))
        rect = QRectF(0, 0, width + 2 * _PAD, len(self.extra) * line + 0.9 * _PAD)
        rect.moveTopRight(QPointF(view.right() - _PAD, view.top() + _PAD))
        draw_panel(painter, rect, theme)
        inner = rect.adjusted(_PAD, _PAD * 0.5, -_PAD, 0)
        self._paint_key(painter, inner, theme, metrics, Key("", self.extra))
        return view.adjusted(0, rect.height() + 5, 0, 0)

    def _title(self) -> str:
        assert self.content is not None
        if isinstance(self.content, Bar) and self.content.unit:
            return f"{self.content.title} [{self.content.unit}]"
        return self.content.title

    def _shown_entries(self, content: Key, metrics: QFontMetricsF, view_height: float) -> tuple[tuple[Rgb, str], ...]:
        room = int((view_height * 0.75 - metrics.height() - 3 * _PAD) // (metrics.height() + 4))
        if len(content.entries) <= max(room, 1):
            return content.entries
        return (*content.entries[: max(room - 1, 1)], ((128, 128, 128), "…"))

    def _size(self, metrics: QFontMetricsF, view_width: float, view_height: float) -> tuple[float, float]:
        content = self.content
        title = metrics.horizontalAdvance(self._title())
        widest = max(90.0, min(view_width * 0.3, 230.0))
        if isinstance(content, Bar):
            span = content.high - content.low
            labels = [number(v, span, signed=content.signed) for v in nice_ticks(content.low, content.high, 7)]
            if self.mark is not None:
                labels.append(number(self.mark, span / 10))
            numbers = max((metrics.horizontalAdvance(text) for text in labels), default=30.0) + _BAR_WIDTH + 16
            extra = metrics.horizontalAdvance(self.text_not_judged) + _BAR_WIDTH + 8 if content.unknown else 0.0
            extra = max(extra, *(metrics.horizontalAdvance(words) for words in content.ends))
            height = min(view_height * 0.62, 340.0) if view_height > 260 else view_height - 2 * _PAD
            return min(max(numbers, title, extra) + 2 * _PAD, widest), height
        assert content is not None
        entries = self._shown_entries(content, metrics, view_height)
        names = max((metrics.horizontalAdvance(name) for _, name in entries), default=0.0) + 20
        height = metrics.height() + 4 + len(entries) * (metrics.height() + 4) + 1.4 * _PAD
        return min(max(names, title) + 2 * _PAD, widest), height

    def _paint_bar(self, painter: QPainter, room: QRectF, theme: Theme, metrics: QFontMetricsF, bar: Bar) -> None:
        line = metrics.height()
        if bar.unknown:
            swatch = QRectF(room.left(), room.bottom() - line + 2, _BAR_WIDTH, line - 4)
            painter.setPen(QPen(color(theme.quiet), 1))
            painter.setBrush(color(theme.unknown))
            painter.drawRect(swatch)
            painter.setPen(color(theme.quiet))
            words = QRectF(swatch.right() + 6, room.bottom() - line, room.right() - swatch.right() - 6, line)
            painter.drawText(
                words,
                Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
                metrics.elidedText(self.text_not_judged, Qt.TextElideMode.ElideRight, words.width()),
            )
            room = room.adjusted(0, 0, 0, -line - 6)
        room = self._paint_ends(painter, room, theme, metrics, bar.ends)
        strip = QRectF(room.left(), room.top() + line / 2, _BAR_WIDTH, room.height() - line)
        if strip.height() < 20:
            return
        pixels = np.ascontiguousarray(bar.colors[::-1][:, None, :])
        image = QImage(pixels.tobytes(), 1, len(pixels), 3, QImage.Format.Format_RGB888)
        painter.drawImage(strip, image)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(color(theme.quiet), 1))
        painter.drawRect(strip)
        span = bar.high - bar.low

        def level(value: float) -> float:
            return strip.bottom() - (value - bar.low) / span * strip.height()

        marked = None
        if self.mark is not None and math.isfinite(self.mark):
            marked = level(min(max(self.mark, bar.low), bar.high))
        for value in nice_ticks(bar.low, bar.high, max(2, min(7, int(strip.height() / (1.7 * line))))):
            y = level(value)
            painter.setPen(QPen(color(theme.quiet), 1))
            painter.drawLine(QPointF(strip.right(), y), QPointF(strip.right() + 4, y))
            if marked is not None and abs(marked - y) < line * 0.95:
                continue  # the threshold's own number stands here
            painter.setPen(color(theme.text))
            self._number(painter, strip.right() + 8, y, number(value, span, signed=bar.signed), line)
        if marked is not None and self.mark is not None:
            painter.setPen(QPen(color(theme.text), 2))
            painter.drawLine(QPointF(strip.left() - 2, marked), QPointF(strip.right() + 2, marked))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color(theme.text))
            tip = strip.right() + 1
            painter.drawPolygon(
                QPolygonF([QPointF(tip, marked), QPointF(tip + 6, marked - 4), QPointF(tip + 6, marked + 4)])
            )
            bold = painter.font()
            bold.setBold(True)
            painter.save()
            painter.setFont(bold)
            painter.setPen(color(theme.text))
            beyond = "↑" if self.mark > bar.high else "↓" if self.mark < bar.low else ""
            self._number(painter, strip.right() + 9, marked, beyond + number(self.mark, span / 10), line)
            painter.restore()

    @staticmethod
    def _paint_ends(
        painter: QPainter, room: QRectF, theme: Theme, metrics: QFontMetricsF, ends: tuple[str, str]
    ) -> QRectF:
        """Words above and below the strip; returns the room that is left between them."""
        line = metrics.height()
        low, high = (metrics.elidedText(words, Qt.TextElideMode.ElideRight, room.width()) for words in ends)
        painter.setPen(color(theme.quiet))
        align = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        if high:
            painter.drawText(QRectF(room.left(), room.top(), room.width(), line), align, high)
        if low:
            painter.drawText(QRectF(room.left(), room.bottom() - line, room.width(), line), align, low)
        return room.adjusted(0, line if high else 0, 0, -line if low else 0)

    @staticmethod
    def _number(painter: QPainter, x: float, y: float, text: str, line: float) -> None:
        painter.drawText(
            QRectF(x, y - line / 2, 200, line), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text
        )

    def _paint_key(self, painter: QPainter, room: QRectF, theme: Theme, metrics: QFontMetricsF, key: Key) -> None:
        line = metrics.height() + 4
        entries = key.entries[: max(1, int((room.height() + 2) // line))]
        if len(entries) < len(key.entries):
            entries = (*entries[:-1], ((128, 128, 128), "…"))
        for index, (rgb, name) in enumerate(entries):
            y = room.top() + index * line
            painter.setPen(QPen(color(theme.quiet), 1))
            painter.setBrush(color(rgb))
            painter.drawRect(QRectF(room.left(), y + 4, 12, line - 9))
            painter.setPen(color(theme.text))
            words = QRectF(room.left() + 19, y, room.width() - 19, line - 2)
            painter.drawText(
                words,
                Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
                metrics.elidedText(name, Qt.TextElideMode.ElideRight, words.width()),
            )
