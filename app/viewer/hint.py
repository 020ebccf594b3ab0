"""What an empty view says."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QLabel, QWidget

from app.viewer.colormaps import Theme


class Hint(QLabel):
    """A few words, plain or rich, in the middle of the view; the mouse goes through them."""

    def __init__(self, text: str, parent: QWidget) -> None:
        super().__init__(text, parent)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.AutoText)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colour."""
        palette = self.palette()
        for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text):
            palette.setColor(role, QColor(*theme.quiet))
        self.setPalette(palette)

    def place(self, view: QRect) -> None:
        """Leave a margin of the view free."""
        margin = max(16, view.width() // 8)
        self.setGeometry(view.adjusted(margin, 16, -margin, -16))
