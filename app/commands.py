"""The undoable steps that change a result. Arrays are replaced, never changed, so a step is references."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QUndoCommand

if TYPE_CHECKING:
    from app.kept import Document
    from app.session import Session
    from app.threshold_control import ThresholdControl
    from core.inspection.thresholds import Thresholds

_THRESHOLDS_ID = 1


def _tr(text: str) -> str:
    return QCoreApplication.translate("Commands", text)


class ChangeThresholds(QUndoCommand):
    """Other thresholds for a model in a mode. The moves of one drag (one ``gesture``) are one step."""

    def __init__(
        self, control: ThresholdControl, key: Path, before: Thresholds, after: Thresholds, gesture: int
    ) -> None:
        super().__init__(_tr("change of thresholds"))
        self._control, self._key, self._before, self.after, self.gesture = control, key, before, after, gesture

    def redo(self) -> None:
        self._control.put(self._key, self.after)

    def undo(self) -> None:
        self._control.put(self._key, self._before)

    def id(self) -> int:
        return _THRESHOLDS_ID

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, ChangeThresholds) or other._key != self._key or other.gesture != self.gesture:
            return False
        self.after = other.after
        return True


class ReplaceResult(QUndoCommand):
    """A new result for a scan, or none, in the place of what was there."""

    def __init__(self, session: Session, before: Document, after: Document) -> None:
        super().__init__(_tr("inspection of {name}").format(name=after.name))
        self._session, self._before, self._after = session, before, after

    def redo(self) -> None:
        self._session.put_document(self._after)

    def undo(self) -> None:
        self._session.put_document(self._before)
