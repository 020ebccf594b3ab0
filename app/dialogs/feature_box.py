"""A list of features to choose from, for settings that name some."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QComboBox

from app import work


class FeatureBox(QComboBox):
    """Offers what there is on this computer; what is missing is listed and cannot be chosen.

    Parameters
    ----------
    kind : str
        As the setting declares it.
    value : str
        The first choice; listed even if it is not known.
    """

    def __init__(self, kind: str, value: str) -> None:
        super().__init__()
        self._kind = kind
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(18)
        self._fill(value)

    @property
    def value(self) -> str:
        """The chosen name."""
        return str(self.currentData())

    def choose(self, value: str) -> None:
        """Choose by name; a name that is not offered is added."""
        at = self.findData(value)
        if at < 0:
            self.addItem(value, value)
            at = self.count() - 1
        self.setCurrentIndex(at)

    def refresh(self) -> None:
        """Look again at what there is; the choice stays."""
        self.blockSignals(True)
        self._fill(self.value)
        self.blockSignals(False)

    def _fill(self, value: str) -> None:
        self.clear()
        model = self.model()
        assert isinstance(model, QStandardItemModel)
        for choice in work.feature_choices(self._kind):
            text = choice.title
            if not choice.available:
                text = self.tr("{title} (not on this computer)").format(title=text)
            elif choice.name.split(":")[0] == "auto":
                text = f"{text} ({choice.note[:1].lower()}{choice.note[1:]})"
            self.addItem(text, choice.name)
            row = self.count() - 1
            self.setItemData(row, choice.note, Qt.ItemDataRole.ToolTipRole)
            model.item(row).setEnabled(choice.available)
        self.choose(value)
