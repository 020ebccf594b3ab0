"""How the command line speaks: progress bars on a terminal, plain lines otherwise, JSON lines for machines."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TextIO

from tqdm import tqdm

from core.progress import Progress


class Console:
    """Writes results to standard output and everything else to standard error.

    Parameters
    ----------
    as_json : bool
        Results as one JSON object a line; no progress.
    """

    def __init__(self, as_json: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self.out = out or sys.stdout
        self.err = err or sys.stderr

    def say(self, text: str) -> None:
        """A line for a person."""
        if not self.as_json:
            tqdm.write(text, file=self.out)

    def result(self, record: dict[str, Any], text: str) -> None:
        """A result: ``text`` for a person, ``record`` for a machine."""
        tqdm.write(json.dumps(record, allow_nan=False) if self.as_json else text, file=self.out)
        self.out.flush()

    def problem(self, text: str) -> None:
        """A line about what went wrong."""
        tqdm.write(text, file=self.err)

    @contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        """A progress shown as a bar, as lines, or not at all. Ctrl+C cancels the work; a second one kills it."""
        shown: _Shown = _Silent() if self.as_json else _Bar(title, self.err) if self.err.isatty() else _Lines(self.err)
        previous = None
        if threading.current_thread() is threading.main_thread():

            def stop(number: int, frame: FrameType | None) -> None:
                if shown.cancelled:
                    raise KeyboardInterrupt
                shown.cancel()

            previous = signal.signal(signal.SIGINT, stop)
        try:
            yield shown
        finally:
            shown.close()
            if previous is not None:
                signal.signal(signal.SIGINT, previous)


class _Shown(Progress):
    def close(self) -> None:
        """The work has ended."""


class _Silent(_Shown):
    pass


class _Bar(_Shown):
    def __init__(self, title: str, stream: TextIO) -> None:
        super().__init__()
        self._bar = tqdm(
            total=1.0,
            desc=title,
            file=stream,
            leave=False,
            dynamic_ncols=True,
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
        )

    def report(self, fraction: float, what: str) -> None:
        self._bar.n = fraction
        if what:
            self._bar.set_postfix_str(what, refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        self._bar.close()


class _Lines(_Shown):
    """One line for each new step, at most one every two seconds."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream, self._last_text, self._last_time = stream, "", 0.0

    def report(self, fraction: float, what: str) -> None:
        now = time.monotonic()
        if what and what != self._last_text and now - self._last_time >= 2.0:
            print(f"{fraction:4.0%} {what}", file=self._stream, flush=True)
            self._last_text, self._last_time = what, now
