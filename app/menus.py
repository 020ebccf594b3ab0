"""The menu bar and the tool bar, from the table of actions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, QSize, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QDockWidget, QMainWindow, QMenu, QToolBar, QToolButton

from app.actions import MENUS, VIEW, in_menu
from app.session import Session
from app.theme import CHOICES

_TOOLS = (
    "open", "add_folder", "train", "", "inspect", "inspect_all", "previous", "next", "", "undo", "redo", "",
    "fit", "", "export", "", "shortcuts",
)  # fmt: skip
_WITH_WORDS = ("open", "add_folder", "inspect", "train", "export")


class Menus(QObject):
    """Fills a window's menu bar, and keeps the recent files.

    Signals
    -------
    opened
        A menu is about to show: its actions should be up to date.
    recent_chosen(Path), theme_chosen(str), device_chosen(str), first_layout_wanted
    """

    opened = Signal()
    recent_chosen = Signal(object)
    theme_chosen = Signal(str)
    device_chosen = Signal(str)
    first_layout_wanted = Signal()

    def __init__(
        self,
        window: QMainWindow,
        session: Session,
        actions: Mapping[str, QAction],
        docks: Iterable[QDockWidget],
        theme_choice: str,
    ) -> None:
        super().__init__(window)
        self._settings = session.settings
        self.recent = QMenu(self.tr("Open &recent"), window)
        for menu_text in MENUS:
            menu = window.menuBar().addMenu(QCoreApplication.translate("Actions", menu_text))
            menu.setToolTipsVisible(True)
            for spec in in_menu(menu_text):
                if spec.separated:
                    menu.addSeparator()
                menu.addAction(actions[spec.id])
                if spec.id == "open":
                    menu.addMenu(self.recent)
            menu.aboutToShow.connect(self.opened)
            if menu_text == VIEW:
                self._fill_view(menu, docks, theme_choice)
        self.recent.aboutToShow.connect(session.failures.guarded(self._fill_recent))
        session.recent_changed.connect(self._refresh_recent)
        self._refresh_recent()

    def _fill_view(self, menu: QMenu, docks: Iterable[QDockWidget], theme_choice: str) -> None:
        menu.addSeparator()
        panels = menu.addMenu(self.tr("&Panels"))
        for dock in docks:
            panels.addAction(dock.toggleViewAction())
        panels.addSeparator()
        panels.addAction(self.tr("As at the &first start")).triggered.connect(
            lambda *_: self.first_layout_wanted.emit()
        )
        texts = {"system": self.tr("As the &system"), "light": self.tr("&Light"), "dark": self.tr("&Dark")}
        themes = {choice: texts[choice] for choice in CHOICES}
        _fill_choices(menu.addMenu(self.tr("&Theme")), themes, theme_choice, self.theme_chosen.emit)
        devices = {"auto": self.tr("&Automatic"), "cpu": self.tr("&CPU"), "cuda": self.tr("C&UDA GPU")}
        _fill_choices(menu.addMenu(self.tr("De&vice")), devices, self._settings.device, self.device_chosen.emit)

    def _refresh_recent(self) -> None:
        self.recent.setEnabled(bool(self._settings.recent))

    def _fill_recent(self) -> None:
        self.recent.clear()
        for text in self._settings.recent:
            self.recent.addAction(text).triggered.connect(partial(self._choose_recent, Path(text)))

    def _choose_recent(self, path: Path, *_: object) -> None:
        self.recent_chosen.emit(path)


def make_tool_bar(actions: Mapping[str, QAction]) -> QToolBar:
    """The tool bar: the few actions that a day's work is made of."""
    bar = QToolBar(QCoreApplication.translate("Tools", "Tools"))
    bar.setObjectName("toolbar")
    bar.setMovable(False)
    bar.setIconSize(QSize(20, 20))
    bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
    words = {
        "open": QCoreApplication.translate("Tools", "Open"),
        "add_folder": QCoreApplication.translate("Tools", "Add folder"),
        "train": QCoreApplication.translate("Tools", "Train"),
        "export": QCoreApplication.translate("Tools", "Export"),
    }
    for action_id in _TOOLS:
        if not action_id:
            bar.addSeparator()
            continue
        action = actions[action_id]
        bar.addAction(action)
        button = bar.widgetForAction(action)
        assert isinstance(button, QToolButton)
        button.setAccessibleName(action.iconText())
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if action_id in _WITH_WORDS:
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        action.setIconText(words.get(action_id, action.iconText()))
    return bar


def _fill_choices(menu: QMenu, texts: Mapping[str, str], chosen: str, choose: Callable[[str], None]) -> None:
    """One checkable entry a choice, of which one holds."""
    group = QActionGroup(menu)
    for key, text in texts.items():
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(key == chosen)
        action.triggered.connect(lambda _=False, key=key: choose(key))
        group.addAction(action)
