"""The status bar: device, weights, points shown, and what is running, with a way to stop it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QLabel, QProgressBar, QStatusBar, QToolButton, QWidget
from superqt import QElidingLabel

from app.icons import icon
from app.jobs import Job
from app.quantities import count
from app.session import Session
from app.theme import Theme

MESSAGE_MS = 8000


class StatusBar(QStatusBar):
    """Shows the session's state in one line.

    Signals
    -------
    cancel_wanted
    """

    cancel_wanted = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setSizeGripEnabled(False)
        self.doing = QElidingLabel()
        self.doing.setMinimumWidth(120)
        self.doing.setMaximumWidth(420)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedSize(150, 12)
        self.bar.setAccessibleName(self.tr("Progress"))
        self.cancel = QToolButton()
        self.cancel.setAutoRaise(True)
        self.cancel.setIconSize(QSize(14, 14))
        self.cancel.setToolTip(self.tr("Stop (Ctrl+.)"))
        self.cancel.setAccessibleName(self.tr("Stop the running work"))
        self.cancel.clicked.connect(self.cancel_wanted)
        self.points, self.weights, self.device = QLabel(), QLabel(), QLabel()
        self.points.setToolTip(self.tr("Points drawn of points measured. Scores and files always have all of them."))
        self.weights.setToolTip(self.tr("Backbone weights that the chosen model was fitted with"))
        self.device.setToolTip(self.tr("Where the numbers are crunched"))
        self.doing.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.addPermanentWidget(self.doing, 1)  # as wide as there is room for: it hints at no width of its own
        for widget in (self.bar, self.cancel, self.points, self.weights, self.device):
            self.addPermanentWidget(widget)
        guarded = session.failures.guarded
        session.jobs.changed.connect(guarded(self.refresh))
        session.jobs.progressed.connect(guarded(self._show_progress))
        session.message.connect(guarded(lambda text: self.showMessage(text, MESSAGE_MS)))
        session.workshop.prepared.connect(guarded(self.refresh))
        session.model_changed.connect(guarded(self.refresh))
        self.refresh()

    def set_theme(self, theme: Theme) -> None:
        self.cancel.setIcon(icon("cancel", theme))

    def refresh(self) -> None:
        """Show what runs, the device and the weights."""
        session = self._session
        job = session.jobs.current
        for widget in (self.doing, self.bar, self.cancel):
            widget.setVisible(job is not None)
        if job is not None:
            self._show_progress(job)
        self.device.setText(session.workshop.device_title or self.tr("Finding the device …"))
        entry = session.catalog.model(session.model_path)
        card = entry.card if entry is not None else None
        self.weights.setVisible(card is not None)
        if card is not None:
            names = ", ".join(card.weights)
            self.weights.setText(self.tr("Weights: {names}").format(names=names or self.tr("none needed")))

    def show_points(self, shown: int, measured: int) -> None:
        """Points drawn of points measured."""
        self.points.setVisible(measured > 0)
        if shown >= measured:
            self.points.setText(self.tr("{n} points").format(n=count(measured)))
        else:
            self.points.setText(self.tr("{shown} of {n} points shown").format(shown=count(shown), n=count(measured)))

    def _show_progress(self, job: Job) -> None:
        text = job.title if not job.what or job.what == job.title else f"{job.title}: {job.what}"
        waiting = self._session.jobs.waiting
        if waiting:
            text += self.tr(" ({n} waiting)").format(n=waiting)
        self.doing.setText(text)
        self.bar.setRange(0, 1000 if job.fraction > 0 else 0)  # 0 to 0: busy, without a known end
        self.bar.setValue(round(1000 * job.fraction))
