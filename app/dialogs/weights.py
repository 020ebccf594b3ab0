"""The Weights dialog: which backbone weights are here, who uses them, and bringing sets here and away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, QUrl
from PySide6.QtGui import (
    QAction,
    QDesktopServices,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeyEvent,
    QKeySequence,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.dialogs.question import Question
from app.dialogs.weights_details import WeightsDetails
from app.dialogs.weights_table import WeightsTable, megabytes
from app.icons import icon
from app.jobs import Job
from app.links import Links
from app.panels.panel import label, rerole, scrolled
from app.quantities import NOTHING
from app.session import Session
from app.theme import Theme
from app.translation import QT_TRANSLATE_NOOP
from app.weight_store import SUFFIXES

if TYPE_CHECKING:
    from core.backbones.weights import WeightSet

_NETWORKS = {
    "point_mae": QT_TRANSLATE_NOOP("WeightsDialog", "Point-MAE, for points"),
    "wide_resnet50_2": QT_TRANSLATE_NOOP("WeightsDialog", "Wide-ResNet-50-2, for images"),
    "resnet18": QT_TRANSLATE_NOOP("WeightsDialog", "ResNet-18, for images"),
    "vit_base_patch8": QT_TRANSLATE_NOOP("WeightsDialog", "ViT-B/8, for images"),
    "pointnet_sdf": QT_TRANSLATE_NOOP("WeightsDialog", "Signed distance network, for points"),
}


class WeightsDialog(QDialog):
    """Lists every known set below its network, with what its maker says of it; takes files that are dropped on it.

    Parameters
    ----------
    session : Session
    theme : Theme
    """

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._theme = session, theme
        self._divided = False
        self._hashes: dict[Path, str] = {}
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Backbone weights"))
        self.setAcceptDrops(True)
        self.resize(1000, 700)
        self.table = WeightsTable()
        self.details = WeightsDetails()
        self.in_use = label(role="muted", width=400)
        self._make_actions()
        self._lay_out()
        guarded, store = session.failures.guarded, session.weights
        self.table.chosen.connect(guarded(self._show_details))
        self.table.itemActivated.connect(guarded(lambda *_: self._activate()))
        self.details.copied.connect(guarded(lambda _: self._say(self.tr("The address is on the clipboard."), "")))
        self._links, self._ended = Links(), False
        self.finished.connect(self._end)
        self._links.add(store.changed, guarded(self.refresh))
        self._links.add(store.working, guarded(self._show_work))
        self._links.add(store.said, guarded(self._say))
        self._links.add(store.brought, guarded(self._choose_brought))
        self._links.add(session.jobs.changed, guarded(self._show_work))
        self._links.add(session.jobs.progressed, guarded(self._show_progress))
        self._links.add(session.workshop.prepared, guarded(self.refresh))
        self.set_theme(theme)
        self._show_work()
        self.table.setFocus()

    # -- building

    def _make_actions(self) -> None:
        def action(text: str, tip: str, key: QKeySequence.StandardKey | str, do: Callable[[], None]) -> QAction:
            made = QAction(text, self)
            made.setShortcut(QKeySequence(key))
            keys = made.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            made.setToolTip(f"{tip} ({keys})" if keys else tip)
            made.triggered.connect(self._session.failures.guarded(lambda *_: do()))
            self.addAction(made)
            self.table.addAction(made)
            return made

        self.import_action = action(
            self.tr("&Import …"), self.tr("Take weights from a file"), "Ctrl+O", self.choose_files
        )
        self.download_action = action(
            self.tr("&Download …"), self.tr("Fetch the chosen set from its address; you are asked first"), "Ctrl+D",
            self._ask_download,
        )  # fmt: skip
        self.remove_action = action(
            self.tr("&Remove …"), self.tr("Delete the chosen set from your weights folder; you are asked first"), "Del",
            self._ask_remove,
        )  # fmt: skip
        self.folder_action = action(self.tr("Show &folder"), self.tr("Open your weights folder"), "", self._show_folder)
        self.refresh_action = action(self.tr("Refresh"), self.tr("Look again"), "F5", self.refresh)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)

    def _button(self, action: QAction) -> QPushButton:
        button = QPushButton(action.text())
        button.setAutoDefault(False)
        button.setToolTip(action.toolTip())
        button.setEnabled(action.isEnabled())
        button.clicked.connect(action.trigger)
        action.enabledChanged.connect(button.setEnabled)
        return button

    def _lay_out(self) -> None:
        intro = label(
            self.tr(
                "The networks that the methods see with, and their weights. Nominal works with those that ship; "
                "others may see more. What a file holds is told by its tensors, whatever it is called."
            ),
            "muted",
            width=400,
        )
        self.failed = label(role="problem", width=400)
        again = QPushButton(self.tr("Look again"))
        again.setAutoDefault(False)
        again.clicked.connect(self.refresh_action.trigger)
        trouble = QWidget()
        inner = QVBoxLayout(trouble)
        inner.addStretch()
        inner.addWidget(self.failed)
        inner.addWidget(again, 0, Qt.AlignmentFlag.AlignLeft)
        inner.addStretch()
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.table)
        area = scrolled(self.details)
        area.setFrameShape(QFrame.Shape.StyledPanel)
        area.setMinimumHeight(120)
        self.splitter.addWidget(area)
        self.splitter.setStretchFactor(0, 0)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.splitterMoved.connect(self._keep_division)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.splitter)
        self.pages.addWidget(trouble)

        self.drop_hint = label(role="muted", width=200)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress of the import or download"))
        self.bar.setFixedWidth(220)
        self.stop = QPushButton(self.tr("&Stop"))
        self.stop.setAutoDefault(False)
        self.stop.clicked.connect(self._session.weights.cancel)
        self.strip = QFrame()
        self.strip.setObjectName("drop")
        row = QHBoxLayout(self.strip)
        row.setContentsMargins(10, 8, 10, 8)
        row.addWidget(self.drop_hint, 1)
        row.addWidget(self.bar)
        row.addWidget(self.stop)
        self.strip.setMinimumHeight(self.stop.sizeHint().height() + 18)  # the same with and without the button

        self.said = label(width=400)
        buttons = QHBoxLayout()
        self.import_button = self._button(self.import_action)
        self.download_button = self._button(self.download_action)
        self.remove_button = self._button(self.remove_action)
        self.folder_button = self._button(self.folder_action)
        close = QPushButton(self.tr("Close"))
        close.setAutoDefault(False)
        close.clicked.connect(self.reject)
        for button in (self.import_button, self.download_button, self.remove_button, self.folder_button):
            buttons.addWidget(button)
        buttons.addStretch()
        buttons.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 12)
        layout.setSpacing(8)
        layout.addWidget(intro)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.in_use)
        layout.addWidget(self.strip)
        layout.addWidget(self.said)
        layout.addLayout(buttons)

    def set_theme(self, theme: Theme) -> None:
        """Dress in a theme."""
        self._theme = theme
        for action, name in (
            (self.import_action, "import"), (self.download_action, "download"), (self.remove_action, "trash"),
            (self.folder_action, "open"), (self.refresh_action, "reset"),
        ):  # fmt: skip
            action.setIcon(icon(name, theme))
        for button, action in (
            (self.import_button, self.import_action), (self.download_button, self.download_action),
            (self.remove_button, self.remove_action), (self.folder_button, self.folder_action),
        ):  # fmt: skip
            button.setIcon(action.icon())
        self.refresh()

    # -- showing

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._share_height()

    def _share_height(self) -> None:
        """The table as high as its rows need, the details get the rest; not against the user's own choice."""
        if self._divided or not self.isVisible():
            return
        height = self.splitter.height()
        table = min(self.table.full_height(), height * 2 // 3)
        self.splitter.setSizes([table, height - table])

    def refresh(self) -> None:
        """Look again at what is here."""
        store = self._session.weights
        try:
            sets = store.sets()
            in_use = store.in_use()
        except Exception as error:
            self.pages.setCurrentIndex(1)
            self.in_use.clear()
            self.failed.setText(self.tr("The weights cannot be listed. {error}").format(error=error))
            self._allow(None)
            return
        self.pages.setCurrentIndex(0)
        networks = {chosen.architecture: self._network(chosen.architecture) for chosen in sets}
        self.table.show_sets(sets, in_use, networks, self._theme)
        self._share_height()
        if not in_use:
            self.in_use.setText(self.tr("The methods are being loaded; what they use is shown then."))
            return
        uses = []
        for use in in_use:
            text = use.missing or ", ".join(use.titles) or self.tr("no backbone needed")
            uses.append(f"{use.title}: {text}")
        self.in_use.setText(
            self.tr("Used where nothing else is chosen. {uses}.").format(uses="; ".join(uses).rstrip("."))
        )

    def _keep_division(self, *_: int) -> None:
        self._divided = True

    def _network(self, architecture: str) -> str:
        return self.tr(_NETWORKS[architecture]) if architecture in _NETWORKS else architecture

    def _show_details(self, chosen: WeightSet | None) -> None:
        self._allow(chosen)
        path = None if chosen is None else chosen.path
        known = self._hashes.get(path, "") if path is not None else ""
        network = "" if chosen is None else self._network(chosen.architecture)
        self.details.show_set(chosen, network, known)
        if chosen is not None and path is not None and not known:
            self._session.weights.read_hash(chosen, partial(self._take_hash, path))

    def _end(self, *_: int) -> None:
        """Nothing reaches the dialog any more: its widgets are about to go."""
        self._ended = True
        self._links.cut()

    def _take_hash(self, path: Path, sha256: str) -> None:
        if self._ended:
            return
        self._hashes[path] = sha256
        chosen = self.table.current
        if chosen is not None and chosen.path == path:
            self.details.show_hash(sha256)

    def _allow(self, chosen: WeightSet | None) -> None:
        """Which actions can be used now, with the chosen set."""
        idle = self._session.weights.job is None
        self.import_action.setEnabled(idle)
        self.download_action.setEnabled(idle and chosen is not None and not chosen.available and bool(chosen.url))
        self.remove_action.setEnabled(idle and chosen is not None and chosen.origin == "user")

    def _show_work(self) -> None:
        """The strip: the running import or download, else where to drop files."""
        job = self._session.weights.job
        self.bar.setVisible(job is not None)
        self.stop.setVisible(job is not None)
        self._allow(self.table.current)
        if job is None:
            self.drop_hint.setText(
                self.tr("Drop files here to import them ({endings}), or press Import.").format(
                    endings=", ".join(SUFFIXES)
                )
            )
            rerole(self.drop_hint, "muted")
            return
        rerole(self.drop_hint, "")
        self._show_progress(job)

    def _show_progress(self, job: Job) -> None:
        if job is not self._session.weights.job:
            return
        running = self._session.jobs.current
        text = job.title if not job.what or job.what in job.title else f"{job.title}: {job.what}"
        if job.progress.cancelled:
            text = self.tr("Stopping at the next step …")
        elif running is not None and running is not job:
            text = self.tr("{title}: waits until this has ended: {other}").format(title=job.title, other=running.title)
        self.drop_hint.setText(text)
        self.stop.setEnabled(not job.progress.cancelled)
        self.bar.setRange(0, 1000 if job.fraction > 0 else 0)  # 0 to 0: busy, without a known end
        self.bar.setValue(round(1000 * job.fraction))

    def _say(self, text: str, role: str) -> None:
        self.said.setText(text)
        rerole(self.said, role)

    def _choose_brought(self, name: str) -> None:
        self.table.choose(name)

    # -- doing

    def choose_files(self) -> None:
        """Ask for files to import."""
        patterns = " ".join(f"*{suffix}" for suffix in SUFFIXES)
        names, _ = QFileDialog.getOpenFileNames(
            self,
            self.tr("Import weights"),
            "",
            ";;".join((self.tr("Weights ({patterns})").format(patterns=patterns), self.tr("All files (*)"))),
        )
        self.take([Path(name) for name in names])

    def take(self, paths: Sequence[Path]) -> None:
        """Import files."""
        if paths:
            self._session.weights.import_files(list(paths))

    def offer(self, paths: Sequence[Path]) -> None:
        """Ask whether files that were dropped elsewhere are to be imported."""
        names = ", ".join(path.name for path in paths)
        self._ask(
            Question(
                self.tr("Import weights"),
                self.tr("Import {names} as backbone weights?").format(names=names),
                self.tr("Import"),
                note=self.tr("Weights are no scan. Nominal keeps a copy in your weights folder; the file stays."),
                parent=self,
            ),
            partial(self.take, list(paths)),
        )

    def _activate(self) -> None:
        """Enter or a double click: a set that is missing is offered."""
        if self.download_action.isEnabled():
            self._ask_download()

    def _ask_download(self) -> None:
        chosen = self.table.current
        if chosen is None or not self.download_action.isEnabled():
            return
        size = megabytes(chosen.published_size)
        self._ask(
            Question(
                self.tr("Download weights"),
                self.tr("Download {title}?").format(title=chosen.title),
                self.tr("Download"),
                (
                    (self.tr("Address"), chosen.url),
                    (self.tr("Size"), self.tr("not known") if size == NOTHING else size),
                    (self.tr("Licence"), chosen.licence),
                    (self.tr("Who may use it"), chosen.terms),
                ),
                self.tr(
                    "This uses the network, which Nominal does for nothing else. The file is checked by its SHA-256 "
                    "before it is used."
                ),
                self,
            ),
            partial(self._session.weights.download, chosen.name),
        )

    def _ask_remove(self) -> None:
        chosen = self.table.current
        if chosen is None or not self.remove_action.isEnabled():
            return
        models = self._session.weights.models_with(chosen.name)
        note = self.tr("No model in your library needs it.")
        if models:
            note = self.tr("These of your models need it and will not load without it: {names}.").format(
                names=", ".join(models[:5]) + (", …" if len(models) > 5 else "")
            )
        again = self.tr("It can be downloaded or imported again.") if chosen.url else self.tr("This cannot be undone.")
        self._ask(
            Question(
                self.tr("Remove weights"),
                self.tr("Remove {title}?").format(title=chosen.title),
                self.tr("Remove"),
                ((self.tr("File"), str(chosen.path)),),
                f"{note} {again}",
                self,
            ),
            partial(self._session.weights.remove, chosen.name),
        )

    def _ask(self, question: Question, yes: Callable[[], None]) -> None:
        question.accepted.connect(self._session.failures.guarded(yes))
        question.open()

    @property
    def question(self) -> Question | None:
        """What is being asked."""
        return next((q for q in self.findChildren(Question) if q.isVisible()), None)

    def _show_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._session.weights.folder())))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter is the table's: it must not press a button, least of all one of a question that it has just opened."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()
            return
        super().keyPressEvent(event)

    # -- dropping

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths and self._session.weights.job is None:
            event.acceptProposedAction()
            names = ", ".join(Path(path).name for path in paths[:3]) + (", …" if len(paths) > 3 else "")
            self.drop_hint.setText(self.tr("Let go to import {names}").format(names=names))
            self._mark(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._mark(False)
        self._show_work()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self._mark(False)
        self._show_work()
        # After the drop has ended, so that the program it comes from does not wait for an error's dialog.
        QTimer.singleShot(0, self, self._session.failures.guarded(partial(self.take, paths)))

    def _mark(self, over: bool) -> None:
        rerole(self.drop_hint, "" if over else "muted")
        self.strip.setProperty("over", over)
        self.strip.style().unpolish(self.strip)
        self.strip.style().polish(self.strip)
