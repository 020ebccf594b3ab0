"""A question with the facts to decide it by."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QPushButton, QVBoxLayout, QWidget

from app.panels.panel import label


class Question(QDialog):
    """Asks before something that is not undone or that reaches outside; ``accepted`` is the yes.

    Parameters
    ----------
    title, heading : str
        Of the dialog; what is asked.
    yes : str
        The button that does it.
    facts : sequence of (str, str)
        What to decide by, each with its name.
    note : str
        What happens then.
    """

    def __init__(
        self,
        title: str,
        heading: str,
        yes: str,
        facts: Sequence[tuple[str, str]] = (),
        note: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.setMinimumWidth(520)
        self.facts = dict(facts)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(10)
        layout.addWidget(label(heading, "heading", width=440))
        if facts:
            form = QFormLayout()
            form.setHorizontalSpacing(14)
            form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
            for name, text in facts:
                value = label(text, width=360)
                value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                title_of = label(name, "muted", wrap=False)
                title_of.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
                form.addRow(title_of, value)
            layout.addLayout(form)
        if note:
            layout.addWidget(label(note, width=440))
        layout.addStretch()
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.yes = QPushButton(yes)
        buttons.addButton(self.yes, QDialogButtonBox.ButtonRole.AcceptRole)
        self.no = buttons.button(QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)
        self.yes.setAutoDefault(False)  # Enter answers no, unless the yes has the focus
        self.no.setDefault(True)
        self.no.setFocus()
