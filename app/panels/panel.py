"""What all panels share."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QSizePolicy, QWidget

from app.theme import LIGHT, Theme


class Panel(QWidget):
    """The content of a dock. Knows the theme, for the icons and colours that the palette cannot carry."""

    theme: Theme = LIGHT

    def set_theme(self, theme: Theme) -> None:
        """Dress in a theme. Panels with icons or drawings extend this."""
        self.theme = theme


def label(text: str = "", role: str = "", *, wrap: bool = True) -> QLabel:
    """A text in one of the style sheet's roles: muted, heading, warning, problem or empty."""
    result = QLabel(text)
    result.setWordWrap(wrap)
    result.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        result.setProperty("role", role)
    if wrap:
        result.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.MinimumExpanding)
        result.setMinimumWidth(80)
    return result


def rerole(widget: QWidget, role: str) -> None:
    """Give a widget another role of the style sheet."""
    if widget.property("role") != role:
        widget.setProperty("role", role)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def scrolled(content: QWidget) -> QScrollArea:
    """The content in an area that scrolls down, never sideways, for small screens."""
    area = QScrollArea()
    area.setWidget(content)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return area
