"""What all panels share."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QSizePolicy, QWidget

from app.theme import LIGHT, Theme


class Panel(QWidget):
    """The content of a dock. Knows the theme, for the icons and colours that the palette cannot carry."""

    theme: Theme = LIGHT

    def set_theme(self, theme: Theme) -> None:
        """Dress in a theme. Panels with icons or drawings extend this."""
        self.theme = theme


def label(text: str = "", role: str = "", *, wrap: bool = True, width: int = 80) -> QLabel:
    """A text in one of the style sheet's roles: muted, heading, warning, problem or empty.

    ``width`` is the least a wrapped text takes: layouts reserve the height that it has then.
    """
    result = QLabel(text)
    result.setWordWrap(wrap)
    result.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        result.setProperty("role", role)
    if wrap:
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        result.setSizePolicy(policy)
        result.setMinimumWidth(width)
    return result


def named(text: str, widget: QWidget) -> QLabel:
    """A label whose ``&`` key leads to ``widget``, for rows that hold more than one widget."""
    result = QLabel(text)
    result.setBuddy(widget)
    return result


def rerole(widget: QWidget, role: str) -> None:
    """Give a widget another role of the style sheet."""
    if widget.property("role") != role:
        widget.setProperty("role", role)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


class _DownOnly(QScrollArea):
    """Never narrower than its content needs."""

    def minimumSizeHint(self) -> QSize:
        content = self.widget()
        width = content.minimumSizeHint().width() if content is not None else 0
        return QSize(width + self.verticalScrollBar().sizeHint().width(), 80)


def scrolled(content: QWidget) -> QScrollArea:
    """The content in an area that scrolls down, never sideways, for small screens."""
    area = _DownOnly()
    area.setWidget(content)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return area
