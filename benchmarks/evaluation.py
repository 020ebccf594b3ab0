"""What evaluating 100 scans takes with made scores: that memory does not grow with them shows in its peak.

python -m benchmarks.evaluation [--points 20000 ...] [--runs 1]
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.made_clouds import part
from benchmarks.memory import Peak
from benchmarks.stages import Timing, seconds, stage_main
from core.evaluation.point_counts import PointCounts
from core.evaluation.results import GOOD
from core.runtime import Runtime
from core.scan import Scan

SCANS = 100
SIZES = (20_000, 100_000, 1_000_000)


def stages(points: int, runs: int, runtime: Runtime) -> list[Timing]:
    """Counting the points of ``SCANS`` scans of so many points, one at a time, and taking every metric of them.

    Once, whatever ``runs`` says: the 100 scans are the repetition.
    """
    cloud = part(points)
    distinct = np.unique(_scores(points, 0)).size
    with Peak(runtime.device) as peak:
        taken = seconds(lambda: _evaluated(cloud), runtime.device)
    note = f"{SCANS * points:,} points, about {SCANS * distinct:,} distinct scores"
    return [Timing(f"evaluation of {SCANS} scans", points, taken, peak.mb, note=note)]


def _evaluated(cloud: np.ndarray) -> object:
    counts = PointCounts()
    for i, (scores, labels) in enumerate(_made(cloud)):
        counts.add(Scan(cloud, labels=labels), scores, labels, GOOD if i % 2 == 0 else f"kind {i % 3}")
    return counts.metrics(), counts.published(), counts.curves()


def _made(cloud: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Scores that span many powers of two, nearly all distinct; every other scan has a defect of about 1 %."""
    for i in range(SCANS):
        scores = _scores(len(cloud), i)
        labels = np.zeros(len(cloud), bool)
        if i % 2:
            away = np.linalg.norm(cloud - cloud[i], axis=1)
            labels = away < np.quantile(away, 0.01)
            scores[labels] *= 4
        yield scores, labels


def _scores(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(0.0, 2.0, count).astype(np.float32)


def main() -> None:
    stage_main(stages, __doc__, SIZES)


if __name__ == "__main__":
    main()
