"""The chunks of a long scan as a table beside its defects: which are rejected, and where they lie."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QSplitter, QTableView, QVBoxLayout

from app.chunk_verdicts import ChunkRow, chunk_rows
from app.icons import colored
from app.panels.defects import DefectsPanel
from app.panels.panel import Panel, label
from app.quantities import count, number
from app.session import Session
from app.theme import LIGHT, Theme
from app.verdicts import look
from core.inspection.verdict import Verdict

Index = QModelIndex | QPersistentModelIndex
SORT = Qt.ItemDataRole.UserRole
_RANK = {Verdict.ACCEPT: 0, Verdict.REVIEW: 1, Verdict.REJECT: 2}


class ChunkModel(QAbstractTableModel):
    """Chunks as a table."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: tuple[ChunkRow, ...] = ()
        self.theme: Theme = LIGHT
        self.titles = (self.tr("Chunk"), self.tr("Verdict"), self.tr("Score"), self.tr("Points"), self.tr("Centre"))
        self.helps = (
            self.tr("Number in the order of measuring"),
            self.tr("Of this chunk, by the part threshold"),
            self.tr("The chunk's object score; the highest is the part's"),
            self.tr("Points of the chunk"),
            self.tr("Middle of its box: x, y, z"),
        )

    def show(self, rows: tuple[ChunkRow, ...]) -> None:
        """List these; the same chunks at other thresholds keep their rows."""
        if len(rows) == len(self.rows):
            self.rows = rows
            self.renew()
            return
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def renew(self) -> None:
        """Have the rows drawn again."""
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, len(self.titles) - 1))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own signature)
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.titles)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, column)
        if role == SORT:
            return (row.number, _RANK[row.verdict], row.score, row.points, float(row.bounds.mean(axis=0)[0]))[column]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignLeft if column == 1 else Qt.AlignmentFlag.AlignRight
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        if column == 1 and role in (Qt.ItemDataRole.DecorationRole, Qt.ItemDataRole.ForegroundRole):
            ink = {v: getattr(self.theme, v.value) for v in Verdict}[row.verdict]
            return colored(look(row.verdict).icon, ink) if role == Qt.ItemDataRole.DecorationRole else QColor(ink)
        return None

    @staticmethod
    def _text(row: ChunkRow, column: int) -> str:
        if column == 4:
            return ", ".join(number(float(v)) for v in row.bounds.mean(axis=0))
        return (str(row.number), look(row.verdict).word, number(row.score), count(row.points))[column]

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        texts = {Qt.ItemDataRole.DisplayRole: self.titles, Qt.ItemDataRole.ToolTipRole: self.helps}.get(
            Qt.ItemDataRole(role)
        )
        return None if texts is None else texts[section]


class ChunksPanel(Panel):
    """Lists the chunks of a long scan; choosing one flies to it. Hidden for scans that are judged whole.

    Signals
    -------
    visited(low, high)
        Opposite corners of the chosen chunk.
    """

    visited = Signal(object, object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.model = ChunkModel()
        self.sorted = QSortFilterProxyModel()
        self.sorted.setSourceModel(self.model)
        self.sorted.setSortRole(SORT)
        self.summary = label(role="strong", wrap=False)
        self.table = QTableView()
        self.table.setModel(self.sorted)
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setAlternatingRowColors(True)
        self.table.setTabKeyNavigation(False)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setAccessibleName(self.tr("Chunks"))
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(24)
        self.table.horizontalHeader().setHighlightSections(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 2, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.summary)
        layout.addWidget(self.table, 1)
        guarded = session.failures.guarded
        session.inspection_changed.connect(guarded(self.refresh))
        self.table.selectionModel().selectionChanged.connect(guarded(lambda *_: self._visit()))
        self.refresh()

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        self.model.theme = theme
        self.model.renew()

    def refresh(self) -> None:
        """Show the chunks as they stand."""
        rows = chunk_rows(self._session.inspection)
        fresh = len(rows) != len(self.model.rows)
        self.model.show(rows)
        self.setVisible(bool(rows))
        if rows and fresh:
            self.table.resizeColumnsToContents()
        counts = [sum(row.verdict is v for row in rows) for v in (Verdict.REJECT, Verdict.REVIEW)]
        self.summary.setText(
            self.tr("{n} chunks: {rejected} rejected, {review} for review").format(
                n=len(rows), rejected=counts[0], review=counts[1]
            )
        )

    def _visit(self) -> None:
        chosen = self.table.selectionModel().selectedRows()
        if chosen:
            low, high = self.model.rows[self.sorted.mapToSource(chosen[0]).row()].bounds
            self.visited.emit(low, high)


class Findings(Panel):
    """The defects, and beside them the chunks where there are some."""

    def __init__(self, defects: DefectsPanel, chunks: ChunksPanel) -> None:
        super().__init__()
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(defects)
        splitter.addWidget(chunks)
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 2)
        splitter.setChildrenCollapsible(False)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(splitter)
