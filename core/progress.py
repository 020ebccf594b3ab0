"""Progress of long work, and the way to stop it.

Numerical code calls ``progress.update`` between its steps; whoever started it decides what that shows. Cancelling is
cooperative: the next ``update`` or ``check`` raises ``Cancelled``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


class Cancelled(Exception):
    """The work was stopped at the user's wish. Not an error: nothing is shown but that it stopped."""


class Progress:
    """Receives what long work reports. This base class drops the reports and never cancels.

    Subclasses override ``report`` and ``report_metric``; both may be called from a worker thread.
    """

    def __init__(self) -> None:
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop at its next step. Safe from any thread."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise ``Cancelled`` if the work was asked to stop."""
        if self.cancelled:
            raise Cancelled

    def update(self, fraction: float, what: str = "") -> None:
        """Say how far the work is.

        Parameters
        ----------
        fraction : float
            Share of the work done, 0 to 1.
        what : str
            What is being done now, in the user's words; empty keeps the last text.

        Raises
        ------
        Cancelled
            If the work was asked to stop.
        """
        self.check()
        self.report(min(max(fraction, 0.0), 1.0), what)

    def metric(self, name: str, step: float, value: float) -> None:
        """Report one value of a curve, such as the training loss at an epoch."""
        self.check()
        self.report_metric(name, step, value)

    def part(self, start: float, end: float, what: str = "") -> Progress:
        """A progress whose 0..1 is ``start``..``end`` of this one. ``what`` prefixes its texts."""
        return _Part(self, start, end, what)

    def over(self, items: Sequence[T], what: str = "") -> Iterator[T]:
        """Iterate over ``items``, reporting each; ``what`` may hold ``{i}`` and ``{n}``."""
        for i, item in enumerate(items):
            self.update(i / len(items), what.format(i=i + 1, n=len(items)))
            yield item
        self.update(1.0)

    def report(self, fraction: float, what: str) -> None:
        """Show the state of the work. Override."""

    def report_metric(self, name: str, step: float, value: float) -> None:
        """Show one value of a curve. Override."""


class _Part(Progress):
    def __init__(self, whole: Progress, start: float, end: float, what: str) -> None:
        self._whole, self._start, self._end, self._what = whole, start, end, what

    def cancel(self) -> None:
        self._whole.cancel()

    @property
    def cancelled(self) -> bool:
        return self._whole.cancelled

    def report(self, fraction: float, what: str) -> None:
        text = f"{self._what}: {what}" if self._what and what else self._what or what
        self._whole.report(self._start + fraction * (self._end - self._start), text)

    def report_metric(self, name: str, step: float, value: float) -> None:
        self._whole.report_metric(name, step, value)


class CallbackProgress(Progress):
    """A progress that hands each report to functions."""

    def __init__(
        self,
        on_update: Callable[[float, str], None],
        on_metric: Callable[[str, float, float], None] | None = None,
    ) -> None:
        super().__init__()
        self._on_update, self._on_metric = on_update, on_metric

    def report(self, fraction: float, what: str) -> None:
        self._on_update(fraction, what)

    def report_metric(self, name: str, step: float, value: float) -> None:
        if self._on_metric is not None:
            self._on_metric(name, step, value)
