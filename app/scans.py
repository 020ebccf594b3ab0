"""Opening scans, and walking through them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app import work
from app.jobs import Job
from core.datasets.category import Category
from core.datasets.entry import ScanEntry
from core.errors import NominalError, ScanError
from core.store.model_file import SUFFIX

if TYPE_CHECKING:
    from app.session import Session


class Scans(QObject):
    """Opens what the user points at and what comes before or after it; the session shows it."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.awaited: ScanEntry | None = None  # being opened while the user steps on

    def open_path(self, path: Path) -> None:
        """Open whatever the user points at: a scan, a folder of parts, or a model.

        Raises
        ------
        ScanError
            If it is none of these.
        """
        from core.formats.reader import is_scan_file

        session = self._session
        if path.is_dir():
            session.folder_offered.emit(path)
        elif path.suffix.lower() == SUFFIX:
            session.workshop.import_model(path)
        elif not path.exists():
            session.settings.recent = [p for p in session.settings.recent if p != str(path)]
            session.recent_changed.emit()
            raise ScanError(f"{path} is not there any more", "Open it from where it lies now")
        elif is_scan_file(path):
            self.open(self._entry_of(path))
        else:
            raise ScanError(
                f"{path.name} is no scan, folder of scans or model that Nominal knows",
                "Open a PLY, PCD, XYZ, TIFF, NPZ, HDF5 or STL file, a folder of them, or a .nominal model",
            )

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Open what was dropped: the first is shown, further scans are listed in the library."""
        from core.formats.reader import is_scan_file

        for path in paths[1:]:
            if path.is_file() and is_scan_file(path):
                self._entry_of(path)
            elif path.suffix.lower() == SUFFIX:
                self._session.workshop.import_model(path)
        if paths:
            self.open_path(paths[0])

    def open(self, entry: ScanEntry) -> None:
        """Read a scan and show it."""
        session = self._session
        category = None if entry in session.catalog.loose else session.category
        unit = session.model.card.unit if session.model is not None else session.settings.unit
        session.jobs.submit(
            Job(
                self.tr("Opening {name}").format(name=entry.key),
                lambda _: work.open_entry(category, entry, unit),
                done=self._opened,
                failed=lambda error: self._failed(entry, error),
                tag="open",
                replaces=True,
            )
        )

    def step(self, by: int) -> None:
        """Open the next (1) or previous (-1) scan of the same split."""
        walk = self.walk()
        if not walk:
            return
        entry = self.awaited or self._session.entry
        at = next((i for i, e in enumerate(walk) if entry is not None and e.path == entry.path), None)
        target = (0 if by > 0 else len(walk) - 1) if at is None else at + by
        if 0 <= target < len(walk):
            self.awaited = walk[target]
            self.open(walk[target])
        else:
            text = self.tr("This is the last scan.") if by > 0 else self.tr("This is the first scan.")
            self._session.message.emit(text)

    def walk(self) -> tuple[ScanEntry, ...]:
        """The scans that next and previous go through."""
        entry, category, loose = self._session.entry, self._session.category, self._session.catalog.loose
        if category is None or entry in loose:
            return loose
        return category.split(entry.split if entry is not None else "test") or category.entries

    def _opened(self, opened: work.Opened) -> None:
        self.awaited = None
        if opened.entry in self._session.catalog.loose:
            self._session.remember(opened.entry.path)
        self._session.take_scan(opened)

    def _failed(self, entry: ScanEntry, error: Exception) -> None:
        session = self._session
        self.awaited = None
        if entry in session.catalog.loose and (session.entry is None or session.entry.path != entry.path):
            session.catalog.drop(entry)
        elif isinstance(error, NominalError):
            session.note_problem(entry, error)
        raise error

    def _entry_of(self, path: Path) -> ScanEntry:
        category = self._session.category
        return self._session.catalog.entry_of(path, category.entries if category is not None else ())


def first_to_show(category: Category) -> ScanEntry | None:
    """The scan that says most on opening a category: a defective test scan, else a test scan, else any."""
    tests = category.split("test")
    defective = [e for e in tests if e.defect and e.defect != "good"]
    for entries in (defective, tests, category.entries):
        if entries:
            return entries[0]
    return None
