"""A user's weights folder of its own for every test, and weights made for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.backbones.point_mae import random_point_mae
from core.backbones.resnet import ResNet


@pytest.fixture(autouse=True)
def weights_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "user weights"
    monkeypatch.setenv("NOMINAL_WEIGHTS", str(folder))
    return folder


@pytest.fixture(scope="session")
def made_tensors() -> Mapping[str, Tensor]:
    """An extractor's tensors with every value drawn at random, statistics of the batch norms too."""
    generator = torch.Generator().manual_seed(11)
    tensors = {}
    for name, tensor in random_point_mae(3).state_dict().items():
        if name.endswith("num_batches_tracked"):
            tensors[name] = torch.tensor(5)
        elif name.endswith("running_var"):
            tensors[name] = 0.5 + torch.rand(tensor.shape, generator=generator)
        elif tensor.ndim == 1:
            tensors[name] = tensor + 0.3 * torch.randn(tensor.shape, generator=generator)
        else:
            tensors[name] = torch.randn(tensor.shape, generator=generator) / tensor.shape[1] ** 0.5
    return tensors


@pytest.fixture(scope="session")
def official_tensors(made_tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The same under the names of an official checkpoint, with a decoder's beside them."""
    named = {f"module.MAE_encoder.{name}": tensor for name, tensor in made_tensors.items()}
    return {**named, "module.mask_token": torch.zeros(1, 1, 384), "module.MAE_decoder.norm.weight": torch.ones(384)}


@pytest.fixture(scope="session")
def trunk_tensors() -> Mapping[str, Tensor]:
    """ResNet-18's stem and first stage, every value drawn at random: the smallest file that is recognised as one."""
    generator = torch.Generator().manual_seed(12)
    return {
        name: torch.tensor(5) if tensor.ndim == 0 else 0.5 + 0.1 * torch.rand(tensor.shape, generator=generator)
        for name, tensor in ResNet("resnet18", stages=1).state_dict().items()
    }
