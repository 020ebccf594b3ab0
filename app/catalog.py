"""What can be opened: the library's categories and models as last read, and scans that were opened by themselves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from core.datasets.entry import ScanEntry
from core.store.library import Library, LibraryCategory, ModelEntry


class Catalog(QObject):
    """The lists that the panels show.

    Signals
    -------
    changed
        Categories, models or loose scans were added or removed.
    """

    changed = Signal()

    def __init__(self, library: Library, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self.categories: tuple[LibraryCategory, ...] = ()
        self.loose: tuple[ScanEntry, ...] = ()
        self._models: dict[str, tuple[ModelEntry, ...]] = {}

    def refresh(self) -> None:
        """Read the library's lists again."""
        self.categories = self._library.categories()
        found: dict[str, list[ModelEntry]] = {}
        for entry in self._library.models():
            found.setdefault(entry.card.category if entry.card else "", []).append(entry)
        self._models = {name: tuple(entries) for name, entries in found.items()}
        self.changed.emit()

    def category(self, name: str) -> LibraryCategory | None:
        return next((c for c in self.categories if c.name == name), None)

    def models(self, category: str) -> tuple[ModelEntry, ...]:
        """The models for a category, newest first; for the empty name those whose card cannot be read."""
        return self._models.get(category, ())

    def all_models(self) -> tuple[ModelEntry, ...]:
        """The models that can be used, of every category, by category and then the newest first."""
        found = [e for name in sorted(self._models, key=str.lower) for e in self._models[name]]
        return tuple(entry for entry in found if entry.card is not None and entry.problem is None)

    def model(self, path: Path | None) -> ModelEntry | None:
        return next((e for entries in self._models.values() for e in entries if e.path == path), None)

    def entry_of(self, path: Path, entries: Iterable[ScanEntry] = ()) -> ScanEntry:
        """The one of ``entries`` (a category's) that is this file, else a loose scan, listed from now on."""
        path = path.resolve()
        for entry in (*entries, *self.loose):
            if entry.path.resolve() == path:
                return entry
        entry = ScanEntry(path=path, split="test", defect="", image=None, ground_truth=None, key=path.stem)
        self.loose = (*self.loose, entry)
        self.changed.emit()
        return entry

    def drop(self, entry: ScanEntry) -> None:
        """List a loose scan no longer."""
        self.loose = tuple(e for e in self.loose if e != entry)
        self.changed.emit()
