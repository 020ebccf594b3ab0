"""Judging every test scan of a category, one job a scan, past those that cannot be judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app import work
from app.jobs import Job
from app.kept import Document
from app.reduced_mode import Wish
from core.datasets.category import Category
from core.datasets.entry import ScanEntry
from core.errors import NominalError
from core.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from app.session import Session
    from core.scan import Scan
    from core.workflow import Judged, Model

_LACKING = "something"


class CategoryRun(QObject):
    """One run over a category with one model and its thresholds, whatever is opened or changed meanwhile.

    Scans that lack something of what the model was trained with wait: at the end the user is asked once whether they
    are to be judged without it, and then they are, in a run of their own.
    """

    def __init__(self, session: Session, category: Category, model: Model, model_path: Path) -> None:
        super().__init__(session)
        self._session, self._category = session, category
        self._model, self._model_path = model, model_path
        in_mode = session.threshold_control.in_mode
        self._thresholds = {
            reduced: in_mode(model, model_path, _LACKING if reduced else "") for reduced in (False, True)
        }
        self._reduced = session.reduced_mode.allowed(model_path)
        self._left = 0
        self._problems: list[str] = []
        self._waiting: list[ScanEntry] = []
        self._lacking = ""

    def start(self, entries: Sequence[ScanEntry] = ()) -> None:
        """Queue these scans, by default every test scan."""
        entries = entries or self._category.split("test") or self._category.entries
        self._left = len(entries)
        for entry in entries:
            self._submit(entry)

    def _submit(self, entry: ScanEntry) -> None:
        def run(progress: Progress) -> tuple[Scan, Judged] | str:
            scan = work.open_entry(self._category, entry, self._model.card.unit).scan
            lacking = self._model.lacks(scan)
            if lacking and self._model.reduced is not None and not self._reduced:
                return lacking
            judged = work.score(self._model, scan, progress, reduced=self._reduced)
            thresholds = self._thresholds[bool(judged.lacking)]
            work.note(judged, thresholds, self._session.history, entry.path, self._model_path)
            return scan, judged

        def done(result: tuple[Scan, Judged] | str) -> None:
            if isinstance(result, str):
                self._lacking = result
                self._waiting.append(entry)
                self._step()
                return
            scan, judged = result
            verdict = judged.inspect(self._thresholds[bool(judged.lacking)]).verdict
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
        if self._waiting:
            self._ask()
        if self._problems:
            names = ", ".join(self._problems[:5]) + (" …" if len(self._problems) > 5 else "")
            text = self.tr("Done. {n} scans could not be inspected: {names}.")
            self._session.message.emit(text.format(n=len(self._problems), names=names))
        elif self._waiting:
            text = self.tr("Done. {n} scans have {lacking} and wait for your answer.")
            self._session.message.emit(text.format(n=len(self._waiting), lacking=self._lacking))
        else:
            self._session.message.emit(self.tr("All scans are inspected."))
        self.deleteLater()

    def _ask(self) -> None:
        session, category, model, path = self._session, self._category, self._model, self._model_path
        entries = tuple(self._waiting)

        def go_on() -> None:
            CategoryRun(session, category, model, path).start(entries)

        keys = tuple(entry.key for entry in entries)
        session.reduced_mode.ask(Wish(path, model.card.name, self._lacking, keys, go_on))
