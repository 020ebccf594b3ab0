"""Which features a training would use, and what better ones could be brought here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.panels.panel import label, rerole
from app.weight_store import WeightStore
from app.work import FeatureRequest
from core.datasets.category import Category
from core.errors import NominalError

if TYPE_CHECKING:
    from core.pipelines.features import FeatureUse

_WITH_IMAGES_INSIDE = (".npz", ".h5", ".hdf5")


class FeatureNote(QWidget):
    """A line on the features, one on better ones, and the way to the weights.

    Signals
    -------
    weights_wanted
        The user asked to see the backbone weights.
    """

    weights_wanted = Signal()

    def __init__(self, store: WeightStore) -> None:
        super().__init__()
        self._store = store
        self.used = label(width=240)
        self.better = label(role="muted", width=240)
        self.weights = QPushButton(self.tr("&Weights …"))
        self.weights.setAutoDefault(False)
        self.weights.setToolTip(self.tr("See, import, download or remove backbone weights"))
        self.weights.clicked.connect(self.weights_wanted)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(self.used)
        texts.addWidget(self.better)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addLayout(texts, 1)
        row.addWidget(self.weights, 0, Qt.AlignmentFlag.AlignTop)
        self.better.hide()
        self.weights.hide()

    def show_for(self, request: FeatureRequest, category: Category | None) -> None:
        """Show what a method's settings mean for a folder of parts."""
        try:
            uses = self._store.uses_of(request)
        except NominalError as error:
            self._show(str(error), "problem", "")
            return
        if not uses:
            self._show(self.tr("its own measurements; it needs no backbone"), "", "")
            self.weights.hide()
            return
        missing = [chosen.title for use in uses for chosen in use.missing]
        if missing:
            text = self.tr("⚠ {titles} is not on this computer: import it, or choose others below.")
            self._show(text.format(titles=", ".join(missing)), "warning", "")
            return
        self._show("; ".join(dict.fromkeys(use.title for use in uses)), "", " ".join(self._hints(uses, category)))

    def _hints(self, uses: tuple[FeatureUse, ...], category: Category | None) -> list[str]:
        hints = []
        preferred = list(dict.fromkeys(chosen.title for use in uses for chosen in use.preferred))
        if preferred:
            text = self.tr("Better, once it is imported: {titles}.", "", len(preferred))
            hints.append(text.format(titles="; ".join(preferred)))
        if any(use.kind == "image" and use.of_photographs for use in uses) and category is not None:
            good = category.good_train()
            if good and not any(e.image or e.path.suffix.lower() in _WITH_IMAGES_INSIDE for e in good):
                hints.append(self.tr("There is no photograph beside these scans."))
        return hints

    def _show(self, text: str, role: str, better: str) -> None:
        self.used.setText(text)
        rerole(self.used, role)
        self.better.setText(better)
        self.better.setVisible(bool(better))
        self.weights.show()
