from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from core.pipelines.btf.surface import pooled, smoothed
from core.runtime import Runtime

CPU = Runtime(torch.device("cpu"))


def grid(side: int) -> np.ndarray:
    x, y = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    return np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1).astype(np.float32)


def test_pooling_is_the_mean_of_the_nearest():
    rng = np.random.default_rng(0)
    places, tokens = rng.random((80, 3)).astype(np.float32), rng.random((80, 5)).astype(np.float32)
    near = np.argsort(cdist(places[:9], places), axis=1)[:, :7]
    found = pooled(torch.from_numpy(tokens), places, places[:9], 7, CPU)
    assert found.numpy() == pytest.approx(tokens[near].mean(axis=1), abs=1e-5)
    everything = pooled(torch.from_numpy(tokens), places, places[:2], 1000, CPU)
    assert everything.numpy() == pytest.approx(np.tile(tokens.mean(axis=0), (2, 1)), abs=1e-5)
    small = Runtime(torch.device("cpu"), memory_budget=100)
    assert torch.equal(pooled(torch.from_numpy(tokens), places, places[:9], 7, small), found)


def test_smoothing_is_a_gaussian_of_that_width():
    places = grid(41)
    values = np.zeros(len(places), np.float32)
    values[20 * 41 + 20] = 1.0
    found = smoothed(values, places, 2.0, 1.0)
    assert found[20 * 41 + 20] == pytest.approx(1 / (2 * np.pi * 4), rel=0.08)  # a plane's Gaussian, cut at 2.5
    assert found[20 * 41 + 22] / found[20 * 41 + 20] == pytest.approx(np.exp(-0.5), rel=0.02)
    assert smoothed(np.full(len(places), 3.0, np.float32), places, 2.0, 1.0) == pytest.approx(3.0)


def test_no_width_smooths_nothing():
    values = np.random.default_rng(0).random(81).astype(np.float32)
    assert np.array_equal(smoothed(values, grid(9), 0.0, 1.0), values)
    assert np.array_equal(smoothed(values, grid(9), 0.1, 1.0), values)
