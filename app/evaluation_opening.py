"""Opening a part of an evaluation in the view: its category, its scan, the model, and what the model says of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app import work
from app.jobs import Job
from app.links import Links
from core.datasets.category import Category
from core.datasets.entry import ScanEntry

if TYPE_CHECKING:
    from app.session import Session


class PartOpening(QObject):
    """Opens a part, then inspects it with the model that was evaluated, once both are at hand."""

    def __init__(self, session: Session, links: Links, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._wanted: tuple[Path, Path] | None = None
        guarded = session.failures.guarded
        for signal in (session.scan_changed, session.model_changed, session.jobs.changed):
            links.add(signal, guarded(self._inspect))

    def open(self, category: Category, entry: ScanEntry, model: Path) -> None:
        """Open a part of a category, whether the library holds it or not."""
        session = self._session
        opened = session.category
        if opened is None or opened.root.resolve() != category.root.resolve():
            known = session.catalog.category(category.name)
            if known is not None and known.folder.resolve() == category.root.resolve():
                session.take_category(category, open_scan=False)
        session.choose_model(model)
        self._wanted = (entry.path, model)
        if session.entry is not None and session.entry.path == entry.path:
            self._inspect()
            return
        session.jobs.submit(
            Job(
                self.tr("Opening {name}").format(name=entry.key),
                lambda _: work.open_entry(category, entry, category.unit),
                done=session.take_scan,
                tag="open",
                replaces=True,
            )
        )

    def _inspect(self) -> None:
        """Judge what was opened, if it is not judged."""
        session = self._session
        if self._wanted is None or session.entry is None:
            return
        path, model = self._wanted
        if session.entry.path != path or session.model_path != model or session.jobs.is_busy_with("open"):
            return
        if session.judged is not None:
            self._wanted = None
        elif session.can_inspect:
            self._wanted = None
            session.inspect()
