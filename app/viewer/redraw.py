"""Pending redraws: changes are collected and drawn together, at most once every 33 ms."""

from __future__ import annotations

import logging
from collections.abc import Callable

from PySide6.QtCore import QElapsedTimer, QObject, QTimer

log = logging.getLogger(__name__)

INTERVAL_MS = 33


class Redraw(QObject):
    """A set of names of what has changed, handed to one function when it is time to draw.

    Parameters
    ----------
    draw : callable
        Takes the set of names. It runs in the window's thread; a failure is logged and does not stop later draws.
    """

    def __init__(self, draw: Callable[[frozenset[str]], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._draw = draw
        self._pending: set[str] = set()
        self._since = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.flush)
        self._stopped = False

    def request(self, *names: str) -> None:
        """Have these parts redrawn soon."""
        if self._stopped:
            return
        self._pending.update(names)
        if not self._timer.isActive():
            waited = self._since.elapsed() if self._since.isValid() else INTERVAL_MS
            self._timer.start(max(0, INTERVAL_MS - int(waited)))

    def flush(self) -> None:
        """Draw what is pending now."""
        self._timer.stop()
        names, self._pending = frozenset(self._pending), set()
        if names and not self._stopped:
            self._since.start()
            try:
                self._draw(names)
            except Exception:  # a view that cannot draw one thing must still draw the next
                log.exception("could not redraw %s", sorted(names))

    @property
    def pending(self) -> frozenset[str]:
        """What waits to be drawn."""
        return frozenset(self._pending)

    def stop(self) -> None:
        """Draw nothing any more."""
        self._stopped = True
        self._timer.stop()
        self._pending.clear()
