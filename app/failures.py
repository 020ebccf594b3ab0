"""The one place that turns a failure into what the user sees.

Slots never raise: callbacks are wrapped by ``guarded``, and whatever still escapes lands in ``sys.excepthook``, which
does the same.
"""

from __future__ import annotations

import functools
import logging
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, ParamSpec

from PySide6.QtCore import QObject, Qt, Signal

from core.progress import Cancelled

_log = logging.getLogger(__name__)
P = ParamSpec("P")


class Failures(QObject):
    """Collects failures from anywhere, any thread, and hands them to the window's thread one by one."""

    happened = Signal(object)
    _reported = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._reported.connect(self.happened, Qt.ConnectionType.QueuedConnection)

    def report(self, error: BaseException) -> None:
        """Log ``error`` and show it, once the event loop runs. Cancelled work is no failure."""
        if isinstance(error, Cancelled):
            return
        _log.error("%s", error, exc_info=error)
        with suppress(RuntimeError):  # after the window's end the log is all there is
            self._reported.emit(error)

    def guarded(self, call: Callable[P, Any]) -> Callable[P, None]:
        """``call`` as a slot that reports instead of raising."""

        @functools.wraps(call)
        def slot(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                call(*args, **kwargs)
            except Exception as error:
                self.report(error)

        return slot

    def install(self) -> None:
        """Take over the hooks for what nobody caught; the program stays alive."""
        sys.excepthook = self._hook
        threading.excepthook = lambda args: self.report(args.exc_value or RuntimeError("a thread failed"))

    def _hook(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            self.report(error)
