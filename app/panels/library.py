"""The library panel: categories, their models and scans, with a verdict at each scan."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPoint, QSortFilterProxyModel, Qt, QUrl, Signal
from PySide6.QtGui import QAction, QDesktopServices, QKeySequence, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QStackedLayout,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from app.combine_work import CONSENSUS, candidates
from app.icons import colored, icon
from app.model_comparison import best_models
from app.panels.inspect import model_tip, model_title
from app.panels.panel import Panel, label
from app.session import Session
from app.theme import Theme
from app.verdicts import look, mode_line
from core.datasets.entry import ScanEntry, Split
from core.inspection.verdict import Verdict
from core.store.library import ModelEntry

KIND = Qt.ItemDataRole.UserRole
WHAT = Qt.ItemDataRole.UserRole + 1
CATEGORY, MODEL, SCAN, GROUP, BROKEN = "category", "model", "scan", "group", "broken"


class LibraryPanel(Panel):
    """Shows what there is to inspect, and with what.

    Signals
    -------
    folder_wanted(), training_wanted(category name), batch_wanted(), evaluation_wanted(model)
    """

    folder_wanted = Signal()
    training_wanted = Signal(str)
    batch_wanted = Signal()
    combining_wanted = Signal(str)
    evaluation_wanted = Signal(object)
    demo_wanted = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._scans: dict[Path, QStandardItem] = {}

        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Find a scan or model"))
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName(self.tr("Find in the library"))
        self.model = QStandardItemModel()
        self.filtered = QSortFilterProxyModel()
        self.filtered.setSourceModel(self.model)
        self.filtered.setRecursiveFilteringEnabled(True)
        self.filtered.setAutoAcceptChildRows(True)
        self.filtered.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.tree = QTreeView()
        self.tree.setModel(self.filtered)
        self.tree.setHeaderHidden(True)
        self.tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.tree.setAccessibleName(self.tr("Library"))
        self.tree.setExpandsOnDoubleClick(False)
        self.tree.setIndentation(16)

        empty = QWidget()
        words = label(
            self.tr("No categories yet.\nA category is a kind of part: a folder of scans, good ones at least."), "empty"
        )
        words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.add = QPushButton(self.tr("Add a folder …"))
        self.demo = QPushButton(self.tr("Open the demo"))
        buttons = QVBoxLayout(empty)
        buttons.addStretch()
        buttons.addWidget(words)
        buttons.addWidget(self.add)
        buttons.addWidget(self.demo)
        buttons.addStretch()

        holder = QWidget()
        self.stack = QStackedLayout(holder)
        self.stack.addWidget(self.tree)
        self.stack.addWidget(empty)
        top = QHBoxLayout()
        top.addWidget(self.search)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addLayout(top)
        layout.addWidget(holder, 1)

        self._delete = QAction(self.tr("Remove"), self.tree)
        self._delete.setShortcut(QKeySequence.StandardKey.Delete)
        self._delete.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.tree.addAction(self._delete)

        guarded = session.failures.guarded
        self._delete.triggered.connect(guarded(lambda: self._remove(self.tree.currentIndex())))
        self.search.textChanged.connect(guarded(self._filter))
        self.tree.clicked.connect(guarded(self._open))
        self.tree.activated.connect(guarded(self._open))
        self.tree.expanded.connect(guarded(self._expanded))
        self.tree.customContextMenuRequested.connect(guarded(self._menu))
        self.add.clicked.connect(self.folder_wanted)
        self.demo.clicked.connect(self.demo_wanted)
        for signal in (session.catalog.changed, session.category_changed):
            signal.connect(guarded(self.rebuild))
        session.verdict_changed.connect(guarded(self._show_verdict))
        session.model_changed.connect(guarded(self._show_model))
        session.scan_changed.connect(guarded(self._show_current))
        self.rebuild()

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        self.add.setIcon(icon("folder-add", theme))
        self.rebuild()

    # -- building

    def rebuild(self) -> None:
        """Build the tree anew; what was open stays open."""
        open_before = self._expanded_keys()
        at = self.tree.verticalScrollBar().value()
        self.model.clear()
        self._scans.clear()
        session = self._session
        for known in session.catalog.categories:
            row = self._item(known.name, CATEGORY, known.name, "category")
            row.setToolTip(f"{known.folder} ({known.unit})")
            self._fill_category(row, known.name)
            self.model.appendRow(row)
        if session.catalog.loose:
            group = self._item(
                self.tr("Opened scans ({n})").format(n=len(session.catalog.loose)), GROUP, "loose", "open"
            )
            group.appendRows([self._scan_item(e, e.key) for e in session.catalog.loose])
            self.model.appendRow(group)
        broken = session.catalog.models("")
        if broken:
            group = self._item(self.tr("Models that cannot be used"), GROUP, "broken", "warning")
            for entry in broken:
                item = self._item(entry.path.name, BROKEN, entry.path, "warning")
                item.setToolTip(entry.problem or "")
                group.appendRow(item)
            self.model.appendRow(group)
        self.stack.setCurrentIndex(0 if self.model.rowCount() else 1)
        self._expand(open_before)
        self._show_model()
        self._show_current()
        self.tree.verticalScrollBar().setValue(at)

    def _fill_category(self, row: QStandardItem, name: str) -> None:
        session = self._session
        models = session.catalog.models(name)
        text = self.tr("Models ({n})").format(n=len(models)) if models else self.tr("No model yet: train one")
        group = self._item(text, GROUP, f"{name}/models", "model")
        best = best_models(models)
        group.appendRows([self._model_item(entry, entry.path in best) for entry in models])
        row.appendRow(group)
        category = session.category
        if category is None or category.name != name:
            row.appendRow(self._item(self.tr("Open to list its scans"), GROUP, f"{name}/closed", "scan"))
            return
        titles: dict[Split, str] = {
            "train": self.tr("Good parts ({n})"),
            "validation": self.tr("Validation ({n})"),
            "test": self.tr("Test ({n})"),
        }
        for split, title in titles.items():
            entries = category.split(split)
            if not entries:
                continue
            group = self._item(title.format(n=len(entries)), GROUP, f"{name}/{split}", "scan")
            kinds = list(dict.fromkeys(e.defect or "good" for e in entries))
            for kind in kinds:
                of_kind = [e for e in entries if (e.defect or "good") == kind]
                if len(kinds) == 1:
                    group.appendRows([self._scan_item(e, e.path.stem) for e in of_kind])
                    continue
                sub = self._item(f"{kind} ({len(of_kind)})", GROUP, f"{name}/{split}/{kind}", "defect")
                if kind == "good":
                    sub.setIcon(icon("accept", self.theme))
                sub.appendRows([self._scan_item(e, e.path.stem) for e in of_kind])
                group.appendRow(sub)
            row.appendRow(group)

    def _item(self, text: str, kind: str, what: Any, drawing: str) -> QStandardItem:
        item = QStandardItem(icon(drawing, self.theme), text)
        item.setData(kind, KIND)
        item.setData(what, WHAT)
        return item

    def _model_item(self, entry: ModelEntry, best: bool = False) -> QStandardItem:
        if entry.card is None or entry.problem is not None:
            item = self._item(entry.path.name, BROKEN, entry.path, "warning")
            item.setToolTip(entry.problem or "")
            return item
        drawing = "combine" if entry.card.pipeline == CONSENSUS else "model"
        item = self._item(model_title(entry), MODEL, entry.path, drawing)
        item.setToolTip(model_tip(entry))
        if best:
            name, separator, day = item.text().rpartition(" · ")  # the day may be cut off where the panel is narrow
            text = self.tr("★ {model} · best on validation").format(model=name or day)
            item.setText(f"{text}{separator}{day}" if separator else text)
            item.setIcon(colored(drawing, self.theme.accept))
            tip = self.tr("Best on validation of the models that were measured on the same parts.")
            item.setToolTip(f"{tip}\n{item.toolTip()}")
        return item

    def _scan_item(self, entry: ScanEntry, text: str) -> QStandardItem:
        item = self._item(text, SCAN, entry, "unknown")
        item.setToolTip(str(entry.path))
        self._scans[entry.path] = item
        self._dress_scan(entry.path)
        return item

    # -- following the session

    def _show_verdict(self, path: Path) -> None:
        self._dress_scan(path)

    def _dress_scan(self, path: Path) -> None:
        item = self._scans.get(path)
        if item is None:
            return
        problem = self._session.problems.get(path)
        known = self._session.known_of(path)
        said = () if known is None else tuple(filter(None, (look(known.verdict).word, mode_line(known.lacking))))
        if problem is not None:
            item.setIcon(colored("warning", self.theme.review))
            item.setToolTip(f"{path}\n{problem}")
        elif known is None:
            item.setIcon(colored("unknown", self.theme.muted))
            item.setToolTip(str(path))
        else:
            item.setIcon(colored(look(known.verdict).icon, verdict_color(known.verdict, self.theme)))
            item.setToolTip("\n".join((*said, str(path))))
        item.setData(", ".join(said) or self.tr("not inspected"), Qt.ItemDataRole.AccessibleDescriptionRole)

    def _show_model(self) -> None:
        chosen = self._session.model_path
        for item in self._items():
            if item.data(KIND) == MODEL:
                self._embolden(item, item.data(WHAT) == chosen)
        for path in self._scans:
            self._dress_scan(path)

    def _show_current(self) -> None:
        entry = self._session.entry
        for path, item in self._scans.items():
            self._embolden(item, entry is not None and path == entry.path)
        if entry is None or entry.path not in self._scans:
            return
        index = self.filtered.mapFromSource(self.model.indexFromItem(self._scans[entry.path]))
        if index.isValid():
            above = index.parent()
            while above.isValid():
                self.tree.expand(above)
                above = above.parent()
            self.tree.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            self.tree.scrollTo(index)

    def _embolden(self, item: QStandardItem, on: bool) -> None:
        font = item.font()
        if font.bold() != on:
            font.setBold(on)
            item.setFont(font)

    # -- what the user does

    def _open(self, index: QModelIndex) -> None:
        kind, what = index.data(KIND), index.data(WHAT)
        if kind == SCAN and isinstance(what, ScanEntry):
            shown = self._session.scans.awaited or self._session.entry
            if shown is None or shown.path != what.path:
                self._session.scans.awaited = what
                self._session.scans.open(what)
        elif kind == MODEL:
            self._session.choose_model(what)
        elif kind == CATEGORY:
            self._session.open_category(what)
            self.tree.expand(index)
        elif kind == GROUP and str(what).endswith("/closed"):
            self._session.open_category(index.parent().data(WHAT))
        elif kind == GROUP and str(what).endswith("/models") and not self.filtered.rowCount(index):
            self.training_wanted.emit(index.parent().data(WHAT))

    def _expanded(self, index: QModelIndex) -> None:
        if index.data(KIND) == CATEGORY and not self.search.text():
            self._session.open_category(index.data(WHAT))

    def _remove(self, index: QModelIndex) -> None:
        kind, what = index.data(KIND), index.data(WHAT)
        if kind in (MODEL, BROKEN):
            self._session.delete_model(what)
            self._session.message.emit(self.tr("The model is in the trash. Undo brings it back."))
        elif kind == CATEGORY:
            self._session.remove_category(what)
            self._session.message.emit(self.tr("{name} is off the list. Its files stay.").format(name=what))
        elif kind == SCAN and what in self._session.catalog.loose:
            self._session.catalog.drop(what)

    def _menu(self, at: QPoint) -> None:
        index = self.tree.indexAt(at)
        menu = self.menu_for(index)
        if not menu.isEmpty():
            menu.popup(self.tree.viewport().mapToGlobal(at))

    def menu_for(self, index: QModelIndex) -> QMenu:
        """The context menu of a row."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        session, guarded = self._session, self._session.failures.guarded
        kind, what = index.data(KIND), index.data(WHAT)

        def add(text: str, do: Any, drawing: str, enabled: bool = True) -> None:
            action = menu.addAction(icon(drawing, self.theme), text)
            action.triggered.connect(guarded(lambda *_: do()))
            action.setEnabled(enabled)

        if kind == CATEGORY:
            known = session.catalog.category(what)
            opened = session.category is not None and session.category.name == what
            add(self.tr("Open"), lambda: session.open_category(what), "open", not opened)
            add(self.tr("Train a model …"), lambda: self.training_wanted.emit(what), "train")
            several = len(candidates(session.catalog.models(what))) > 1
            add(self.tr("Combine models …"), lambda: self.combining_wanted.emit(what), "combine", several)
            add(
                self.tr("Inspect all test scans"), self.batch_wanted.emit, "batch", opened and session.model is not None
            )
            if known is not None:
                add(self.tr("Show in the file manager"), lambda: _reveal(known.folder), "category")
            menu.addSeparator()
            add(self.tr("Remove from the library"), lambda: self._remove(index), "trash")
        elif kind == MODEL:
            add(
                self.tr("Inspect with this model"),
                lambda: session.choose_model(what),
                "model",
                what != session.model_path,
            )
            add(self.tr("Evaluate this model …"), lambda: self.evaluation_wanted.emit(what), "evaluate")
            add(self.tr("Show in the file manager"), lambda: _reveal(what.parent), "category")
            menu.addSeparator()
            add(self.tr("Delete model"), lambda: self._remove(index), "trash")
        elif kind == BROKEN:
            add(self.tr("Delete model"), lambda: self._remove(index), "trash")
        elif kind == SCAN:
            add(self.tr("Open"), lambda: self._open(index), "open")
            add(self.tr("Show in the file manager"), lambda: _reveal(what.path.parent), "category")
            if what in session.catalog.loose:
                menu.addSeparator()
                add(self.tr("Remove from the list"), lambda: self._remove(index), "trash")
        else:
            add(self.tr("Add a folder …"), self.folder_wanted.emit, "folder-add")
        return menu

    def _filter(self, text: str) -> None:
        self.filtered.setFilterFixedString(text.strip())
        if text.strip():
            self.tree.expandAll()
        else:
            self._show_current()

    # -- keeping the tree's shape

    def _items(self) -> Iterable[QStandardItem]:
        waiting = [self.model.item(row) for row in range(self.model.rowCount())]
        while waiting:
            item = waiting.pop()
            if item is not None:
                yield item
                waiting.extend(item.child(row) for row in range(item.rowCount()))

    def _expanded_keys(self) -> set[str]:
        return {
            str(item.data(WHAT))
            for item in self._items()
            if self.tree.isExpanded(self.filtered.mapFromSource(self.model.indexFromItem(item)))
        }

    def _expand(self, keys: set[str]) -> None:
        category = self._session.category
        if category is not None:
            keys = keys | {category.name, f"{category.name}/models", f"{category.name}/test"}
        keys = keys | {"loose"}
        self.tree.blockSignals(True)
        for item in self._items():
            if item.data(KIND) in (CATEGORY, GROUP) and str(item.data(WHAT)) in keys:
                self.tree.expand(self.filtered.mapFromSource(self.model.indexFromItem(item)))
        self.tree.blockSignals(False)


def verdict_color(verdict: Verdict, theme: Theme) -> str:
    """The theme's colour for a verdict's icon."""
    return {Verdict.ACCEPT: theme.accept, Verdict.REVIEW: theme.review, Verdict.REJECT: theme.reject}[verdict]


def _reveal(folder: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
