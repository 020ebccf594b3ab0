"""A method for tests of the window: the height above the plane, in seconds that can be counted on no hand.

``HOLD`` stops it in the middle of its work until it is set, so that cancelling can be tested without sleeping.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ScanError
from core.pipelines.base import Pipeline
from core.pipelines.config import Config, setting
from core.progress import Progress
from core.scan import Scan
from core.scores import ScoreMap, Scores

HOLD = threading.Event()
HOLD.set()
RUNNING = threading.Event()
FAIL: list[Exception] = []


@dataclass(frozen=True)
class StubConfig(Config):
    steps: int = setting(5, "How many steps it takes", low=1, high=1000, paper=5)
    gain: float = setting(1.0, "Multiplies the scores", low=0.1, high=10.0)
    both: bool = setting(True, "Whether both sides count")

    PRESETS = {"paper": {}, "fast": {"steps": 2}}  # noqa: RUF012


class StubPipeline(Pipeline):
    id = "stub"
    title = "Stub"
    paper = "A method for tests"
    summary = "Scores a point by its height above the plane."
    min_scans = 2
    Config = StubConfig

    def fit(self, scans: Sequence[Scan], progress: Progress) -> None:
        for step in range(self.config.steps):
            progress.update(step / self.config.steps, f"Step {step + 1}")
            progress.metric("loss", step, 1.0 / (step + 1))
            _wait(progress)
        self.spread = float(np.mean([scan.points[:, 2].std() for scan in scans]))

    def score(self, scan: Scan, progress: Progress) -> Scores:
        progress.update(0.0, "Scoring")
        _wait(progress)
        if FAIL:
            raise FAIL.pop()
        if len(scan) < 10:
            raise ScanError(f"{scan.name} has too few points", "Scan it again")
        heights = scan.points[:, 2] / np.float32(self.spread)
        points = (np.abs(heights) * self.config.gain).astype(np.float32)
        maps = {
            "height": ScoreMap(heights, "Height", "height", "Above the plane is positive."),
            "gate": ScoreMap(np.clip(points / 10, 0, 1), "Gate", "weight", "Share of the branch."),
        }
        return Scores(points, float(np.sort(points)[-20:].mean()), maps)

    def state(self) -> dict[str, NDArray[Any]]:
        return {"spread": np.array(self.spread)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.spread = float(state["spread"])


def _wait(progress: Progress) -> None:
    RUNNING.set()
    while not HOLD.wait(0.005):
        progress.check()
