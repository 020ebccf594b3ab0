"""Evaluating: how well a model tells good parts from defective ones. The choice, the progress, the results."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app import evaluation_work
from app.dialogs.evaluate_choice import EvaluateChoice
from app.dialogs.evaluate_report import REPORT, ReportSaver
from app.dialogs.evaluate_results import EvaluateResults
from app.evaluation_opening import PartOpening
from app.evaluation_work import Evaluated, EvaluationRequest
from app.icons import icon
from app.jobs import Job
from app.links import Links
from app.panels.panel import label, rerole, scrolled
from app.quantities import duration, number
from app.reduced_mode import threshold_key
from app.session import Session
from app.theme import Theme
from core.errors import NominalError
from core.inspection.thresholds import Thresholds
from core.progress import Progress

if TYPE_CHECKING:
    from core.workflow import Model

_CHOICE, _RUNNING, _RESULTS = range(3)
_SMALL, _LARGE = (720, 340), (1080, 720)
"""Of the choice and the progress; of the results, where the screen is that large."""


def _key(evaluated: Evaluated) -> Path:
    """What the thresholds go by that it was judged with: the model in that mode."""
    return threshold_key(evaluated.request.model, evaluated.request.reduced)


class EvaluateDialog(QDialog):
    """Three pages. It does not hold the window back: parts open in the view beside it.

    Parameters
    ----------
    session : Session
    theme : Theme
    model : Path, optional
        To start with; the session's if not given.
    """

    def __init__(
        self, session: Session, theme: Theme, model: Path | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._theme = session, theme
        self._job: Job | None = None
        self._started = 0.0
        self._links = Links()
        self._opening = PartOpening(session, self._links, self)
        self._saver = ReportSaver(session, self)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Evaluate a model"))
        self.setSizeGripEnabled(True)
        self.resize(*_SMALL)
        self.pages = QStackedWidget()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 12)
        layout.addWidget(self.pages)
        self._build_choice(model)
        self._build_running()
        self._build_results()
        guarded = session.failures.guarded
        self._links.add(session.jobs.progressed, guarded(self._show_progress))
        self._links.add(session.jobs.changed, guarded(self._show_waiting))
        self._links.add(session.thresholds_changed, guarded(self._show_in_force))
        self._links.add(session.undo_stack.indexChanged, guarded(self._show_in_force))
        self.finished.connect(self._end)
        self.set_theme(theme)
        self._check()

    # -- the choice

    def _build_choice(self, model: Path | None) -> None:
        page = QWidget()
        self.choice = EvaluateChoice(self._session, self._links, model)
        intro = label(
            self.tr(
                "The model judges parts of which it is known whether they are good, and its scores are held against "
                "that. Scans are read one at a time."
            ),
            "muted",
            width=400,
        )
        self.problem = label(role="problem", width=400)
        self.problem.setVisible(False)
        self.start = QPushButton(self.tr("&Evaluate"))
        self.start.setProperty("role", "primary")
        self.start.setDefault(True)
        close = QPushButton(self.tr("Close"))
        close.setAutoDefault(False)
        close.clicked.connect(self.close)
        self.back = QPushButton(self.tr("Back to the results"))
        self.back.setAutoDefault(False)
        self.back.setVisible(False)
        self.back.clicked.connect(lambda: self.pages.setCurrentIndex(_RESULTS))
        buttons = QHBoxLayout()
        buttons.addWidget(self.back)
        buttons.addStretch()
        buttons.addWidget(self.start)
        buttons.addWidget(close)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(intro)
        layout.addWidget(scrolled(self.choice), 1)
        layout.addWidget(self.problem)
        layout.addLayout(buttons)
        self.pages.addWidget(page)
        self.choice.changed.connect(self._session.failures.guarded(self._check))
        self.start.clicked.connect(self._session.failures.guarded(lambda *_: self.run()))

    def _check(self) -> None:
        self.start.setEnabled(self._job is None and self.choice.request is not None)
        self.problem.setVisible(False)

    def choose(self, model: Path) -> None:
        """Go to the choice with this model, unless an evaluation is running."""
        if self._job is None:
            self.pages.setCurrentIndex(_CHOICE)
            self.choice.choose(model)

    # -- the work

    def run(self) -> None:
        """Evaluate what is chosen."""
        request, session = self.choice.request, self._session
        if request is None or self._job is not None:
            return
        session.settings.remember_evaluated(request.category.root)
        loaded, device = session.models.find(request.model), session.settings.device

        def work(progress: Progress) -> tuple[Evaluated, Model]:
            return evaluation_work.evaluate(request, loaded, device, progress)

        self._started = 0.0
        self.running_title.setText(self._title(request))
        self.what.setText(self.tr("Starting …"))
        self.left.clear()
        self.bar.setValue(0)
        self.stop.setEnabled(True)
        self.pages.setCurrentIndex(_RUNNING)
        self._job = session.jobs.submit(
            Job(
                self.tr("Evaluating {name}").format(name=request.category.name),
                work,
                done=self._show_results,
                failed=self._fail,
                cancelled=self._stopped,
                tag="evaluate",
            )
        )
        self._show_waiting()

    def _title(self, request: EvaluationRequest) -> str:
        entry = self._session.catalog.model(request.model)
        name = entry.card.name if entry is not None and entry.card is not None else request.model.stem
        return self.tr("{model} judges {n} parts of {category}").format(
            model=name, n=len(request.category.split(request.split)), category=request.category.name
        )

    def _build_running(self) -> None:
        page = QWidget()
        self.running_title = label(role="heading", width=400)
        self.what = label(width=400)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress of the evaluation"))
        self.left = label(role="muted", width=400)
        self.hide_button = QPushButton(self.tr("Go on in the background"))
        self.hide_button.setAutoDefault(False)
        self.stop = QPushButton(self.tr("&Cancel the evaluation"))
        self.stop.setAutoDefault(False)
        buttons = QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(self.hide_button)
        buttons.addWidget(self.stop)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        for widget in (self.running_title, self.what, self.bar, self.left):
            layout.addWidget(widget)
        layout.addStretch()
        layout.addLayout(buttons)
        self.pages.addWidget(page)
        self.hide_button.clicked.connect(self.hide)
        self.stop.clicked.connect(self._session.failures.guarded(lambda *_: self._cancel()))

    def _show_waiting(self) -> None:
        """Say what the evaluation waits for, while other work is before it."""
        running = self._session.jobs.current
        if self._job is None or running is None or running is self._job or self._started:
            return
        self.what.setText(self.tr("Waits until this has ended: {other}").format(other=running.title))

    def _show_progress(self, job: Job) -> None:
        if job is not self._job or job.progress.cancelled:
            return
        self._started = self._started or time.monotonic()
        self.what.setText(job.what)
        self.bar.setValue(round(1000 * job.fraction))
        elapsed = time.monotonic() - self._started
        text = self.tr("{percent} %, {elapsed} so far").format(
            percent=round(100 * job.fraction), elapsed=duration(elapsed)
        )
        if job.fraction > 0.03 and elapsed > 1:
            text += self.tr(", about {left} left").format(left=duration(elapsed * (1 - job.fraction) / job.fraction))
        self.left.setText(text)

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()
            self.stop.setEnabled(False)
            self.what.setText(self.tr("Stopping at the next step …"))

    def _stopped(self) -> None:
        self._job = None
        self._session.message.emit(self.tr("The evaluation was cancelled."))
        self.pages.setCurrentIndex(_CHOICE)
        self._check()

    def _fail(self, error: Exception) -> None:
        self._job = None
        self.pages.setCurrentIndex(_CHOICE)
        self._check()
        self.show()
        if not isinstance(error, NominalError):
            raise error
        self.problem.setText(str(error))
        self.problem.setVisible(True)

    # -- the results

    def _build_results(self) -> None:
        page = QWidget()
        guarded = self._session.failures.guarded
        self.results = EvaluateResults(guarded)
        self.said = label(width=200)
        self.again = QPushButton(self.tr("Evaluate &another"))
        self.save = QPushButton(self.tr("&Save report …"))
        self.save.setToolTip(
            self.tr("Write the results at the present threshold: {names}").format(names=", ".join(REPORT))
        )
        self.show_report = QPushButton(self.tr("&Open the report"))
        self.show_report.setVisible(False)
        close = QPushButton(self.tr("Close"))
        close.clicked.connect(self.close)
        buttons = QHBoxLayout()
        for button in (self.again, self.save, self.show_report):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        buttons.addWidget(self.said, 1)
        close.setAutoDefault(False)
        buttons.addWidget(close)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.results, 1)
        layout.addLayout(buttons)
        self.pages.addWidget(page)
        self.results.use_wanted.connect(guarded(self._use))
        self.results.part_wanted.connect(guarded(self._open))
        self.again.clicked.connect(guarded(lambda *_: self._choose_again()))
        self.save.clicked.connect(guarded(lambda *_: self._ask_folder()))
        self.show_report.clicked.connect(guarded(lambda *_: self._saver.open()))
        self._saver.said.connect(guarded(self._say))
        self._saver.written.connect(guarded(lambda: self.show_report.setVisible(True)))

    def _show_results(self, result: tuple[Evaluated, Model]) -> None:
        evaluated, model = result
        self._job = None
        path = evaluated.request.model
        self._session.models.put(path, model, self._session.model_path)  # opening a part needs it at once
        self._say("")
        self.show_report.setVisible(False)
        self.results.show_evaluated(
            evaluated, self._session.threshold_control.of(_key(evaluated), evaluated.calibrated)
        )
        self.pages.setCurrentIndex(_RESULTS)
        self._grow()
        self.back.setVisible(True)
        self._check()
        self.show()

    def _grow(self) -> None:
        """Make room for the first results; a size that the user gave since then stays."""
        if self.back.isVisibleTo(self.pages):
            return
        free = self.screen().availableGeometry()
        self.resize(min(max(self.width(), _LARGE[0]), free.width()), min(max(self.height(), _LARGE[1]), free.height()))
        frame = self.frameGeometry()  # it may have grown over the screen's edge
        self.move(
            max(free.left(), min(frame.left(), free.right() - frame.width())),
            max(free.top(), min(frame.top(), free.bottom() - frame.height())),
        )

    def _choose_again(self) -> None:
        self.pages.setCurrentIndex(_CHOICE)

    def _show_in_force(self, *_: object) -> None:
        evaluated = self.results.evaluated
        if evaluated is not None:
            self.results.set_in_force(self._in_force(evaluated))

    def _in_force(self, evaluated: Evaluated) -> Thresholds:
        return self._session.threshold_control.of(_key(evaluated), evaluated.calibrated)

    def _use(self, thresholds: Thresholds) -> None:
        evaluated = self.results.evaluated
        if evaluated is None:
            return
        self._session.threshold_control.change_of(
            _key(evaluated), evaluated.calibrated, part=thresholds.part, guard=thresholds.guard
        )
        text = (
            self.tr("{name} inspects by shape alone with the part threshold {value} now.")
            if evaluated.request.reduced
            else self.tr("{name} inspects with the part threshold {value} now.")
        )
        self._say(text.format(name=evaluated.evaluation.card.name, value=number(thresholds.part)))

    def _open(self, key: str) -> None:
        evaluated = self.results.evaluated
        entry = None if evaluated is None else evaluated.entry(key)
        if evaluated is not None and entry is not None:
            self._opening.open(evaluated.request.category, entry, evaluated.request.model)

    def save_to(self, folder: Path) -> None:
        """Write the report at the present threshold into a folder."""
        shown = self.results.shown
        if shown is not None:
            self._saver.save(shown, folder)

    def _ask_folder(self) -> None:
        shown = self.results.shown
        if shown is not None:
            self._saver.ask(shown)

    def _say(self, text: str, role: str = "muted") -> None:
        self.said.setText(text)
        rerole(self.said, role)

    # -- the dialog itself

    def _end(self) -> None:
        self._links.cut()
        self.choice.end()
        self._saver.end()

    def set_theme(self, theme: Theme) -> None:
        """Dress in a theme."""
        self._theme = theme
        self.choice.set_theme(theme)
        self.results.set_theme(theme)
        for button, name in (
            (self.again, "evaluate"), (self.save, "export"), (self.show_report, "open"), (self.stop, "cancel")
        ):  # fmt: skip
            button.setIcon(icon(name, theme))

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._job is not None:  # a running evaluation goes on; the status bar shows it
            event.ignore()
            self.hide()
            return
        super().closeEvent(event)

    def reject(self) -> None:
        if self._job is not None:
            self.hide()
        else:
            super().reject()
