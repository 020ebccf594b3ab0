"""Tokens of one cloud: the same whatever the chunks, and read anew when the weights change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from core.backbones.checkpoints import save_weights
from core.backbones.point_mae import load_point_mae
from core.backbones.point_tokens import cut_groups, extractor, point_tokens
from core.backbones.weights import WeightSet, find
from core.runtime import Runtime

CPU = torch.device("cpu")


@pytest.fixture
def made_set(weights_home: Path, made_tensors: Mapping[str, Tensor]) -> WeightSet:
    save_weights(weights_home / "made.safetensors", made_tensors, {"architecture": "point_mae"})
    return find("made")


def test_groups_are_centred() -> None:
    points = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    neighbors = np.array([[3, 4, 5], [7, 8, 9]])
    groups, centers = cut_groups(points, np.array([3, 7]), neighbors)
    np.testing.assert_array_equal(groups[:, 0], 0)
    np.testing.assert_allclose(groups + centers[:, None], points[neighbors], atol=1e-6)


@pytest.mark.parametrize("layers", [(), (3, 7, 11)])
def test_chunks_do_not_matter(made_set: WeightSet, layers: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    groups, centers = rng.normal(size=(12, 8, 3)).astype(np.float32), rng.normal(size=(12, 3)).astype(np.float32)
    model = extractor(made_set, CPU)
    whole = point_tokens(model, groups, centers, Runtime(CPU), layers=layers)
    small = point_tokens(model, groups, centers, Runtime(CPU, memory_budget=1), layers=layers)
    assert whole.shape == (12, 384 * max(1, len(layers)))
    torch.testing.assert_close(whole, small, rtol=1e-4, atol=1e-4)
    direct = load_point_mae(made_set)(torch.from_numpy(groups)[None], torch.from_numpy(centers)[None], layers)[0]
    torch.testing.assert_close(whole, direct, rtol=1e-4, atol=1e-4)
    again = point_tokens(model, torch.from_numpy(groups), torch.from_numpy(centers), Runtime(CPU), layers=layers)
    assert torch.equal(whole, again), "the same on every run, for tensors as for arrays"


def test_something_can_be_trained_on_the_tokens(made_set: WeightSet) -> None:
    tokens = point_tokens(extractor(made_set, CPU), torch.zeros(3, 4, 3), torch.zeros(3, 3), Runtime(CPU))
    layer = torch.nn.Linear(384, 1)
    layer(tokens).sum().backward()
    assert layer.weight.grad is not None
    assert not tokens.requires_grad


def test_cloud_statistics_forgive_the_unit(made_set: WeightSet) -> None:
    rng = np.random.default_rng(0)
    groups, centers = rng.normal(size=(12, 16, 3)).astype(np.float32), np.zeros((12, 3), np.float32)
    model = extractor(made_set, CPU, cloud_statistics=True)
    one, thousand = (point_tokens(model, scale * groups, centers, Runtime(CPU)) for scale in (1.0, 1000.0))
    torch.testing.assert_close(one, thousand, rtol=1e-2, atol=1e-2)
    small = point_tokens(model, groups, centers, Runtime(CPU, memory_budget=1))
    torch.testing.assert_close(one, small, rtol=1e-4, atol=1e-4)


def test_the_network_is_read_once_and_again_when_the_file_changes(
    made_set: WeightSet, weights_home: Path, made_tensors: Mapping[str, Tensor]
) -> None:
    first = extractor(made_set, CPU)
    assert extractor(made_set, CPU) is first
    changed = {**made_tensors, "norm.bias": torch.ones(384)}
    save_weights(weights_home / "made.safetensors", changed, {"architecture": "point_mae"})
    assert bool((extractor(made_set, CPU).norm.bias == 1).all())
