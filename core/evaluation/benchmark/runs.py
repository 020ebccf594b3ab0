"""One run of a benchmark as its file holds it: what was done, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.evaluation.benchmark.jobs import FORMAT
from core.evaluation.intervals import Measure
from core.files import written_whole
from core.inspection.verdict import Verdict

ENDING = ".json"


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run, or one that failed.

    Attributes
    ----------
    record : mapping
        As in the file: ``job`` (``Job.describe``), ``fingerprint``, ``error``, ``seconds``, ``evaluation``
        (``evaluation_record``), ``robustness``.
    """

    record: Mapping[str, Any]

    @property
    def job(self) -> Mapping[str, Any]:
        job: Mapping[str, Any] = self.record["job"]
        return job

    @property
    def category(self) -> str:
        return str(self.job["category"])

    @property
    def layout(self) -> str:
        return str(self.job["layout"])

    @property
    def pipeline(self) -> str:
        return str(self.job["pipeline"])

    @property
    def seed(self) -> int:
        return int(self.job["seed"])

    @property
    def error(self) -> str:
        """Why it failed; empty if it did not."""
        return str(self.record["error"] or "")

    @property
    def seconds(self) -> Mapping[str, float]:
        """``train``, ``inspect`` (median of the scans), ``whole``."""
        seconds: Mapping[str, float] = self.record["seconds"]
        return seconds

    @property
    def evaluation(self) -> Mapping[str, Any]:
        evaluation: Mapping[str, Any] = self.record["evaluation"]
        return evaluation

    @property
    def robustness(self) -> list[Mapping[str, Any]]:
        """One entry for each alteration and level."""
        return list(self.record["robustness"])

    def robustness_at(self, kind: str, level: float) -> Mapping[str, Any] | None:
        """The entry of this alteration; None where it was not measured, or by a version that kept no scores."""
        at = (one for one in self.robustness if (one["kind"], one["level"]) == (kind, level) and "scores" in one)
        return next(at, None)

    @property
    def weights(self) -> tuple[str, ...]:
        """The names of the backbone weights in use."""
        return tuple(self.evaluation["model"]["weights"])

    def measure(self, metric: str) -> Measure | None:
        """A metric with its interval over parts, None where it could not be measured."""
        return _measure(self.evaluation["metrics"].get(metric))

    def value(self, metric: str) -> float | None:
        """A metric."""
        measure = self.measure(metric)
        return None if measure is None else measure.value

    def by_defect(self, metric: str) -> dict[str, float]:
        """A metric of each kind of defect."""
        kinds = {one["defect"]: _measure(one["metrics"].get(metric)) for one in self.evaluation["by_defect"]}
        return {name: one.value for name, one in kinds.items() if one is not None}

    def published(self, metric: str, thresholds: int | None) -> float | None:
        """A metric as published codes take it: points of the whole picture, AUPRO at so many thresholds."""
        if metric.startswith("o_"):
            return self.value(metric)
        whole = self.evaluation["as_published"]
        if whole is None:
            return None
        if metric.startswith("aupro_"):
            found = whole["aupro"].get(f"T{thresholds}", {}).get(metric.removeprefix("aupro_"))
        else:
            found = whole.get(metric)
        return None if found is None else float(found)

    def verdicts(self, kind: str) -> tuple[int, int]:
        """How many of the "good" or "defective" parts were rejected, and how many there were."""
        counts = self.evaluation["confusion"][kind]
        return int(counts[str(Verdict.REJECT)]), sum(counts.values())


def read_run(path: Path) -> Run | None:
    """The run of a file; None if there is none, or one that this version cannot read."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return Run(record) if record["job"]["format"] == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_run(run: Run, path: Path) -> None:
    """Write a run whole or not at all.

    Raises
    ------
    OutputError
    """
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(run.record, allow_nan=False, indent=1), encoding="utf-8")


def _measure(record: Mapping[str, Any] | None) -> Measure | None:
    if record is None or record["value"] is None:
        return None
    low, high = (float("nan") if record[end] is None else float(record[end]) for end in ("low", "high"))
    return Measure(float(record["value"]), low, high, float(record["error"] or 0.0))
