"""The verdict banner: colour, icon and word, impossible to miss."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.icons import pixmap
from app.theme import LIGHT, Theme
from app.verdicts import look
from core.inspection.verdict import Verdict


class Banner(QFrame):
    """Shows a verdict, or why there is none yet."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self.setAccessibleName(self.tr("Verdict"))
        self.setMinimumHeight(84)
        self._icon = QLabel()
        self._icon.setFixedSize(48, 48)
        self._word = QLabel()
        self._line = QLabel()
        self._line.setWordWrap(True)
        texts = QVBoxLayout()
        texts.setSpacing(0)
        texts.addStretch()
        texts.addWidget(self._word)
        texts.addWidget(self._line)
        texts.addStretch()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 10, 16, 10)
        layout.setSpacing(14)
        layout.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignVCenter)
        layout.addLayout(texts, 1)
        self._verdict: Verdict | None = None
        self._busy = False
        self._theme = LIGHT
        self.show_idle("")

    @property
    def word(self) -> str:
        return self._word.text()

    @property
    def line(self) -> str:
        return self._line.text()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._dress()

    def show_verdict(self, verdict: Verdict, line: str) -> None:
        """A verdict, and the numbers behind it in one line."""
        self._verdict, self._busy = verdict, False
        self._word.setText(look(verdict).word)
        self._line.setText(line)
        self._dress()

    def show_idle(self, line: str) -> None:
        """No verdict yet, and what to do to get one."""
        self._verdict, self._busy = None, False
        self._word.setText(self.tr("No verdict yet"))
        self._line.setText(line)
        self._dress()

    def show_busy(self, line: str) -> None:
        """A verdict is being made."""
        self._verdict, self._busy = None, True
        self._word.setText(self.tr("Inspecting …"))
        self._line.setText(line)
        self._dress()

    def _dress(self) -> None:
        if self._verdict is not None:
            shown = look(self._verdict)
            ground, ink, icon, size = shown.ground, shown.ink, shown.icon, 30
            edge = shown.ground
        else:
            ground, ink, edge = self._theme.hover, self._theme.text, self._theme.border
            icon, size = ("inspect" if self._busy else "unknown"), 17
        self.setStyleSheet(
            f"QFrame#banner {{ background: {ground}; border: 1px solid {edge}; border-radius: 6px; }}"
            f"QFrame#banner QLabel {{ color: {ink}; background: transparent; }}"
        )
        self._word.setStyleSheet(f"font-size: {size}px; font-weight: 700;")
        self._line.setStyleSheet("font-size: 13px;")
        self._icon.setPixmap(pixmap(icon, ink, 48, self.devicePixelRatioF()))
        self.setAccessibleDescription(f"{self._word.text()}. {self._line.text()}")
