from __future__ import annotations

import pytest
import torch
from scipy.spatial.distance import cdist

from core.evaluation import patch_memory
from core.evaluation.patch_memory import PatchMemory
from core.runtime import Runtime

CPU = Runtime(torch.device("cpu"))


def rows(seed: int, count: int = 200, width: int = 9) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def test_a_tenth_is_kept_and_every_kept_row_is_one_of_the_good():
    good = [rows(0), rows(1)]
    memory = PatchMemory(good, 2, CPU)
    assert len(memory.bank) == 40
    assert cdist(memory.bank, torch.cat(good)).min(axis=1).max() < 1e-6


def test_distances_are_to_the_nearest_kept_row():
    memory = PatchMemory([rows(0)], 1, CPU)
    asked = rows(7)
    expected = cdist(asked.double(), memory.bank.double()).min(axis=1)
    assert memory.distances(asked).numpy() == pytest.approx(expected, abs=1e-4)
    small = PatchMemory([rows(0)], 1, Runtime(torch.device("cpu"), memory_budget=500))
    assert small.distances(asked).numpy() == pytest.approx(expected, abs=1e-4)


def test_memory_is_bounded_whatever_comes(monkeypatch):
    monkeypatch.setattr(patch_memory, "_MOST_ROWS", 100)
    monkeypatch.setattr(patch_memory, "MOST_KEPT", 8)
    taken = []

    def good():
        for i in range(4):
            taken.append(i)
            yield rows(i)

    memory = PatchMemory(good(), 4, CPU)
    assert len(memory.bank) == 8
    assert taken == [0, 1, 2, 3]


def test_the_same_scans_make_the_same_memory():
    assert torch.equal(PatchMemory([rows(0)], 1, CPU).bank, PatchMemory([rows(0)], 1, CPU).bank)
