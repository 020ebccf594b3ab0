"""Saving the report of an evaluation: where to, over what, and opening it afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from app import evaluation_work
from app.dialogs.question import Question
from app.jobs import Job
from app.session import Session
from core.errors import NominalError

if TYPE_CHECKING:
    from core.evaluation.results import Evaluation

REPORT = ("evaluation.html", "evaluation.md", "evaluation.json", "parts.csv")


class ReportSaver(QObject):
    """Asks for a folder and writes into it in the worker.

    Parameters
    ----------
    session : Session
    parent : QWidget
        The dialog that asks.

    Signals
    -------
    said(text, role)
        What came of it.
    written
        ``open`` has something to open.
    """

    said = Signal(str, str)
    written = Signal()

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self._session, self._dialog = session, parent
        self._report: Path | None = None
        self._ended = False

    def end(self) -> None:
        """The dialog is closed: nobody is told any more."""
        self._ended = True

    def ask(self, evaluation: Evaluation) -> None:
        """Ask where to write a report."""
        start = self._session.settings.report_folder or str(Path.home())
        folder = QFileDialog.getExistingDirectory(self._dialog, self.tr("Folder for the report"), start)
        if folder:
            self.save(evaluation, Path(folder))

    def save(self, evaluation: Evaluation, folder: Path) -> None:
        """Write a report into a folder, asking before the files of another one are replaced."""
        there = [name for name in REPORT if (folder / name).exists()]
        if not there:
            self._write(evaluation, folder)
            return
        question = Question(
            self.tr("Save report"),
            self.tr("Replace the report in this folder?"),
            self.tr("Replace"),
            ((self.tr("Folder"), str(folder)), (self.tr("Files"), ", ".join(there))),
            parent=self._dialog,
        )
        question.accepted.connect(self._session.failures.guarded(lambda: self._write(evaluation, folder)))
        question.open()

    def open(self) -> None:
        """Show the written page."""
        if self._report is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._report)))

    def _write(self, evaluation: Evaluation, folder: Path) -> None:
        self._session.settings.report_folder = str(folder)

        def done(paths: tuple[Path, ...]) -> None:
            if self._ended:
                return
            self._report = next((path for path in paths if path.suffix == ".html"), None)
            self.written.emit()
            self.said.emit(self.tr("Report written to {folder}.").format(folder=folder), "muted")

        def failed(error: Exception) -> None:
            if self._ended or not isinstance(error, NominalError):
                raise error
            self.said.emit(str(error), "problem")

        self._session.jobs.submit(
            Job(
                self.tr("Writing the report"),
                lambda _: evaluation_work.write_reports(evaluation, folder),
                done=done,
                failed=failed,
            )
        )
