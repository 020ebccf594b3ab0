"""Connections of a window that goes before what it listens to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QMetaObject, QObject


class Links:
    """Signals of the session that a dialog follows while it is open.

    A signal keeps the function that it calls, and with it the dialog. Cut when the dialog ends, or it would be called
    when its widgets are gone, and stay in memory.
    """

    def __init__(self) -> None:
        self._made: list[QMetaObject.Connection] = []

    def add(self, signal: Any, slot: Callable[..., None]) -> None:
        """Connect."""
        self._made.append(signal.connect(slot))

    def cut(self, *_: object) -> None:
        """Disconnect everything."""
        for link in self._made:
            QObject.disconnect(link)
        self._made.clear()
