"""What holds for all jobs of a benchmark, and where what they leave is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.evaluation.benchmark.jobs import Job
from core.evaluation.benchmark.kept_scores import KeptScores
from core.evaluation.benchmark.robustness import Alteration
from core.evaluation.benchmark.runs import ENDING, Run
from core.store.model_file import SUFFIX

RUNS, MODELS, SCORES = "runs", "models", "scores"


@dataclass(frozen=True)
class Plan:
    """What holds for all jobs of a benchmark.

    Attributes
    ----------
    folder : Path
        Where runs, and the models of a consensus, are kept.
    alterations : tuple of Alteration
        What the robustness of models of the first seed is measured against; empty for none.
    keep_models : bool
        Whether all models are kept, not only those that a consensus needs.
    fresh : bool
        Do again what was done before.
    """

    folder: Path
    alterations: tuple[Alteration, ...] = ()
    keep_models: bool = False
    fresh: bool = False

    def keeps(self, job: Job) -> bool:
        """Whether its model is kept."""
        return self.keep_models or job.serves

    def lacking(self, job: Job, run: Run | None) -> tuple[Alteration, ...]:
        """What a run is to be measured against, and was not yet."""
        wanted = self.alterations if job.first else ()
        return tuple(a for a in wanted if run is None or run.robustness_at(a.kind, a.level) is None)

    def run_file(self, job: Job) -> Path:
        return self.folder / RUNS / f"{job.name}{ENDING}"

    def model_file(self, job: Job) -> Path:
        return self.folder / MODELS / f"{job.name}{SUFFIX}"

    def kept_scores(self, job: Job) -> KeptScores:
        """Of the test scans, until a consensus has used them."""
        return KeptScores(self.folder / SCORES / job.name)
