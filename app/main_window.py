"""The main window: the view in the middle, docks around it, menus and keys. Shows and asks; decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QPoint, QTimer
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QKeySequence,
    QShortcut,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QDialog,
    QFileDialog,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from app.actions import ACTIONS
from app.blending import Blending
from app.dialog_actions import DialogActions
from app.dialogs.evaluate import EvaluateDialog
from app.dialogs.reduced import reduced_question
from app.dialogs.weights import WeightsDialog
from app.docks import give_height, lay_docks
from app.first_steps import FirstSteps
from app.icons import icon
from app.jobs import Job
from app.menus import Menus, make_tool_bar
from app.panels.blend import BlendBar
from app.panels.chunks import ChunksPanel, Findings
from app.panels.defects import DefectsPanel
from app.panels.explanation import ExplanationCard
from app.panels.guide import Guide
from app.panels.inspect import InspectPanel
from app.panels.library import LibraryPanel
from app.panels.maps import MapsPanel
from app.panels.panel import Panel
from app.panels.picture import PicturePanel
from app.panels.thresholds import ThresholdsPanel
from app.session import Session
from app.settings import SettingsFile
from app.status import StatusBar
from app.theme import Theme, ThemeController
from app.view_actions import ViewActions
from app.view_link import ViewLink
from app.viewer.viewer import Viewer
from app.weight_store import is_weights_file
from core.store.model_file import SUFFIX

_STATE_VERSION = 1
_VIEW_MENU = (
    "explain", "end_explanation", "", "flip_maps", "show_difference", "show_reconstruction", "", "fit", "save_picture",
)  # fmt: skip
_TEXT_ENTRY = (QLineEdit, QAbstractSpinBox, QPlainTextEdit)


class MainWindow(ViewActions, DialogActions):
    """The one window.

    Parameters
    ----------
    session : Session
    theme : ThemeController
    settings_file : SettingsFile
    make_viewer : callable, optional
        Makes the 3D view; tests may give a stand-in that needs no graphics.
    """

    def __init__(
        self,
        session: Session,
        theme: ThemeController,
        settings_file: SettingsFile,
        make_viewer: Callable[[], QWidget] = Viewer,
    ) -> None:
        super().__init__()
        self.session, self.theme, self._settings_file = session, theme, settings_file
        self._guarded = session.failures.guarded
        self._dialogs: list[QDialog] = []
        self._closing = False
        self._first_layout = True
        self.setWindowTitle("Nominal")
        self.setObjectName("nominal")
        self.setAcceptDrops(True)
        self.actions_by_id = self._make_actions()
        self.viewer: Viewer = make_viewer()  # type: ignore[assignment]
        self.guide = Guide()
        middle = QWidget()
        layout = QVBoxLayout(middle)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.guide)
        layout.addWidget(self.viewer, 1)
        self.setCentralWidget(middle)

        self.library = LibraryPanel(session)
        self.inspect_panel = InspectPanel(
            session, *(self.actions_by_id[name] for name in ("inspect", "train", "open_model"))
        )
        self.thresholds = ThresholdsPanel(session)
        self.maps = MapsPanel(
            session, *(self.actions_by_id[name] for name in ("explain", "flip_maps", "show_difference"))
        )
        self.defects = DefectsPanel(session)
        self.chunks = ChunksPanel(session)
        self.picture = PicturePanel(session, self.maps)
        self._panels: tuple[Panel, ...] = (
            self.library, self.inspect_panel, self.thresholds, self.maps, self.defects, self.chunks,
            self.picture,
        )  # fmt: skip
        self.status = StatusBar(session)
        self.setStatusBar(self.status)
        self._docks = lay_docks(
            self,
            library=self.library,
            inspect=self.inspect_panel,
            thresholds=self.thresholds,
            maps=self.maps,
            defects=Findings(self.defects, self.chunks),
            picture=self.picture,
        )
        self._fill_bars()
        self.blending = Blending(session)
        self._view = ViewLink(session, self.viewer, self.maps, self.defects, self.blending)
        self.blend_bar = BlendBar(self.blending, session, self.viewer)
        self.card = ExplanationCard(session, self.viewer, self.actions_by_id["end_explanation"])
        self.view_menu = self._make_view_menu()
        self._first_steps = FirstSteps(session, self.guide, self.actions_by_id)
        self._connect()
        self.set_theme(theme.theme)
        self._default_state = self.saveState(_STATE_VERSION)
        self._restore_geometry()
        self._show_title()
        self._refresh_actions()
        self.setTabOrder(self.library.search, self.library.tree)

    # -- building

    def _make_actions(self) -> dict[str, QAction]:
        made = {}
        for spec in ACTIONS:
            action = QAction(spec.shown_text, self)
            action.setObjectName(spec.id)
            action.setIconText(spec.shown_text.replace("&", "").removesuffix(" …"))
            action.setShortcuts([QKeySequence(k) for k in spec.keys if len(k) > 1])
            keys = QKeySequence(spec.keys[0]).toString(QKeySequence.SequenceFormat.NativeText) if spec.keys else ""
            action.setToolTip(f"{spec.shown_tip} ({keys})" if keys else spec.shown_tip)
            action.setStatusTip(spec.shown_tip)
            action.setCheckable(spec.checkable)
            action.triggered.connect(self._guarded(partial(self._do, spec.id)))
            for key in (k for k in spec.keys if len(k) == 1):
                shortcut = QShortcut(QKeySequence(key), self)
                shortcut.activated.connect(self._guarded(partial(self._do_by_letter, spec.id, key)))
            self.addAction(action)
            made[spec.id] = action
        return made

    def _do(self, action_id: str, *_: object) -> None:
        getattr(self, f"do_{action_id}")()

    def _do_by_letter(self, action_id: str, key: str) -> None:
        """Single letters are keys of the view; where text is typed or searched they stay letters."""
        focus = QApplication.focusWidget()
        if isinstance(focus, _TEXT_ENTRY):
            if isinstance(focus, QLineEdit):
                focus.insert(key.lower())
            return
        if isinstance(focus, QAbstractItemView) and self.library.isAncestorOf(focus) and key.isdigit():
            return
        self._refresh_actions()
        if self.actions_by_id[action_id].isEnabled():
            self.actions_by_id[action_id].trigger()

    def _fill_bars(self) -> None:
        menus = Menus(self, self.session, self.actions_by_id, self._docks.values(), self.theme.choice)
        menus.opened.connect(self._guarded(self._refresh_actions))
        menus.recent_chosen.connect(self._guarded(lambda path: self.open_paths([path])))
        menus.theme_chosen.connect(self._guarded(self._choose_theme))
        menus.device_chosen.connect(self._guarded(self._choose_device))
        menus.first_layout_wanted.connect(self._guarded(lambda: self._lay_out_again()))
        self.addToolBar(make_tool_bar(self.actions_by_id))

    def _make_view_menu(self) -> QMenu:
        """What the right button in the view offers."""
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for name in _VIEW_MENU:
            if name:
                menu.addAction(self.actions_by_id[name])
            else:
                menu.addSeparator()
        return menu

    def _show_view_menu(self, at: QPoint) -> None:
        self._refresh_actions()
        self.view_menu.popup(at)

    def _connect(self) -> None:
        session, guarded = self.session, self._guarded
        session.scan_changed.connect(guarded(self._show_title))
        session.folder_offered.connect(guarded(self._offer_folder))
        session.reduced_mode.wanted.connect(
            guarded(lambda wish: self._open(reduced_question(wish, session.reduced_mode, self)))
        )
        for signal in (
            session.scan_changed, session.model_changed, session.inspection_changed, session.category_changed,
            session.thresholds_changed, session.jobs.changed, session.picked_changed, session.map_changed,
            session.comparison.changed, session.explaining.changed, self.blending.changed,
        ):  # fmt: skip
            signal.connect(guarded(self._refresh_actions))
        session.undo_stack.indexChanged.connect(guarded(lambda _: self._refresh_actions()))
        session.failures.happened.connect(self._show_failure)
        session.jobs.failed.connect(lambda _, error: session.failures.report(error))
        session.jobs.stopped.connect(guarded(self._say_stopped))
        self.chunks.visited.connect(guarded(self.viewer.look_at))
        self.picture.pointed.connect(guarded(self.viewer.set_pointed))
        self._docks["picture"].visibilityChanged.connect(guarded(self._follow_picture))
        self.theme.changed.connect(guarded(self.set_theme))
        self.viewer.shown_points_changed.connect(guarded(self.status.show_points))
        self.viewer.menu_wanted.connect(guarded(self._show_view_menu))
        self.library.folder_wanted.connect(guarded(self.do_add_folder))
        self.library.demo_wanted.connect(guarded(self.do_open_demo))
        self.library.training_wanted.connect(guarded(self._train_category))
        self.library.batch_wanted.connect(guarded(self.do_inspect_all))
        self.library.combining_wanted.connect(guarded(self._combine))
        self.library.evaluation_wanted.connect(guarded(self._evaluate))
        self.status.cancel_wanted.connect(guarded(self.do_cancel))

    def set_theme(self, theme: Theme) -> None:
        """Dress the parts that the palette does not reach."""
        for spec in ACTIONS:
            if spec.icon:
                self.actions_by_id[spec.id].setIcon(icon(spec.icon, theme))
        for panel in self._panels:
            panel.set_theme(theme)
        self.status.set_theme(theme)
        self.guide.set_theme(theme)
        self.card.set_theme(theme)
        self.viewer.set_theme(theme.dark)
        weights = self.dialog(WeightsDialog)
        if isinstance(weights, WeightsDialog):
            weights.set_theme(theme)
        evaluate = self.dialog(EvaluateDialog)
        if isinstance(evaluate, EvaluateDialog):
            evaluate.set_theme(theme)
        self.setWindowIcon(icon("nominal", theme))

    # -- following the session

    def _refresh_actions(self) -> None:
        for spec in ACTIONS:
            self.actions_by_id[spec.id].setEnabled(spec.when(self.session))
        self.actions_by_id["explain"].setVisible(self.session.explaining.possible)
        self.actions_by_id["show_difference"].setChecked(self.session.comparison.differs)
        self.blending.describe(self.actions_by_id["show_reconstruction"])
        stack = self.session.undo_stack
        for action_id, text, name in (
            ("undo", self.tr("&Undo"), stack.undoText()),
            ("redo", self.tr("&Redo"), stack.redoText()),
        ):
            action = self.actions_by_id[action_id]
            action.setText(f"{text} {name}".strip())
            action.setToolTip(f"{text} {name}".replace("&", "").strip() + f" ({action.shortcut().toString()})")

    def _show_title(self) -> None:
        name = self.session.entry.key if self.session.entry is not None else ""
        self.setWindowTitle(f"{name} – Nominal" if name else "Nominal")

    def _say_stopped(self, job: Job) -> None:
        if (job.cancelled is None and not job.replaces) or (
            job.tag in ("inspect", "demo") and not self.session.jobs.is_busy_with(job.tag)
        ):  # others have their own words, or were only overtaken
            self.session.message.emit(self.tr("Stopped: {title}.").format(title=job.title))

    # -- the actions

    def do_open(self) -> None:
        from core.formats.reader import SUFFIXES

        scans = " ".join(f"*{s}" for s in SUFFIXES)
        filters = ";;".join(
            (
                self.tr("Scans and models ({patterns})").format(patterns=f"{scans} *{SUFFIX}"),
                self.tr("All files (*)"),
            )
        )
        start = self.session.settings.recent[0] if self.session.settings.recent else ""
        names, _ = QFileDialog.getOpenFileNames(self, self.tr("Open scans"), start, filters)
        self.open_paths([Path(name) for name in names])

    def do_open_model(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(
            self, self.tr("Open a model"), "", self.tr("Models ({pattern})").format(pattern=f"*{SUFFIX}")
        )
        self.open_paths([Path(name) for name in names])

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Open scans, folders or models, as dropped or given on the command line; weights are offered for import."""
        weights = [path for path in paths if is_weights_file(path) and path.is_file()]
        others = [path for path in paths if path not in weights]
        if others:
            self.session.scans.open_paths(others)
        if weights:
            self.do_weights().offer(weights)

    def do_open_demo(self) -> None:
        self.session.workshop.open_demo()

    def do_quit(self) -> None:
        self.close()

    def do_undo(self) -> None:
        self.session.undo_stack.undo()

    def do_redo(self) -> None:
        self.session.undo_stack.redo()

    def do_find(self) -> None:
        self._docks["library"].show()
        self.library.search.setFocus()
        self.library.search.selectAll()

    def do_inspect(self) -> None:
        self.session.inspect()

    def do_inspect_all(self) -> None:
        self.session.inspect_all()

    def do_previous(self) -> None:
        self.session.scans.step(-1)

    def do_next(self) -> None:
        self.session.scans.step(1)

    def do_reset_thresholds(self) -> None:
        self.session.threshold_control.reset()

    def do_cancel(self) -> None:
        job = self.session.jobs.current
        if job is not None and job.tag == "batch":
            self.session.jobs.cancel("batch")
        else:
            self.session.jobs.cancel()

    def do_explain(self) -> None:
        self.session.explaining.ask()

    def do_end_explanation(self) -> None:
        self.session.explaining.close()

    def do_guide(self) -> None:
        self._first_steps.start()

    def _choose_theme(self, choice: str) -> None:
        self.session.settings.theme = choice
        self.theme.choose(choice)

    def _choose_device(self, choice: str) -> None:
        self.session.settings.device = choice
        self.session.workshop.prepare()
        self.session.reload_models()

    # -- the window itself

    def _lay_out_again(self) -> None:
        self.restoreState(self._default_state, _STATE_VERSION)
        give_height(self._docks["inspect"], self._docks["thresholds"])

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._first_layout:  # only now is it known how high the texts are
            self._first_layout = False
            QTimer.singleShot(0, self, lambda: give_height(self._docks["inspect"], self._docks["thresholds"]))

    def _restore_geometry(self) -> None:
        kept = self._settings_file.geometry()
        geometry, state = kept.value("geometry"), kept.value("state")
        if geometry is None or not self.restoreGeometry(geometry):
            self.resize(1440, 900)
        self._first_layout = state is None
        if state is not None:
            self.restoreState(state, _STATE_VERSION)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        # Opened after the drop has ended, so that the program it comes from does not wait for a dialog.
        QTimer.singleShot(0, self, self._guarded(partial(self.open_paths, paths)))

    def closeEvent(self, event: QCloseEvent) -> None:
        """Save, stop the work, and close the view before Qt takes the window apart."""
        self._closing = True
        kept = self._settings_file.geometry()
        kept.setValue("geometry", self.saveGeometry())
        kept.setValue("state", self.saveState(_STATE_VERSION))
        kept.sync()
        self._settings_file.save(self.session.settings)
        for dialog in list(self._dialogs):
            dialog.hide()
        self.session.close()
        self.viewer.set_scan(None)
        self.viewer.close()
        super().closeEvent(event)
