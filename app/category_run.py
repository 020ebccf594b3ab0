"""Judging every test scan of a category, one job a scan, past those that cannot be judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app import work
from app.jobs import Job
from app.kept import Document
from core.datasets.category import Category
from core.datasets.entry import ScanEntry
from core.errors import NominalError
from core.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from app.session import Session
    from core.inspection.thresholds import Thresholds
    from core.scan import Scan
    from core.workflow import Judged, Model


class CategoryRun(QObject):
    """One run over a category with one model and one set of thresholds, whatever is opened or changed meanwhile."""

    def __init__(
        self, session: Session, category: Category, model: Model, model_path: Path, thresholds: Thresholds
    ) -> None:
        super().__init__(session)
        self._session, self._category = session, category
        self._model, self._model_path, self._thresholds = model, model_path, thresholds
        self._left = 0
        self._problems: list[str] = []

    def start(self) -> None:
        """Queue every scan."""
        entries = self._category.split("test") or self._category.entries
        self._left = len(entries)
        for entry in entries:
            self._submit(entry)

    def _submit(self, entry: ScanEntry) -> None:
        def run(progress: Progress) -> tuple[Scan, Judged]:
            scan = work.open_entry(self._category, entry, self._model.card.unit).scan
            judged = work.score(self._model, scan, progress)
            work.note(judged, self._thresholds, self._session.history, entry.path, self._model_path)
            return scan, judged

        def done(result: tuple[Scan, Judged]) -> None:
            scan, judged = result
            verdict = judged.inspect(self._thresholds).verdict
            self._session.take_result(Document(entry, scan, self._model_path, judged), verdict)
            self._step()

        def failed(error: Exception) -> None:
            if not isinstance(error, NominalError):
                self._session.failures.report(error)
            self._session.note_problem(entry, error)
            self._problems.append(entry.key)
            self._step()

        title = self.tr("Inspecting {name}").format(name=entry.key)
        self._session.jobs.submit(Job(title, run, done=done, failed=failed, cancelled=self._step, tag="batch"))

    def _step(self) -> None:
        self._left -= 1
        if self._left > 0:
            return
        if self._problems:
            names = ", ".join(self._problems[:5]) + (" …" if len(self._problems) > 5 else "")
            text = self.tr("Done. {n} scans could not be inspected: {names}.")
            self._session.message.emit(text.format(n=len(self._problems), names=names))
        else:
            self._session.message.emit(self.tr("All scans are inspected."))
        self.deleteLater()
