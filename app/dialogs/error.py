"""What went wrong: for a user's error what to do, for a bug of the program a traceback to copy."""

from __future__ import annotations

import traceback

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.icons import pixmap
from app.panels.panel import label
from app.theme import Theme
from core.errors import NominalError, WeightsError
from core.version import VERSION


class ErrorDialog(QDialog):
    """Shows one failure; never blocks the program.

    Parameters
    ----------
    error : BaseException
    theme : Theme
    offer_weights : bool
        Whether an error of the backbone weights leads to them; false where they are in sight already.

    Signals
    -------
    weights_wanted
        The user asked to see the backbone weights, where these are what is wrong.
    """

    weights_wanted = Signal()

    def __init__(
        self, error: BaseException, theme: Theme, parent: QWidget | None = None, *, offer_weights: bool = True
    ) -> None:
        super().__init__(parent)
        self.error = error
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(460)
        sign = QLabel()
        texts = QVBoxLayout()
        row = QHBoxLayout()
        row.setSpacing(14)
        row.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(texts, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 18, 18, 14)
        layout.setSpacing(12)
        layout.addLayout(row)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        if isinstance(error, NominalError):
            self.setWindowTitle(self.tr("That did not work"))
            sign.setPixmap(pixmap("warning", theme.review, 36, self.devicePixelRatioF()))
            texts.addWidget(label(error.problem, "heading", width=380))
            texts.addWidget(label(error.remedy, width=380))
            texts.addStretch()
            self.details = ""
            if isinstance(error, WeightsError) and offer_weights:
                self.weights = QPushButton(self.tr("Backbone &weights …"))
                self.weights.clicked.connect(self.weights_wanted)
                self.weights.clicked.connect(self.accept)
                buttons.addButton(self.weights, QDialogButtonBox.ButtonRole.ActionRole)
        else:
            self.setWindowTitle(self.tr("An error in Nominal"))
            sign.setPixmap(pixmap("reject", theme.reject, 36, self.devicePixelRatioF()))
            texts.addWidget(label(self.tr("Something went wrong inside Nominal."), "heading"))
            texts.addWidget(
                label(
                    self.tr(
                        "This is a fault of the program, not yours. You can go on working. Please send the text below "
                        "to whoever looks after Nominal for you."
                    ),
                    width=440,
                )
            )
            trace = "".join(traceback.format_exception(error))
            self.details = f"Nominal {VERSION}\n{trace}"
            text = QPlainTextEdit(self.details)
            text.setReadOnly(True)
            text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
            text.setMinimumSize(560, 220)
            text.setAccessibleName(self.tr("Details of the error"))
            layout.addWidget(text, 1)
            copy = QPushButton(self.tr("Copy"))
            copy.clicked.connect(self.copy)
            buttons.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)
        layout.addWidget(buttons)

    def copy(self) -> None:
        """Put the traceback on the clipboard."""
        QGuiApplication.clipboard().setText(self.details)
