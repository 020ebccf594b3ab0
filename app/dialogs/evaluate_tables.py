"""The tables of an evaluation: figures with their sentences, verdicts, kinds of defect, what could not be judged."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QBrush, QColor
from PySide6.QtWidgets import QGridLayout, QHeaderView, QLabel, QTreeWidget, QTreeWidgetItem, QWidget

from app.evaluation_words import metric_sentence
from app.icons import colored
from app.panels.panel import label
from app.theme import LIGHT, Theme
from app.verdicts import look
from core.evaluation.reports.tables import NONE, defect_cells, interval, shown
from core.evaluation.results import Confusion, Evaluation, PartResult, metric_title
from core.inspection.verdict import Verdict


class MetricTable(QWidget):
    """Every figure with its 95 % interval and what it says."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(10, 8, 10, 8)
        self._grid.setHorizontalSpacing(14)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(3, 1)

    def show_evaluation(self, evaluation: Evaluation) -> None:
        """Fill the table."""
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.setParent(None)
                widget.deleteLater()
        heads = (self.tr("Figure"), self.tr("Value"), self.tr("95 % interval"))
        for column, text in enumerate(heads):
            self._grid.addWidget(label(text, "muted", wrap=False), 0, column)
        row = 1
        for key, measure in evaluation.metrics.items():
            for column, text in enumerate((metric_title(key), shown(key, measure), interval(key, measure))):
                cell = label(text, "strong" if column < 2 else "", wrap=False)
                cell.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                self._grid.addWidget(cell, row, column)
            self._grid.addWidget(label(metric_sentence(key, measure), "muted", width=280), row + 1, 0, 1, 4)
            self._grid.setRowMinimumHeight(row + 2, 5)
            row += 3
        for note in evaluation.notes:
            self._grid.addWidget(label(note, "warning", width=280), row, 0, 1, 4)
            row += 1
        self._grid.setRowStretch(row, 1)

    def texts(self) -> list[str]:
        """What is shown, cell by cell."""
        return [cell.text() for cell in self.findChildren(QLabel)]


class VerdictTable(QWidget):
    """How many good and how many defective parts get which verdict; the wrong ones stand out."""

    def __init__(self) -> None:
        super().__init__()
        self._theme = LIGHT
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(10)
        self._grid.setVerticalSpacing(4)
        self._heads = {}
        self._cells = {}
        for column, verdict in enumerate(Verdict, 1):
            head = label(look(verdict).word, "muted", wrap=False)
            head.setAlignment(Qt.AlignmentFlag.AlignCenter)
            self._heads[verdict] = head
            self._grid.addWidget(head, 0, column)
            self._grid.setColumnStretch(column, 1)
        for row, (defective, text) in enumerate(
            ((False, self.tr("Good parts")), (True, self.tr("Defective parts"))), 1
        ):
            self._grid.addWidget(label(text, wrap=False), row, 0)
            for column, verdict in enumerate(Verdict, 1):
                cell = label("", "strong", wrap=False)
                cell.setAlignment(Qt.AlignmentFlag.AlignCenter)
                cell.setMinimumHeight(28)
                self._cells[defective, verdict] = cell
                self._grid.addWidget(cell, row, column)

    def show_confusion(self, confusion: Confusion) -> None:
        """Fill the table."""
        for defective, counts in ((False, confusion.good), (True, confusion.defective)):
            for verdict in Verdict:
                cell, wrong = self._cells[defective, verdict], _wrong(defective, verdict)
                cell.setText(f"{counts[verdict]} ✗" if wrong and counts[verdict] else str(counts[verdict]))
                ground = QColor(self._theme.reject if wrong else self._theme.muted)
                ground.setAlphaF(0.28 if wrong and counts[verdict] else 0.08)
                shade = f"rgba({ground.red()}, {ground.green()}, {ground.blue()}, {ground.alpha()})"
                cell.setStyleSheet(f"background: {shade}; border-radius: 3px;")
                cell.setAccessibleName(self._name(defective, verdict, counts[verdict]))

    def count(self, defective: bool, verdict: Verdict) -> int:
        """What a cell shows."""
        return int(self._cells[defective, verdict].text().split()[0])

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme

    def _name(self, defective: bool, verdict: Verdict, count: int) -> str:
        text = self.tr("{n} defective parts: {verdict}") if defective else self.tr("{n} good parts: {verdict}")
        return text.format(n=count, verdict=look(verdict).word)


class DefectTable(QTreeWidget):
    """Each kind of defect held against all good parts; its verdicts follow the threshold."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(self.tr("Kinds of defect"))
        _as_table(self)

    def show_evaluation(self, evaluation: Evaluation, *, anew: bool = True) -> None:
        """Fill the table; not ``anew`` it is the same evaluation at other thresholds, and what is chosen stays."""
        head, rows = defect_cells(evaluation)
        names = [self.tr("Defect"), self.tr("Parts"), *(look(verdict).word for verdict in Verdict), *head[5:]]
        if anew:
            self.clear()
            self.setHeaderLabels(names)
            self.addTopLevelItems([QTreeWidgetItem() for _ in rows])
            for item in self._items():
                for column in range(1, len(names)):
                    item.setTextAlignment(column, Qt.AlignmentFlag.AlignCenter)
        for item, cells in zip(self._items(), rows, strict=True):
            for column, text in enumerate(cells):
                item.setText(column, text)

    def texts(self) -> list[tuple[str, ...]]:
        """The rows."""
        return [tuple(item.text(column) for column in range(self.columnCount())) for item in self._items()]

    def _items(self) -> list[QTreeWidgetItem]:
        found = (self.topLevelItem(row) for row in range(self.topLevelItemCount()))
        return [item for item in found if item is not None]


class FailureTable(QTreeWidget):
    """The scans that could not be judged, each with the reason."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(self.tr("Scans that could not be judged"))
        self.setHeaderLabels([self.tr("Scan"), self.tr("Kind"), self.tr("Why")])
        _as_table(self)
        self.setUniformRowHeights(False)
        self.setWordWrap(True)
        header = self.header()
        header.setStretchLastSection(True)

    def show_parts(self, parts: Sequence[PartResult], theme: Theme) -> None:
        """Fill the table."""
        self.clear()
        for part in parts:
            item = QTreeWidgetItem([part.key, part.kind, part.error or NONE])
            item.setIcon(0, colored("warning", theme.review))
            item.setToolTip(2, part.error)
            item.setToolTip(0, str(part.path))
            item.setForeground(1, QBrush(QColor(theme.muted)))
            self.addTopLevelItem(item)


def _wrong(defective: bool, verdict: Verdict) -> bool:
    return verdict is (Verdict.ACCEPT if defective else Verdict.REJECT)


def _as_table(tree: QTreeWidget) -> None:
    tree.setRootIsDecorated(False)
    tree.setUniformRowHeights(True)
    tree.setAllColumnsShowFocus(True)
    tree.setEditTriggers(QTreeWidget.EditTrigger.NoEditTriggers)
    header = tree.header()
    header.setSectionsMovable(False)
    header.setStretchLastSection(False)
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
