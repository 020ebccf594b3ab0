from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from core.geometry.coreset import greedy_coreset


def textbook(rows: np.ndarray, count: int, first: int) -> list[int]:
    chosen = [first]
    while len(chosen) < count:
        gaps = cdist(rows, rows[chosen]).min(axis=1)
        gaps[chosen] = -1
        chosen.append(int(gaps.argmax()))
    return chosen


def test_it_is_the_textbook_greedy_choice():
    rows = np.random.default_rng(0).normal(3.0, 1.0, (300, 7))
    chosen = greedy_coreset(torch.from_numpy(rows), 40, seed=5)
    assert chosen.tolist() == textbook(rows, 40, int(chosen[0]))


def test_on_a_line_it_takes_the_ends_then_the_middle():
    rows = torch.arange(101.0)[:, None]
    chosen = greedy_coreset(rows, 4, seed=0, projection=0).tolist()
    ends = {0, 100}
    assert ends & set(chosen[1:3])
    covered = np.abs(np.arange(101)[:, None] - np.array(chosen)[None]).min(axis=1).max()
    assert covered <= 2 * 12.5 + 1  # twice the best that four can do


def test_every_cluster_gets_one_before_any_gets_two():
    rng = np.random.default_rng(1)
    middles = rng.normal(0, 50, (12, 600))
    rows = np.repeat(middles, 30, axis=0) + rng.normal(0, 0.1, (360, 600))
    chosen = greedy_coreset(torch.from_numpy(rows), 12, seed=3)
    assert sorted(chosen // 30) == list(range(12))


def test_the_seed_decides_and_nothing_else():
    rows = torch.randn(400, 300, generator=torch.Generator().manual_seed(0))
    assert np.array_equal(greedy_coreset(rows, 20, seed=1), greedy_coreset(rows, 20, seed=1))
    assert not np.array_equal(greedy_coreset(rows, 20, seed=1), greedy_coreset(rows, 20, seed=2))


def test_all_of_them_are_all_of_them_even_with_copies():
    rows = torch.ones(25, 4)
    assert sorted(greedy_coreset(rows, 25, seed=0)) == list(range(25))


@pytest.mark.parametrize(("shape", "count"), [((4, 3), 5), ((4, 3), 0), ((0, 3), 1), ((4,), 1)])
def test_wrong_sizes_are_refused(shape, count):
    with pytest.raises(ValueError, match=r"coreset|shape"):
        greedy_coreset(torch.zeros(shape), count, seed=0)


@pytest.mark.gpu
def test_cuda_chooses_as_well_as_the_cpu():
    rows = torch.randn(2000, 64, generator=torch.Generator().manual_seed(0))
    here, there = (greedy_coreset(r, 100, seed=0) for r in (rows, rows.cuda()))
    reach = [torch.cdist(rows, rows[torch.from_numpy(c)]).amin(dim=1).max() for c in (here, there)]
    assert reach[0] == pytest.approx(float(reach[1]), rel=0.05)
