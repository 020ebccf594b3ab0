"""How fast a threshold slider is followed: cutting the spanning forest, beside clustering the marked points anew.

Run: python -m benchmarks.thresholds [points]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from sklearn.cluster import DBSCAN

from core.inspection.defects import DefectFinder
from core.inspection.thresholds import Thresholds
from core.scan import Scan
from core.scores import ScoreMap, Scores


def bumpy_plane(count: int, seed: int = 0) -> tuple[Scan, Scores]:
    """A unit plane with noise scores and forty smooth peaks."""
    rng = np.random.default_rng(seed)
    points = np.column_stack([rng.random((count, 2)), 0.001 * rng.standard_normal(count)]).astype(np.float32)
    scores = rng.normal(size=count)
    for centre in rng.random((40, 2)):
        scores += 8 * rng.random() * np.exp(-((points[:, :2] - centre) ** 2).sum(axis=1) / 0.02**2)
    values = scores.astype(np.float32)
    return Scan(points), Scores(values, 1.0, {"signed": ScoreMap(0.1 * values, "Height", "height")})


def median_ms(work: Callable[[], object], repeats: int = 9) -> float:
    """Median milliseconds of a call."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds))


def main(count: int = 200_000) -> None:
    """Print one line a threshold: marked share, defects, milliseconds, and DBSCAN's in the same run."""
    scan, scores = bumpy_plane(count)
    start = time.perf_counter()
    finder = DefectFinder(scan, scores)
    print(f"{count} points: prepared once in {1000 * (time.perf_counter() - start):.0f} ms")
    reach = 2.5 * float(np.sqrt(np.median(finder.areas)))
    print(f"{'marked':>8} {'defects':>8} {'find ms':>8} {'dbscan ms':>10} {'ratio':>6}")
    for share in (0.0001, 0.001, 0.01, 0.05, 0.2, 0.5, 1.0):
        point = float(np.quantile(scores.points, 1 - share)) - (1e-3 if share == 1.0 else 0.0)
        thresholds = Thresholds(point=point, part=0.0)
        found = finder.find(thresholds)
        mine = median_ms(lambda t=thresholds: finder.find(t))
        marked = scan.points[found.mask]
        other = median_ms(lambda m=marked: DBSCAN(eps=reach, min_samples=1, n_jobs=-1).fit(m), repeats=3)
        print(f"{100 * share:7.2f}% {len(found):8d} {mine:8.1f} {other:10.1f} {other / mine:6.1f}")


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
