"""Training several methods in one go: which ones, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHeaderView, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from app.icons import colored
from app.panels.panel import label
from app.quantities import NOTHING, duration, number
from app.theme import Theme
from app.work import Method
from core.errors import NominalError

if TYPE_CHECKING:
    from core.several import Outcome

_COLUMNS = 3


class AlsoTrain(QWidget):
    """Further methods to train on the same scans, each with the same preset's own settings.

    Signals
    -------
    changed
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._boxes: dict[str, QCheckBox] = {}
        self._methods: dict[str, Method] = {}
        self._usable: set[str] = set()
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(14)
        self.note = label(role="muted", width=360)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._grid)
        layout.addWidget(self.note)

    def set_methods(self, methods: Sequence[Method]) -> None:
        """Offer these."""
        for method in methods:
            box = QCheckBox(method.title)
            box.setToolTip(method.summary)
            box.toggled.connect(lambda _: self._changed())
            self._boxes[method.id], self._methods[method.id] = box, method

    @property
    def chosen(self) -> tuple[str, ...]:
        """Ids of the methods to train besides the first."""
        return tuple(i for i, box in self._boxes.items() if i in self._usable and box.isChecked())

    def show_for(self, first: Method, preset: str, good: int) -> None:
        """Offer what can be trained besides ``first`` with this preset on so many good scans."""
        while self._grid.count():
            self._grid.takeAt(0)
        self._usable = set()
        place = 0
        for method_id, box in self._boxes.items():
            method = self._methods[method_id]
            box.setVisible(method_id != first.id)
            if method_id == first.id:
                continue
            possible = preset in method.presets and good >= method.min_scans
            if possible:
                self._usable.add(method_id)
            box.setEnabled(possible)
            self._grid.addWidget(box, place // _COLUMNS, place % _COLUMNS)
            place += 1
        self._say(preset)

    def _changed(self) -> None:
        self._say("")
        self.changed.emit()

    def _say(self, preset: str) -> None:
        if preset:
            self._preset = preset
        text = self.tr("Each by its own settings of the preset {preset}. The scans are read once for all.")
        self.note.setText(text.format(preset=self._preset) if self.chosen else "")
        self.note.setVisible(bool(self.chosen))

    _preset = ""


class SeveralReport(QTreeWidget):
    """One row a method: how it did on validation parts, its threshold, its time."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(self.tr("Trained methods"))
        self.setHeaderLabels(
            [
                self.tr("Method"),
                self.tr("On validation parts"),
                self.tr("95 % interval"),
                self.tr("Part threshold"),
                self.tr("Time"),
            ]
        )
        self.setRootIsDecorated(False)
        self.setAllColumnsShowFocus(True)
        self.setWordWrap(True)
        header = self.header()
        header.setSectionsMovable(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)

    def show_outcomes(
        self, outcomes: Sequence[Outcome], best: Sequence[int], titles: dict[str, str], theme: Theme
    ) -> None:
        """Fill the table; ``best`` are the rows that did best."""
        self.clear()
        for row, outcome in enumerate(outcomes):
            title = titles.get(outcome.choice.pipeline, outcome.choice.pipeline)
            item = QTreeWidgetItem([title])
            self.addTopLevelItem(item)
            if outcome.calibration is None:
                item.setIcon(0, colored("warning", theme.review))
                item.setText(1, self.tr("not trained"))
                item.setTextAlignment(1, Qt.AlignmentFlag.AlignCenter)
                item.setToolTip(1, reason(outcome))
                continue
            value = outcome.validation
            known = value is not None and value.low == value.low
            item.setText(1, NOTHING if value is None else f"O-AUROC {value.value:.3f}")
            item.setText(2, f"{value.low:.3f} … {value.high:.3f}" if value is not None and known else NOTHING)
            item.setText(3, number(outcome.calibration.part_threshold))
            item.setText(4, duration(outcome.seconds))
            for column in range(1, 5):
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignCenter)
            if value is not None:
                item.setToolTip(1, value.text)
            if row in best:
                item.setIcon(0, colored("accept", theme.accept))
                item.setText(0, self.tr("{title}: best").format(title=title))
                font = item.font(0)
                font.setBold(True)
                item.setFont(0, font)

    def texts(self) -> list[tuple[str, ...]]:
        """The rows."""
        rows = (self.topLevelItem(row) for row in range(self.topLevelItemCount()))
        return [tuple(item.text(c) for c in range(5)) for item in rows if item is not None]


def reason(outcome: Outcome) -> str:
    """Why there is no model."""
    error = outcome.error
    return str(error) if isinstance(error, NominalError) else f"{type(error).__name__}: {error}"
