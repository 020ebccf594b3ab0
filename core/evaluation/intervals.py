"""How sure a figure is that was measured on few parts.

Metrics get percentile intervals of the bootstrap over parts (B. Efron, R. J. Tibshirani: *An Introduction to the
Bootstrap*, 1993, ch. 13): the good and the defective parts are drawn again, each with replacement and as many as there
are, and the metric is taken of each draw. Points of one part stay together, because they are not independent. Rates of
verdicts get exact binomial intervals (C. J. Clopper, E. S. Pearson, Biometrika 1934), which also hold where no part
fails: a bootstrap of parts that are all told apart knows no other ones, and gives an interval of no width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from core.evaluation.ranking import Floats, Ranking

LEVEL = 0.95
RESAMPLES = 1000

Statistic = Callable[[Ranking], Floats]

_NUMBERS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Measure:
    """A metric with its interval.

    Attributes
    ----------
    value : float
    low, high : float
        95 % interval over parts; NaN where it was not taken.
    error : float
        How far ``value`` can be off because scores were binned; 0 where it is exact.
    """

    value: float
    low: float = float("nan")
    high: float = float("nan")
    error: float = 0.0


@dataclass(frozen=True)
class Rate:
    """A share of parts, with its exact interval.

    Attributes
    ----------
    count, of : int
    low, high : float
        95 % interval of the share.
    """

    count: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """NaN of no parts."""
        return self.count / self.of if self.of else float("nan")


def rate(count: int, of: int, level: float = LEVEL) -> Rate:
    """A share with its Clopper-Pearson interval; 0 to 1 of no parts."""
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, count, of - count + 1)) if count > 0 else 0.0
    high = float(beta.ppf(1 - tail, count + 1, of - count)) if count < of else 1.0
    return Rate(count, of, low, high)


def bootstrap(
    weighted: Callable[[Floats], Ranking],
    defective: NDArray[np.bool_],
    statistics: Mapping[str, Statistic],
    *,
    width: int,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of statistics over draws of parts.

    Parameters
    ----------
    weighted : function
        Gives the ranking of parts that count (b, n) times.
    defective : (n,) bool
        Good and defective parts are drawn apart.
    statistics : mapping of str to function
        Each takes a ranking of b repeats and gives (b,) values.
    width : int
        Scores of the rankings, so that memory can be bounded.
    resamples, seed, level : int, int, float

    Returns
    -------
    dict of str to (low, high)
        NaN where fewer than two good or two defective parts are there to draw from, or nothing is drawn.
    """
    values: dict[str, list[Floats]] = {name: [] for name in statistics}
    strata = [np.flatnonzero(~defective), np.flatnonzero(defective)]
    if min(len(stratum) for stratum in strata) < 2 or resamples == 0 or width == 0:
        return dict.fromkeys(statistics, (float("nan"), float("nan")))
    rng = np.random.default_rng(seed)
    at_once = max(1, _NUMBERS_AT_ONCE // width)
    for start in range(0, resamples, at_once):
        count = min(at_once, resamples - start)
        weights = np.zeros((count, len(defective)))
        for stratum in strata:
            drawn = rng.multinomial(len(stratum), np.full(len(stratum), 1 / len(stratum)), size=count)
            weights[:, stratum] = drawn
        ranking = weighted(weights)
        sound = (ranking.good.sum(axis=-1) > 0) & (ranking.defective.sum(axis=-1) > 0)
        for name, statistic in statistics.items():
            values[name].append(statistic(ranking)[sound])
    tail = (1 - level) / 2
    result = {}
    for name, chunks in values.items():
        drawn = np.concatenate(chunks)
        low, high = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) else (np.nan, np.nan)
        result[name] = (float(low), float(high))
    return result
