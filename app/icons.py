"""Icons: simple drawings in ``resources/icons``, coloured for the theme."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from app.theme import Theme

_SIZES = (16, 20, 24, 32, 48, 64)


def icon(name: str, theme: Theme) -> QIcon:
    """The icon of that name in the theme's text colour, faded where disabled."""
    return _icon(name, theme.text, theme.border)


def colored(name: str, color: str) -> QIcon:
    """The icon in one colour."""
    return _icon(name, color, color)


def pixmap(name: str, color: str, size: int, ratio: float = 1.0) -> QPixmap:
    """The icon as a picture of ``size`` logical pixels."""
    result = QPixmap(round(size * ratio), round(size * ratio))
    result.fill(Qt.GlobalColor.transparent)
    painter = QPainter(result)
    QSvgRenderer(QByteArray(_drawing(name).replace("currentColor", color).encode())).render(
        painter, QRectF(0, 0, result.width(), result.height())
    )
    painter.end()
    result.setDevicePixelRatio(ratio)
    return result


@lru_cache(maxsize=256)
def _icon(name: str, color: str, disabled: str) -> QIcon:
    result = QIcon()
    for size in _SIZES:
        result.addPixmap(pixmap(name, color, size), QIcon.Mode.Normal)
        result.addPixmap(pixmap(name, color, size), QIcon.Mode.Selected)
        result.addPixmap(pixmap(name, disabled, size), QIcon.Mode.Disabled)
    return result


@lru_cache(maxsize=64)
def _drawing(name: str) -> str:
    return (resources.files("resources") / "icons" / f"{name}.svg").read_text("utf-8")
