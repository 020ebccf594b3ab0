"""The defects panel: a table of what was found, measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QStackedLayout, QTableView

from app.icons import icon
from app.panels.panel import Panel, label
from app.quantities import count, number
from app.session import Session
from app.theme import Theme
from core.inspection.defects import Defect

Index = QModelIndex | QPersistentModelIndex
SORT = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class Column:
    """One column: its title (``{u}`` is the unit), what is shown, and what is sorted by."""

    title: str
    help: str
    text: Callable[[Defect], str]
    key: Callable[[Defect], float]


class DefectModel(QAbstractTableModel):
    """The defects of an inspection as a table."""

    def __init__(self) -> None:
        super().__init__()
        self.defects: tuple[Defect, ...] = ()
        self.unit = "mm"
        self.columns: tuple[Column, ...] = (
            Column(self.tr("#"), self.tr("Number, as in exported files"), lambda d: str(d.id), lambda d: d.id),
            Column(
                self.tr("Position ({u})"),
                self.tr("Centre of its points: x, y, z"),
                lambda d: ", ".join(number(float(v)) for v in d.position),
                lambda d: float(d.position[0]),
            ),
            Column(self.tr("Area ({u}²)"), self.tr("Surface it covers"), lambda d: number(d.area, 3), lambda d: d.area),
            Column(
                self.tr("Extent ({u})"),
                self.tr("Its length, width and thickness"),
                lambda d: " × ".join(number(float(v), 3) for v in d.extent),
                lambda d: float(max(d.extent)),
            ),
            Column(self.tr("Peak"), self.tr("Highest score in it"), lambda d: number(d.peak), lambda d: d.peak),
            Column(self.tr("Mean"), self.tr("Mean score of its points"), lambda d: number(d.mean), lambda d: d.mean),
            Column(
                self.tr("Height ({u})"),
                self.tr("Largest departure from the reference surface: + above, − below. Needs a method with one."),
                lambda d: number(d.height, 3),
                lambda d: d.height if d.height is not None else float("-inf"),
            ),
            Column(
                self.tr("Volume ({u}³)"),
                self.tr("Volume between it and the reference surface. Needs a method with one."),
                lambda d: number(d.volume, 3),
                lambda d: d.volume if d.volume is not None else float("-inf"),
            ),
            Column(self.tr("Points"), self.tr("Marked points in it"), lambda d: count(d.points), lambda d: d.points),
        )

    def show(self, defects: tuple[Defect, ...], unit: str) -> None:
        self.beginResetModel()
        self.defects, self.unit = defects, unit
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own signature)
        return 0 if parent.isValid() else len(self.defects)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.columns)

    def title(self, column: int) -> str:
        return self.columns[column].title.format(u=self.unit)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        defect, column = self.defects[index.row()], self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(defect)
        if role == SORT:
            return column.key(defect)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.title(section)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self.columns[section].help
        return None


class DefectsPanel(Panel):
    """Lists the defects; choosing one flies to it.

    Signals
    -------
    chosen(defect or None), visited(defect)
        Selected in the list; double-clicked or Enter.
    """

    chosen = Signal(object)
    visited = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._showing = False
        self.model = DefectModel()
        self.sorted = QSortFilterProxyModel()
        self.sorted.setSourceModel(self.model)
        self.sorted.setSortRole(SORT)
        self.table = QTableView()
        self.table.setModel(self.sorted)
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setAlternatingRowColors(True)
        self.table.setTabKeyNavigation(False)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setAccessibleName(self.tr("Defects"))
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(24)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

        self.copy = QAction(self.tr("Copy rows"), self)
        self.copy.setShortcut(QKeySequence.StandardKey.Copy)
        self.copy.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.copy.triggered.connect(session.failures.guarded(self._copy))
        self.table.addAction(self.copy)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)

        self.empty = label(role="empty")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.stack = QStackedLayout(self)
        self.stack.addWidget(self.empty)
        self.stack.addWidget(self.table)

        guarded = session.failures.guarded
        session.inspection_changed.connect(guarded(self.refresh))
        session.result_changed.connect(guarded(self._new_result))
        self.table.selectionModel().selectionChanged.connect(guarded(lambda *_: self._select()))
        self.table.doubleClicked.connect(guarded(lambda *_: self._visit()))
        self.table.activated.connect(guarded(lambda *_: self._visit()))
        self._fitted = False
        self.refresh()

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        self.copy.setIcon(icon("copy", theme))

    @property
    def selected(self) -> tuple[Defect, ...]:
        """The selected defects, in the order of the table."""
        rows = sorted(self.table.selectionModel().selectedRows(), key=lambda i: i.row())
        return tuple(self.model.defects[self.sorted.mapToSource(i).row()] for i in rows)

    def refresh(self) -> None:
        """Show the defects as they stand; the selected one stays selected where it still is."""
        inspection = self._session.inspection
        defects = () if inspection is None else inspection.defects.defects
        before = self.selected[0] if self.selected else None
        self._showing = True
        self.model.show(defects, inspection.scan.unit if inspection is not None else "mm")
        again = None if before is None else same_defect(before, defects)
        if again is not None:
            index = self.sorted.mapFromSource(self.model.index(again, 0))
            self.table.selectionModel().select(
                index, QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
            )
        self._showing = False
        if defects and not self._fitted:
            self.table.resizeColumnsToContents()
            self._fitted = True
        self.empty.setText(self._why_empty())
        self.stack.setCurrentWidget(self.table if defects else self.empty)
        if before is not None:
            self.chosen.emit(None if again is None else defects[again])

    def _why_empty(self) -> str:
        inspection = self._session.inspection
        if inspection is None:
            return self.tr("Defects are listed here after an inspection.")
        marked = int(inspection.defects.mask.sum())
        if marked == 0:
            return self.tr("No defects: no point lies above the point threshold.")
        return self.tr(
            "No defects: {n} points lie above the point threshold, but in groups smaller than the smallest defect."
        ).format(n=count(marked))

    def select_next(self) -> None:
        """Select the defect after the selected one, the first after the last."""
        if not self.model.defects:
            return
        rows = self.table.selectionModel().selectedRows()
        self.table.selectRow((rows[-1].row() + 1) % len(self.model.defects) if rows else 0)

    def _new_result(self) -> None:
        self._fitted = False
        self._showing = True
        self.table.clearSelection()
        self._showing = False
        self.chosen.emit(None)

    def _select(self) -> None:
        if self._showing:
            return
        chosen = self.selected
        self.chosen.emit(chosen[0] if chosen else None)
        if len(chosen) == 1:
            self.visited.emit(chosen[0])

    def _visit(self) -> None:
        if self.selected:
            self.visited.emit(self.selected[0])

    def _copy(self) -> None:
        """The selected rows (all if none is) with their header, as a spreadsheet takes them."""
        defects = self.selected or self.model.defects
        lines = ["\t".join(self.model.title(c) for c in range(self.model.columnCount()))]
        lines += ["\t".join(column.text(d) for column in self.model.columns) for d in defects]
        QGuiApplication.clipboard().setText("\n".join(lines))
        self._session.message.emit(self.tr("{n} rows copied.").format(n=len(defects)))


def same_defect(before: Defect, defects: tuple[Defect, ...]) -> int | None:
    """Which of ``defects`` lies where ``before`` was: the one whose bounds hold its position, nearest centre first."""
    found = [
        (float(((d.position - before.position) ** 2).sum()), i)
        for i, d in enumerate(defects)
        if (d.bounds[0] <= before.position).all() and (before.position <= d.bounds[1]).all()
    ]
    return min(found)[1] if found else None
