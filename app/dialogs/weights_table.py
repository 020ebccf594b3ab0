"""The table of the Weights dialog: every known set below its network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QBrush, QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
    QTreeWidgetItemIterator,
    QWidget,
)

from app.icons import colored
from app.quantities import NOTHING, number
from app.theme import LIGHT, Theme

if TYPE_CHECKING:
    from app.features_in_use import FeaturesInUse
    from core.backbones.weights import WeightSet

_SET = Qt.ItemDataRole.UserRole
_TITLE, _STATE, _SIZE, _LICENCE, _USED = range(5)
_UP = (
    QAbstractItemView.CursorAction.MoveUp,
    QAbstractItemView.CursorAction.MovePageUp,
    QAbstractItemView.CursorAction.MovePrevious,
)


def megabytes(size: int) -> str:
    """A file's size; a dash where it is not known."""
    return f"{number(size / 1e6, 3)} MB" if size else NOTHING


class WeightsTable(QTreeWidget):
    """Sets below their networks' names. Only sets can be chosen, with the mouse and with the keys.

    Signals
    -------
    chosen(WeightSet or None)
    """

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = LIGHT
        self._networks: dict[str, str] = {}
        self.setHeaderLabels(
            [self.tr("Weights"), self.tr("State"), self.tr("Size"), self.tr("Licence"), self.tr("Used now by")]
        )
        self.setAccessibleName(self.tr("Backbone weights"))
        self.setObjectName("weights")
        self.setRootIsDecorated(False)
        self.setItemsExpandable(False)
        self.setIndentation(12)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionsMovable(False)
        for column in range(5):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(_TITLE, QHeaderView.ResizeMode.Stretch)
        self.headerItem().setTextAlignment(_SIZE, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.currentItemChanged.connect(lambda *_: self.chosen.emit(self.current))

    @property
    def current(self) -> WeightSet | None:
        """The chosen set."""
        item = self.currentItem()
        return None if item is None else item.data(_TITLE, _SET)

    def choose(self, name: str) -> bool:
        """Choose a set by name; whether it is listed."""
        for item in self._items():
            if item.data(_TITLE, _SET).name == name:
                self.setCurrentItem(item)
                return True
        return False

    def row(self, name: str) -> tuple[str, ...]:
        """The texts of a set's row; empty if it is not listed."""
        found = next((item for item in self._items() if item.data(_TITLE, _SET).name == name), None)
        return () if found is None else tuple(found.text(column) for column in range(5))

    def show_sets(
        self, sets: Sequence[WeightSet], in_use: Sequence[FeaturesInUse], networks: dict[str, str], theme: Theme
    ) -> None:
        """Fill the table.

        Parameters
        ----------
        sets : sequence of WeightSet
        in_use : sequence of FeaturesInUse
            Of every method; empty while they are not known.
        networks : mapping of str to str
            Titles of the architectures.
        theme : Theme
        """
        kept = self.current.name if self.current is not None else ""
        self._theme = theme
        self.blockSignals(True)
        self.clear()
        groups: dict[str, QTreeWidgetItem] = {}
        for chosen in sets:
            group = groups.get(chosen.architecture)
            if group is None:
                group = groups[chosen.architecture] = self._group(
                    networks.get(chosen.architecture, chosen.architecture)
                )
            group.addChild(self._item(chosen, in_use))
        self.expandAll()
        self.blockSignals(False)
        if not self.choose(kept):
            self.choose(next((chosen.name for chosen in sets if chosen.available), sets[0].name if sets else ""))
        self.chosen.emit(self.current)

    def full_height(self) -> int:
        """The height that shows every row, in pixels."""
        rows = sum(1 for _ in self._items()) + self.topLevelItemCount()
        return self.header().height() + rows * max(self.sizeHintForRow(0), 1) + 2 * self.frameWidth() + 2

    def moveCursor(self, action: QAbstractItemView.CursorAction, modifiers: Qt.KeyboardModifier) -> QModelIndex:
        """Step over the names of the networks."""
        index = super().moveCursor(action, modifiers)
        while index.isValid() and not index.parent().isValid():
            index = self.indexAbove(index) if action in _UP else self.indexBelow(index)
        if not index.isValid():
            if action in _UP:
                self.scrollToTop()
            return self.currentIndex()
        return index

    def _group(self, title: str) -> QTreeWidgetItem:
        item = QTreeWidgetItem([title])
        item.setFlags(Qt.ItemFlag.ItemIsEnabled)
        font = self.font()
        font.setBold(True)
        item.setFont(_TITLE, font)
        for column in range(5):
            item.setBackground(column, QBrush(QColor(self._theme.window)))
        self.addTopLevelItem(item)
        item.setFirstColumnSpanned(True)
        return item

    def _item(self, chosen: WeightSet, in_use: Sequence[FeaturesInUse]) -> QTreeWidgetItem:
        states = {
            "shipped": self.tr("Ships with Nominal"),
            "user": self.tr("Yours"),
            "missing": self.tr("Not here"),
        }
        users = ", ".join(use.title for use in in_use if use.uses(chosen.name))
        size = megabytes(chosen.size or chosen.published_size)
        item = QTreeWidgetItem([chosen.title, states[chosen.origin], size, chosen.licence, users])
        item.setData(_TITLE, _SET, chosen)
        item.setToolTip(_TITLE, f"{chosen.title}\n{chosen.name}")
        item.setToolTip(_LICENCE, chosen.terms)
        item.setToolTip(_USED, users)
        item.setTextAlignment(_SIZE, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if chosen.available:
            item.setIcon(_STATE, colored("accept", self._theme.accept))
        else:
            item.setIcon(_STATE, colored("download", self._theme.muted))
            for column in range(5):
                item.setForeground(column, QBrush(QColor(self._theme.muted)))
        return item

    def _items(self) -> Iterator[QTreeWidgetItem]:
        entries = QTreeWidgetItemIterator(self)
        while (item := entries.value()) is not None:
            if item.data(_TITLE, _SET) is not None:
                yield item
            entries += 1
