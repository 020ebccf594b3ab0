"""Points of a scan that lie unlike the others: what says which chunks are good enough to learn from (P3 4.2, 5.5.3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor

Mask = NDArray[np.bool_]

PAPER_SEED = 42
"""The published code's ``random_state``; a runtime's seed is added to it."""


def isolation_forest(points: NDArray[np.float32], contamination: float, trees: int, seed: int) -> Mask:
    """(N,) the ``contamination`` share of points that few random splits of raw coordinates set apart.

    As scikit-learn's ``fit_predict``, with half of the work: the scores that set its limit are the ones it judges by.
    """
    forest = IsolationForest(n_estimators=trees, max_samples="auto", random_state=PAPER_SEED + seed).fit(points)
    scores = forest.score_samples(points)
    return np.asarray(scores < np.percentile(scores, 100.0 * contamination))


def local_outliers(points: NDArray[np.float32], contamination: float, neighbors: int) -> Mask:
    """(N,) the ``contamination`` share of points whose surroundings are thinner than their neighbours' (LOF)."""
    factor = LocalOutlierFactor(n_neighbors=min(neighbors, len(points) - 1), contamination=contamination)
    return np.asarray(factor.fit_predict(points) == -1)


def outliers(
    points: NDArray[np.float32], detector: str, contamination: float, *, trees: int, neighbors: int, seed: int
) -> Mask:
    """(N,) outliers of a scan by ``isolation_forest``, ``lof``, ``hybrid`` (either of them), or none for ``none``."""
    if detector == "none" or len(points) < 2:
        return np.zeros(len(points), bool)
    found = np.zeros(len(points), bool)
    if detector in ("isolation_forest", "hybrid"):
        found |= isolation_forest(points, contamination, trees, seed)
    if detector in ("lof", "hybrid"):
        found |= local_outliers(points, contamination, neighbors)
    return found
