"""The first steps: which hint the guide shows, and when it goes on to the next."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction

from app.panels.guide import Guide
from app.session import Session


class FirstSteps(QObject):
    """Leads through inspecting, moving a threshold and exporting; each step is done by doing it.

    Parameters
    ----------
    session : Session
    guide : Guide
        Where the hints are shown.
    actions : mapping of str to QAction
        The window's; the guide's button triggers one of them.
    """

    def __init__(self, session: Session, guide: Guide, actions: Mapping[str, QAction]) -> None:
        super().__init__(guide)
        self._session, self._guide, self._actions = session, guide, actions
        self._step = 0
        guarded = session.failures.guarded
        session.workshop.demo_ready.connect(guarded(self._start_once))
        session.inspection_changed.connect(guarded(self._inspected))
        session.undo_stack.indexChanged.connect(guarded(lambda _: self._changed()))
        guide.acted.connect(guarded(self._act))
        guide.dismissed.connect(guarded(self.end))

    def start(self) -> None:
        """Show the first step."""
        self._say(1)

    def end(self) -> None:
        """Hide the guide, for good unless asked for."""
        self._step = 0
        self._session.settings.guide_done = True
        self._guide.hide()

    def _start_once(self) -> None:
        if not self._session.settings.guide_done:
            self.start()

    def _inspected(self) -> None:
        if self._step == 1 and self._session.inspection is not None:
            self._say(2)

    def _changed(self) -> None:
        if self._step == 2 and self._session.threshold_control.by_hand:
            self._say(3)

    def _act(self) -> None:
        if self._step == 1:
            self._actions["train" if self._session.model is None else "inspect"].trigger()
        else:
            self.end()
            self._actions["export"].trigger()

    def _say(self, step: int) -> None:
        self._step = step
        if step == 1:
            text = self.tr(
                "This is a demo part that may have a defect. "
                "Inspect holds it against the good parts that the model knows."
            )
            self._guide.say(text, self.tr("Inspect"))
        elif step == 2:
            text = self.tr(
                "The colours show where the part departs from good ones. Drag the line in the histogram on "
                "the right: marked points, defects and verdict follow at once."
            )
            self._guide.say(text)
        else:
            text = self.tr(
                "Undo takes the change back (Ctrl+Z). Export writes an annotated PLY and the defects as a table."
            )
            self._guide.say(text, self.tr("Export …"))
