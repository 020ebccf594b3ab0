"""The undoable steps that take something from the library. Nothing is destroyed: models go to its trash."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QUndoCommand

from core.errors import NominalError

if TYPE_CHECKING:
    from app.session import Session
    from core.store.library import LibraryCategory


class DeleteModel(QUndoCommand):
    """A model moved to the library's trash."""

    def __init__(self, session: Session, path: Path, name: str) -> None:
        super().__init__(QCoreApplication.translate("Commands", "removal of model {name}").format(name=name))
        self._session, self._path = session, path
        self._trashed: Path | None = None

    def redo(self) -> None:
        try:
            self._trashed = self._session.library.delete_model(self._path)
        except NominalError as error:
            self._trashed = None
            self._session.failures.report(error)
            self.setObsolete(True)
            return
        self._session.let_go_of_model(self._path)
        self._session.catalog.refresh()

    def undo(self) -> None:
        if self._trashed is None:
            return
        try:
            self._session.library.restore_model(self._trashed, self._path)
        except NominalError as error:
            self._session.failures.report(error)
            return
        self._session.catalog.refresh()
        if self._session.model_path is None:
            self._session.choose_model(self._path)


class RemoveCategory(QUndoCommand):
    """A category taken from the library's list; its files stay."""

    def __init__(self, session: Session, category: LibraryCategory) -> None:
        text = QCoreApplication.translate("Commands", "removal of category {name}")
        super().__init__(text.format(name=category.name))
        self._session, self._category = session, category

    def redo(self) -> None:
        self._session.library.remove_category(self._category.name)
        self._session.close_category(self._category.name)
        self._session.catalog.refresh()

    def undo(self) -> None:
        self._session.library.add_category(self._category.folder, self._category.unit, self._category.name)
        self._session.catalog.refresh()
