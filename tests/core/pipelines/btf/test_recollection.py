from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from core.backbones.patch_memory import PatchMemory
from core.pipelines.btf.config import BtfConfig
from core.pipelines.btf.recollection import Recollection
from core.runtime import Runtime

CPU = Runtime(torch.device("cpu"))
ALL = BtfConfig(coreset=1.0, reweighting=False)


def rows(seed: int, count: int = 120, width: int = 4) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def test_patchcore_s_reference_values():
    bank = torch.zeros(4, 4)
    bank[1, 0] = bank[2, 1] = 1.0
    bank[3] = 5.0
    memory = Recollection(PatchMemory(bank, torch.arange(4), CPU), 1.0)
    asked = torch.tensor([[0.0, 0.0, 0.0, 0.5], [0.0, 0.0, 0.0, 2.0]])
    found = memory.compare(asked, BtfConfig())
    assert found.distances == pytest.approx([0.5, 2.0], abs=1e-6)
    assert found.weight == pytest.approx(0.555667, abs=1e-6)
    assert found.weight * found.distances.max() == pytest.approx(1.111334, abs=1e-6)
    assert memory.compare(asked, BtfConfig(reweighting=False)).weight == 1.0


def test_the_score_is_the_mean_distance_to_the_nearest():
    good = [rows(0), rows(1)]
    memory = Recollection.learn(good, 2, ALL, CPU)
    expected = np.sort(cdist(rows(9).double(), torch.cat(good).double()), axis=1)
    for k in (1, 3):
        config = BtfConfig(coreset=1.0, reweighting=False, neighbors=k)
        assert memory.compare(rows(9), config).distances == pytest.approx(expected[:, :k].mean(axis=1), abs=1e-3)


def test_the_level_is_what_one_good_patch_in_a_hundred_exceeds_seen_from_other_scans():
    good = [rows(i) for i in range(3)]
    memory = Recollection.learn(good, 3, ALL, CPU)
    away = [cdist(own.double(), torch.cat(good[:i] + good[i + 1 :]).double()).min(axis=1) for i, own in enumerate(good)]
    assert memory.level == pytest.approx(np.quantile(np.concatenate(away), 0.99), rel=1e-3)


def test_a_single_scan_or_equal_ones_have_a_level():
    assert Recollection.learn([rows(0)], 1, BtfConfig(), CPU).level > 0
    same = Recollection.learn([torch.ones(20, 3)] * 2, 2, BtfConfig(), CPU)
    assert same.level > 0
    found = same.compare(torch.ones(5, 3), BtfConfig())
    assert np.isfinite(found.distances).all()
    assert math.isfinite(found.weight)


def test_the_memory_keeps_its_share_and_comes_back_from_its_state():
    memory = Recollection.learn([rows(0), rows(1)], 2, BtfConfig(coreset=0.1), CPU)
    assert len(memory.memory.bank) == 24
    assert len(Recollection.learn([rows(0), rows(1)], 2, BtfConfig(memory=5), CPU).memory.bank) == 5
    again = Recollection.from_state(memory.state(), CPU)
    assert again.level == memory.level
    assert np.array_equal(again.compare(rows(5), ALL).distances, memory.compare(rows(5), ALL).distances)
