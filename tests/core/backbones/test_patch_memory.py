from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from core.backbones import patch_memory
from core.backbones.patch_memory import PatchMemory
from core.runtime import Runtime

CPU = Runtime(torch.device("cpu"))


def rows(seed: int, count: int = 200, width: int = 9) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def test_a_tenth_is_kept_and_every_kept_row_is_one_of_the_good():
    good = [rows(0), rows(1)]
    memory = PatchMemory.learn(good, 2, CPU)
    assert len(memory.bank) == 40
    assert cdist(memory.bank, torch.cat(good)).min(axis=1).max() < 1e-6


def test_distances_are_to_the_nearest_kept_row():
    memory = PatchMemory.learn([rows(0)], 1, CPU)
    asked = rows(7)
    expected = cdist(asked.double(), memory.bank.double()).min(axis=1)
    assert memory.distances(asked).numpy() == pytest.approx(expected, abs=1e-4)
    small = PatchMemory.learn([rows(0)], 1, Runtime(torch.device("cpu"), memory_budget=500))
    assert small.distances(asked).numpy() == pytest.approx(expected, abs=1e-4)


def test_memory_is_bounded_whatever_comes(monkeypatch):
    monkeypatch.setattr(patch_memory, "_MOST_ROWS", 100)
    taken = []

    def good():
        for i in range(4):
            taken.append(i)
            yield rows(i)

    memory = PatchMemory.learn(good(), 4, CPU, most=8)
    assert len(memory.bank) == 8
    assert taken == [0, 1, 2, 3]


def test_the_same_scans_make_the_same_memory():
    assert torch.equal(PatchMemory.learn([rows(0)], 1, CPU).bank, PatchMemory.learn([rows(0)], 1, CPU).bank)


def test_the_nearest_items_in_order_and_without_a_scan_s_own():
    memory = PatchMemory.learn([rows(0), rows(1)], 2, CPU, share=0.5)
    asked = rows(7)
    expected = cdist(asked.double(), memory.bank.double())
    distances, items = memory.nearest(asked, 3)
    assert distances.numpy() == pytest.approx(np.sort(expected, axis=1)[:, :3], abs=1e-4)
    assert np.take_along_axis(expected, items.numpy(), 1) == pytest.approx(distances.numpy(), abs=1e-4)
    away, items = memory.nearest(asked, without=1)
    assert (memory.owners[items] == 0).all()
    other = (memory.owners == 0).numpy()
    assert away[:, 0].numpy() == pytest.approx(expected[:, other].min(axis=1), abs=1e-4)


def test_a_memory_of_one_scan_is_not_emptied():
    memory = PatchMemory.learn([rows(0)], 1, CPU)
    assert memory.nearest(rows(3), 500, without=0)[0].shape == (200, len(memory.bank))
