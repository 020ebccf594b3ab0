"""The undoable steps: everything that changes a result. Arrays are replaced, never changed, so a step is references."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QUndoCommand

if TYPE_CHECKING:
    from app.session import Document, Session
    from core.inspection.thresholds import Thresholds
    from core.store.library import LibraryCategory

_THRESHOLDS_ID = 1


def _tr(text: str) -> str:
    return QCoreApplication.translate("Commands", text)


class ChangeThresholds(QUndoCommand):
    """Other thresholds for a model. The moves of one drag (one ``gesture``) are one step."""

    def __init__(self, session: Session, model: Path, before: Thresholds, after: Thresholds, gesture: int) -> None:
        super().__init__(_tr("change of thresholds"))
        self._session, self._model, self._before, self.after, self.gesture = session, model, before, after, gesture

    def redo(self) -> None:
        self._session._put_thresholds(self._model, self.after)

    def undo(self) -> None:
        self._session._put_thresholds(self._model, self._before)

    def id(self) -> int:
        return _THRESHOLDS_ID

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, ChangeThresholds) or other._model != self._model or other.gesture != self.gesture:
            return False
        self.after = other.after
        return True


class ReplaceResult(QUndoCommand):
    """A new result for a scan, or none, in the place of what was there."""

    def __init__(self, session: Session, before: Document, after: Document) -> None:
        super().__init__(_tr("inspection of {name}").format(name=after.name))
        self._session, self._before, self._after = session, before, after

    def redo(self) -> None:
        self._session._put_document(self._after)

    def undo(self) -> None:
        self._session._put_document(self._before)


class DeleteModel(QUndoCommand):
    """A model moved to the library's trash."""

    def __init__(self, session: Session, path: Path, name: str) -> None:
        super().__init__(_tr("removal of model {name}").format(name=name))
        self._session, self._path = session, path
        self._trashed: Path | None = None

    def redo(self) -> None:
        self._trashed = self._session._trash_model(self._path)
        self.setObsolete(self._trashed is None)

    def undo(self) -> None:
        if self._trashed is not None:
            self._session._restore_model(self._trashed, self._path)


class RemoveCategory(QUndoCommand):
    """A category taken from the library's list; its files stay."""

    def __init__(self, session: Session, category: LibraryCategory) -> None:
        super().__init__(_tr("removal of category {name}").format(name=category.name))
        self._session, self._category = session, category

    def redo(self) -> None:
        self._session._forget_category(self._category.name)

    def undo(self) -> None:
        self._session._remember_category(self._category)
