"""The metrics of parts, with their intervals."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from core.errors import CategoryError
from core.evaluation.curves import average_precision, best_f1, false_rejects, roc_area
from core.evaluation.intervals import RESAMPLES, Measure, Statistic, bootstrap
from core.evaluation.metrics import part_ranking
from core.evaluation.ranking import Floats, Ranking
from core.evaluation.results import share_key

RECALLS = (0.95, 1.0)
"""Recalls that false-reject rates are given at."""

_STATISTICS: dict[str, Statistic] = {
    "o_auroc": roc_area,
    "o_aupr": average_precision,
    "f1_max": best_f1,
    **{share_key("frr", recall): partial(false_rejects, recall=recall) for recall in RECALLS},
}


def part_metrics(
    scores: ArrayLike, defective: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Measure]:
    """O-AUROC, O-AUPR, F1-max and false-reject rates; empty if there are no good or no defective parts with a score.

    Parameters
    ----------
    scores, defective : (n,)
        NaN scores are left out.
    resamples, seed : int
        Of the intervals.
    """
    values, truth = np.asarray(scores, np.float64), np.asarray(defective, bool)
    known = ~np.isnan(values)
    values, truth = values[known], truth[known]
    try:
        ranking = part_ranking(values, truth)
    except CategoryError:
        return {}
    each = (values[:, None] == ranking.scores).astype(np.float64)
    good, bad = each * ~truth[:, None], each * truth[:, None]

    def weighted(weights: Floats) -> Ranking:
        return Ranking(ranking.scores, weights @ good, weights @ bad)

    width = len(ranking.scores)
    intervals = bootstrap(weighted, truth, _STATISTICS, width=width, resamples=resamples, seed=seed)
    return {name: Measure(float(of(ranking)), *intervals[name]) for name, of in _STATISTICS.items()}
