"""What the program is, and the sheet of its keys."""

from __future__ import annotations

import sys

from PySide6.QtCore import QCoreApplication, Qt, qVersion
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.actions import MENUS, in_menu
from app.icons import pixmap
from app.panels.panel import label, scrolled
from app.theme import Theme
from app.work import Method
from core.version import VERSION


class AboutDialog(QDialog):
    """Version, device, and the papers behind the methods."""

    def __init__(self, theme: Theme, methods: tuple[Method, ...], device: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("About Nominal"))
        self.setMinimumWidth(520)
        sign = QLabel()
        sign.setPixmap(pixmap("nominal", theme.text, 64, self.devicePixelRatioF()))
        title = label(self.tr("Nominal {version}").format(version=VERSION), "heading")
        words = label(
            self.tr(
                "Surface inspection that learns what a good part looks like, and shows on a new scan where the part "
                "departs from it. Everything runs on this computer; nothing is sent anywhere."
            )
        )
        right = QVBoxLayout()
        right.addWidget(title)
        right.addWidget(words)
        top = QHBoxLayout()
        top.setSpacing(16)
        top.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(right, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 18, 18, 14)
        layout.setSpacing(10)
        layout.addLayout(top)
        for method in methods:
            layout.addWidget(label(method.title, wrap=False))
            layout.addWidget(label(method.paper or method.summary, "muted"))
        system = f"Python {sys.version.split()[0]}, Qt {qVersion()}" + (f", {device}" if device else "")
        layout.addWidget(label(system, "muted"))
        layout.addWidget(label(self.tr("Apache License 2.0"), "muted"))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)


class KeysDialog(QDialog):
    """All keys, and what the mouse does in the view."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Keys and mouse"))
        self.resize(720, 560)
        content = QWidget()
        row_of_grids = QHBoxLayout(content)
        row_of_grids.setSpacing(40)
        columns = [[*MENUS[:3]], [*MENUS[3:]]]
        for column, menus in enumerate(columns):
            grid = QGridLayout()
            grid.setHorizontalSpacing(24)
            grid.setVerticalSpacing(4)
            row_of_grids.addLayout(grid)
            row = 0
            for menu in menus:
                specs = [s for s in in_menu(menu) if s.keys]
                row = self._heading(grid, row, self._menu_title(menu))
                for spec in specs:
                    keys = self.tr(" or ").join(
                        QKeySequence(k).toString(QKeySequence.SequenceFormat.NativeText) for k in spec.keys
                    )
                    row = self._line(grid, row, keys, spec.shown_text.replace("&", "").removesuffix(" …"))
            if column == 1:
                row = self._heading(grid, row, self.tr("Mouse in the view"))
                for keys, text in (
                    (self.tr("Left drag"), self.tr("Turn")),
                    (self.tr("Right or middle drag"), self.tr("Shift")),
                    (self.tr("Wheel"), self.tr("Zoom")),
                    (self.tr("Click"), self.tr("Read the values of a point")),
                    (self.tr("Right click"), self.tr("What can be done there")),
                ):
                    row = self._line(grid, row, keys, text)
            grid.setRowStretch(row, 1)
        layout = QVBoxLayout(self)
        layout.addWidget(scrolled(content), 1)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)

    def _heading(self, grid: QGridLayout, row: int, text: str) -> int:
        heading = label(text, "heading", wrap=False)
        heading.setContentsMargins(0, 8 if row else 0, 0, 2)
        grid.addWidget(heading, row, 0, 1, 2)
        return row + 1

    def _line(self, grid: QGridLayout, row: int, keys: str, text: str) -> int:
        grid.addWidget(label(keys, "muted", wrap=False), row, 0)
        grid.addWidget(label(text, wrap=False), row, 1)
        return row + 1

    @staticmethod
    def _menu_title(menu: str) -> str:
        return QCoreApplication.translate("Actions", menu).replace("&", "")
