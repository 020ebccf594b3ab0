"""The short hint on the first start: three steps, each done by doing it, dismissed at any time."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from app.icons import pixmap
from app.panels.panel import label
from app.theme import Theme


class Guide(QFrame):
    """One line above the view.

    Signals
    -------
    acted
        The step's button was pressed.
    dismissed
    """

    acted = Signal()
    dismissed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("guide")
        self._icon = label(wrap=False)
        self._text = label()
        self.act = QPushButton()
        self.act.clicked.connect(self.acted)
        self.dismiss = QPushButton(self.tr("Dismiss"))
        self.dismiss.setFlat(True)
        self.dismiss.clicked.connect(self.dismissed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 7, 8, 7)
        layout.addWidget(self._icon)
        layout.addWidget(self._text, 1)
        layout.addWidget(self.act)
        layout.addWidget(self.dismiss)
        self.hide()

    @property
    def text(self) -> str:
        return self._text.text()

    def set_theme(self, theme: Theme) -> None:
        self._icon.setPixmap(pixmap("info", theme.accent, 22, self.devicePixelRatioF()))

    def say(self, text: str, button: str = "") -> None:
        """Show a step; ``button`` does it for the user, empty for none."""
        self._text.setText(text)
        self.act.setText(button)
        self.act.setVisible(bool(button))
        self.setAccessibleName(text)
        self.show()
