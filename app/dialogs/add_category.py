"""Adding a folder of parts to the library."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from app.dialogs.category_form import CategoryForm
from app.panels.panel import label
from app.session import Session


class AddCategoryDialog(QDialog):
    """Shows what a folder holds before it is taken into the library."""

    def __init__(self, session: Session, folder: Path | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Add a folder of parts"))
        self.setMinimumWidth(520)
        self.form = CategoryForm(session, folder)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel | QDialogButtonBox.StandardButton.Ok)
        self.add = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        self.add.setText(self.tr("Add"))
        self.add.setEnabled(self.form.category is not None)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(12)
        layout.addWidget(label(self.tr("A category is one kind of part. Its scans stay where they are."), "muted"))
        layout.addWidget(self.form)
        layout.addWidget(self.buttons)
        self.form.recognised.connect(lambda category: self.add.setEnabled(category is not None))
        self.buttons.accepted.connect(session.failures.guarded(self._take))
        self.buttons.rejected.connect(self.reject)

    def _take(self) -> None:
        if self.form.category is not None:
            self._session.settings.unit = self.form.category.unit
            self._session.add_category(self.form.category)
            self.accept()
