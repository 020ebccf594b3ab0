"""How sure figures are: against plain resampling, the binomial distribution, and promises kept on made data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import roc_auc_score

from core.evaluation.intervals import bootstrap, rate
from core.evaluation.part_metrics import part_metrics
from core.evaluation.ranking import Ranking


def test_a_rate_has_the_interval_that_the_binomial_distribution_gives() -> None:
    one = rate(3, 20)
    assert one.share == pytest.approx(0.15)
    assert binom.sf(2, 20, one.low) == pytest.approx(0.025)  # as many or more is as rare as 2.5 % at the low end
    assert binom.cdf(3, 20, one.high) == pytest.approx(0.025)
    assert (rate(0, 10).low, rate(10, 10).high) == (0.0, 1.0)
    assert rate(0, 10).high == pytest.approx(1 - 0.025 ** (1 / 10))
    nothing = rate(0, 0)
    assert (nothing.low, nothing.high) == (0.0, 1.0)
    assert np.isnan(nothing.share)


def test_intervals_are_those_of_plain_resampling() -> None:
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0, 1, 15), rng.normal(1, 1, 25)])
    defective = np.arange(40) >= 15
    values = []
    for _ in range(500):
        drawn = np.concatenate([rng.integers(0, 15, 15), rng.integers(15, 40, 25)])
        values.append(roc_auc_score(defective[drawn], scores[drawn]))
    found = part_metrics(scores, defective, resamples=4000)["o_auroc"]
    assert found.value == pytest.approx(roc_auc_score(defective, scores))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=0.02)


def test_the_same_seed_gives_the_same_intervals() -> None:
    scores, defective = np.random.default_rng(1).normal(0, 1, 30), np.arange(30) % 2 == 1
    assert part_metrics(scores, defective, seed=3) == part_metrics(scores, defective, seed=3)
    assert part_metrics(scores, defective, seed=3) != part_metrics(scores, defective, seed=4)


def test_intervals_cover_the_truth_about_as_often_as_promised() -> None:
    """O-AUROC of normal scores one standard deviation apart is Phi(1 / sqrt 2) = 0.7602."""
    rng = np.random.default_rng(2)
    defective = np.arange(60) >= 30
    covered = 0
    for i in range(120):
        found = part_metrics(rng.normal(0, 1, 60) + defective, defective, resamples=300, seed=i)["o_auroc"]
        covered += found.low <= 0.7602 <= found.high
    assert covered >= 105  # 95 % of 120 are 114; fewer than 105 would come by chance once in 10,000 times


def test_too_few_parts_have_no_interval() -> None:
    found = part_metrics([0.1, 0.2, 0.9], [0, 0, 1])
    assert found["o_auroc"].value == 1.0
    assert np.isnan(found["o_auroc"].low)
    assert part_metrics([0.1, np.nan], [0, 1]) == {}
    assert np.isnan(part_metrics([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], resamples=0)["o_auroc"].high)


def test_good_and_defective_parts_are_drawn_apart() -> None:
    seen = []

    def weighted(weights: np.ndarray) -> Ranking:
        seen.append(weights)
        return Ranking(np.array([1.0]), np.ones((len(weights), 1)), np.ones((len(weights), 1)))

    defective = np.array([False, True, False, True, True])
    bootstrap(weighted, defective, {"n": lambda r: r.good.sum(axis=-1)}, width=1, resamples=50)
    drawn = np.concatenate(seen)
    assert drawn.shape == (50, 5)
    assert (drawn[:, ~defective].sum(axis=1) == 2).all()
    assert (drawn[:, defective].sum(axis=1) == 3).all()
    assert len(np.unique(drawn, axis=0)) > 5
