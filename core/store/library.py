"""The library: the categories and models of this computer.

Categories are an index of folders; models are the ``.nominal`` files under ``models/``, found by looking. Deleting
moves a model to ``trash/`` so that it can be undone.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import CategoryError, ModelError, NominalError, OutputError
from core.files import check_writable_folder, written_whole
from core.folders import data_folder
from core.store.model_file import SUFFIX, ModelCard, read_card


@dataclass(frozen=True)
class LibraryCategory:
    """A category that the user has opened: its name, the folder of its scans, and their unit."""

    name: str
    folder: Path
    unit: str


@dataclass(frozen=True)
class ModelEntry:
    """A model file of the library; ``problem`` says why it cannot be used, where it cannot."""

    path: Path
    card: ModelCard | None
    problem: str | None = None


class Library:
    """The categories and models under ``root`` (the user's data folder if not given)."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or data_folder()

    # -- categories

    def categories(self) -> tuple[LibraryCategory, ...]:
        """The known categories, by name.

        Raises
        ------
        CategoryError
            If the index is damaged.
        """
        try:
            entries = json.loads(self._index.read_text("utf-8"))["categories"]
            found = [LibraryCategory(e["name"], Path(e["folder"]), e["unit"]) for e in entries]
        except FileNotFoundError:
            return ()
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise CategoryError(
                f"The library's index {self._index} is damaged", "Delete it and add your category folders again"
            ) from error
        return tuple(sorted(found, key=lambda category: category.name.lower()))

    def add_category(self, folder: Path, unit: str, name: str) -> LibraryCategory:
        """Remember a category; one of the same name is replaced."""
        added = LibraryCategory(name, folder.resolve(), unit)
        self._write([c for c in self.categories() if c.name != name] + [added])
        return added

    def remove_category(self, name: str) -> None:
        """Forget a category. Its scans and models stay where they are."""
        self._write([c for c in self.categories() if c.name != name])

    @property
    def _index(self) -> Path:
        return self.root / "library.json"

    def _write(self, categories: list[LibraryCategory]) -> None:
        entries = [{**asdict(c), "folder": str(c.folder)} for c in categories]
        with written_whole(self._index) as temporary:
            temporary.write_text(json.dumps({"version": 1, "categories": entries}, indent=1), "utf-8")

    # -- models

    def models(self, category: str | None = None) -> tuple[ModelEntry, ...]:
        """The models, newest first; with ``category`` only those fitted for it."""
        entries = [self._entry(path) for path in self._models.glob(f"*/*{SUFFIX}")]
        if category is not None:
            entries = [e for e in entries if e.card is not None and e.card.category == category]
        return tuple(sorted(entries, key=lambda e: (e.card.created if e.card else "", e.path.name), reverse=True))

    def check_writable(self) -> None:
        """Make sure that a model could be kept, before one is made.

        Raises
        ------
        OutputError
        """
        try:
            check_writable_folder(self._models)
        except OutputError as error:
            raise OutputError(
                error.problem,
                f"Nominal keeps models there: make room or open {self.root} for writing, or name another folder in the "
                "environment variable NOMINAL_DATA",
            ) from error

    def model_path(self, category: str, name: str) -> Path:
        """A path for a new model that no file has yet."""
        folder = self._models / slug(category)
        path = folder / f"{slug(name)}{SUFFIX}"
        count = 2
        while path.exists():
            path = folder / f"{slug(name)}-{count}{SUFFIX}"
            count += 1
        return path

    def delete_model(self, path: Path) -> Path:
        """Move a model to the trash.

        Returns
        -------
        Path
            Where it lies now, for ``restore_model``.

        Raises
        ------
        ModelError
            If the file is not there.
        OutputError
            If it cannot be moved.
        """
        if not path.is_file():
            raise ModelError(f"There is no model file {path}", "Refresh the library")
        return self._moved(path, self._trashed(path.parent.name, path.name))

    def deleted(self, category: str, name: str) -> bool:
        """Whether a model file of this name lies in the trash."""
        return self._trashed(slug(category), name).exists()

    def restore_model(self, trashed: Path, path: Path) -> Path:
        """Move a model back from the trash to ``path``."""
        return self._moved(trashed, path)

    @property
    def _models(self) -> Path:
        return self.root / "models"

    def _trashed(self, folder: str, name: str) -> Path:
        return self.root / "trash" / f"{folder}--{name}"

    def _moved(self, source: Path, target: Path) -> Path:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            return source.replace(target)
        except OSError as error:
            raise OutputError(
                f"{source} could not be moved to {target.parent}", "Check that you may write there"
            ) from error

    @staticmethod
    def _entry(path: Path) -> ModelEntry:
        try:
            return ModelEntry(path, read_card(path))
        except NominalError as error:
            return ModelEntry(path, None, str(error))


def slug(name: str) -> str:
    """``name`` as a file name that every system takes."""
    return re.sub(r"[^\w.-]+", "-", name.strip()).strip("-.").lower() or "unnamed"
