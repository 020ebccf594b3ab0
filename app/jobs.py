"""The worker: one thread, one queue, progress, cancel. Results and errors come back to the window's thread."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from core.progress import Cancelled, Progress

_REPORT_EVERY = 0.04
"""Seconds between two reports of progress to the window: more would only flood its queue."""


@dataclass(eq=False)
class Job:
    """One piece of work.

    Attributes
    ----------
    title : str
        What it is, in the user's words.
    work : callable
        Runs in the worker; gets the progress to report to.
    done, failed, cancelled : callable, optional
        Run in the window's thread: with the result; with the exception; with nothing.
    tag : str
        Names a kind of work, to cancel it together.
    replaces : bool
        Whether waiting and running jobs of the same tag give way to this one.
    """

    title: str
    work: Callable[[Progress], Any]
    done: Callable[[Any], None] | None = None
    failed: Callable[[Exception], None] | None = None
    cancelled: Callable[[], None] | None = None
    tag: str = ""
    replaces: bool = False
    progress: Progress = field(default_factory=Progress)
    fraction: float = 0.0
    what: str = ""

    def cancel(self) -> None:
        self.progress.cancel()


class Jobs(QObject):
    """The queue and its worker thread.

    Signals
    -------
    changed
        A job was added, started or ended.
    progressed(job)
        ``job.fraction`` and ``job.what`` are new.
    measured(job, name, step, value)
        A value of a curve.
    failed(job, exception)
        A job without its own ``failed`` ended so.
    stopped(job)
        A job ended cancelled.
    """

    changed = Signal()
    progressed = Signal(object)
    measured = Signal(object, str, float, float)
    failed = Signal(object, object)
    stopped = Signal(object)
    _posted = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: list[Job] = []
        self._current: Job | None = None
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._post: deque[Callable[[], None]] = deque()
        self._closed = False
        # Only an empty signal crosses the threads; what it announces lies in the deque.
        self._posted.connect(self._drain, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._run, name="nominal-worker", daemon=True)
        self._thread.start()

    @property
    def current(self) -> Job | None:
        """The running job, or the next to run."""
        return self._current or (self._waiting[0] if self._waiting else None)

    @property
    def waiting(self) -> int:
        """How many jobs wait behind the current one."""
        return len(self._waiting) if self._current else max(0, len(self._waiting) - 1)

    @property
    def busy(self) -> bool:
        return self.current is not None

    def submit(self, job: Job) -> Job:
        """Queue ``job``. After ``shutdown`` nothing is taken any more."""
        if self._closed:
            return job
        if job.replaces:
            for other in self._of_tag(job.tag):
                other.cancel()
        job.progress = _JobProgress(self, job)
        self._waiting.append(job)
        self._queue.put(job)
        self.changed.emit()
        return job

    def is_busy_with(self, tag: str) -> bool:
        """Whether a job of that tag runs or waits and was not cancelled."""
        return any(not job.progress.cancelled for job in self._of_tag(tag))

    def cancel(self, tag: str | None = None) -> None:
        """Stop the running job; with ``tag`` the running and waiting ones of that tag."""
        if tag is not None:
            for job in self._of_tag(tag):
                job.cancel()
        elif self.current is not None:
            self.current.cancel()

    def cancel_all(self) -> None:
        """Stop everything."""
        for job in [*self._waiting, *([self._current] if self._current else [])]:
            job.cancel()

    def shutdown(self, timeout: float = 5.0) -> bool:
        """Cancel everything and wait for the worker.

        Returns
        -------
        bool
            Whether the worker has ended in time.
        """
        self._closed = True
        self.cancel_all()
        self._queue.put(None)
        self._thread.join(timeout)
        self._post.clear()
        self._waiting.clear()
        self._current = None
        return not self._thread.is_alive()

    def _of_tag(self, tag: str) -> list[Job]:
        return [j for j in [*self._waiting, *([self._current] if self._current else [])] if j.tag == tag]

    # -- in the worker

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            self._tell(lambda job=job: self._start(job))  # type: ignore[misc]
            end = self._outcome(job)
            self._tell(end)
            del job, end  # or the last result would be held until the next job

    def _outcome(self, job: Job) -> Callable[[], None]:
        try:
            job.progress.check()
            result = job.work(job.progress)
            if job.replaces:  # superseded at the last moment; other finished work is not thrown away
                job.progress.check()
        except Cancelled:
            return lambda: self._end(job, job.cancelled, stopped=True)
        except Exception as error:
            caught = error
            if job.progress.cancelled:  # a step that was interrupted may fail instead of raising Cancelled
                return lambda: self._end(job, job.cancelled, stopped=True)
            return lambda: self._fail(job, caught)
        return lambda: self._end(job, None if job.done is None else lambda: job.done(result))  # type: ignore[misc]

    def _tell(self, news: Callable[[], None]) -> None:
        self._post.append(news)
        if not self._closed:
            with suppress(RuntimeError):  # the window went away without a shutdown: nobody is left to tell
                self._posted.emit()

    # -- in the window's thread

    @Slot()
    def _drain(self) -> None:
        while self._post and not self._closed:
            self._post.popleft()()

    def _start(self, job: Job) -> None:
        if job in self._waiting:
            self._waiting.remove(job)
        self._current = job
        self.changed.emit()

    def _end(self, job: Job, then: Callable[[], None] | None, *, stopped: bool = False) -> None:
        self._current = None
        self.changed.emit()
        if then is not None:
            try:
                then()
            except Exception as error:
                self.failed.emit(job, error)
        if stopped:
            self.stopped.emit(job)

    def _fail(self, job: Job, error: Exception) -> None:
        self._current = None
        self.changed.emit()
        if job.failed is None:
            self.failed.emit(job, error)
            return
        try:
            job.failed(error)
        except Exception as another:
            self.failed.emit(job, another)

    def _show_in(self, seconds: float, progress: _JobProgress) -> None:
        QTimer.singleShot(round(1000 * seconds), self, partial(self._show, progress))

    def _show(self, progress: _JobProgress) -> None:
        job = progress.shown()
        if job is self._current:
            self.progressed.emit(job)


class _JobProgress(Progress):
    """Carries a job's progress to the window: not more often than it can show, and never without the last report."""

    def __init__(self, jobs: Jobs, job: Job) -> None:
        super().__init__()
        self._jobs, self._job = jobs, job
        self._shown_at = 0.0
        self._on_its_way = False
        if job.progress.cancelled:  # cancelled before it was queued
            self.cancel()

    def report(self, fraction: float, what: str) -> None:
        self._job.fraction = fraction
        if what:
            self._job.what = what
        if fraction >= 1.0:  # the end would come before a delayed showing
            self._jobs._tell(lambda: self._jobs._show(self))
        elif not self._on_its_way:
            self._on_its_way = True
            wait = self._shown_at + _REPORT_EVERY - time.monotonic()
            self._jobs._tell(lambda: self._jobs._show_in(max(wait, 0.0), self))

    def shown(self) -> Job:
        """The job, whose present state the window is about to show. In the window's thread."""
        self._on_its_way = False  # first, so that a report from now on is shown again
        self._shown_at = time.monotonic()
        return self._job

    def report_metric(self, name: str, step: float, value: float) -> None:
        self._jobs._tell(lambda: self._jobs.measured.emit(self._job, name, step, value))
