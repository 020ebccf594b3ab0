"""Which verdict each model gave each scan, and in which mode: of this run, else of the history."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.failures import Failures
from core.errors import NominalError
from core.inspection.verdict import Verdict
from core.store.history import History

_HISTORY_AT_MOST = 100_000


@dataclass(frozen=True)
class Known:
    """A verdict; ``lacking`` says what the scan lacked, where it was judged by shape alone."""

    verdict: Verdict
    lacking: str = ""


class KnownVerdicts:
    """Verdicts by scan and model.

    Parameters
    ----------
    history : History
        Asked once a model, for all scans together: a category may hold thousands of them.
    failures : Failures
        Told of a history that cannot be read; the verdicts of this run are known without it.
    """

    def __init__(self, history: History, failures: Failures) -> None:
        self._history, self._failures = history, failures
        self._of_this_run: dict[tuple[Path, Path], Known] = {}
        self._remembered: dict[Path, dict[Path, Known]] = {}

    def note(self, scan: Path, model: Path, verdict: Verdict, lacking: str = "") -> None:
        """A scan was judged just now."""
        self._of_this_run[scan, model] = Known(verdict, lacking)

    def of(self, scan: Path, model: Path | None) -> Known | None:
        """The newest verdict of ``model`` on ``scan``."""
        if model is None:
            return None
        if model not in self._remembered:
            self._remembered[model] = self._from_history(model)
        return self._of_this_run.get((scan, model)) or self._remembered[model].get(scan.resolve())

    def _from_history(self, model: Path) -> dict[Path, Known]:
        try:
            rows = self._history.rows(_HISTORY_AT_MOST)
        except NominalError as error:
            self._failures.report(error)
            return {}
        return {row.scan: Known(row.verdict, row.lacking) for row in reversed(rows) if row.model == str(model)}
