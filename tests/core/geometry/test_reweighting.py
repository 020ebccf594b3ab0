"""PatchCore's weight against the reference values."""

from __future__ import annotations

import pytest
import torch

from core.geometry.reweighting import reweighted_maximum


def judged(features: torch.Tensor, bank: torch.Tensor) -> float:
    distances, matched = torch.cdist(features, bank).min(dim=1)
    return reweighted_maximum(features, bank, distances, matched)


def test_the_reference_values() -> None:
    bank = torch.tensor([[0.0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [5, 5, 5, 5]])
    features = torch.tensor([[0.0, 0, 0, 0.5], [0, 0, 0, 2.0]])
    assert judged(features, bank) == pytest.approx(1.111334, abs=1e-6)
    assert judged(features[:1], bank) < 0.5


def test_a_lonely_match_keeps_the_distance_and_a_crowded_one_lowers_it() -> None:
    features = torch.tensor([[2.0, 0.0]])
    lonely = torch.tensor([[0.0, 0.0], [400.0, 0.0], [0.0, 400.0]])
    crowded = torch.tensor([[0.0, 0.0], [0.0, 0.01], [0.01, -0.01]])
    assert judged(features, lonely) == pytest.approx(2.0)
    assert judged(features, crowded) == pytest.approx(1.0, abs=0.05)


def test_small_memories_and_copies() -> None:
    features = torch.tensor([[3.0, 4.0]])
    assert judged(features, torch.zeros(1, 2)) == 5.0
    assert judged(features, torch.zeros(2, 2)) == pytest.approx(0.0)
    assert judged(features, torch.zeros(3, 2)) == pytest.approx(2.5)


def test_large_distances_do_not_overflow() -> None:
    bank = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert 0.0 <= judged(torch.tensor([[1e6, 1e6]]), bank) < 1e7
