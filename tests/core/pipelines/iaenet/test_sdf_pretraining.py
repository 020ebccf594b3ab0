"""Pretraining: what it writes, what it refuses, and that each batch follows from seed and step."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from core.backbones.checkpoints import read_tensors
from core.errors import ConfigError, WeightsError
from core.pipelines.iaenet import sdf_pretraining
from core.pipelines.iaenet.sdf import load_sdf
from core.pipelines.iaenet.sdf_pretraining import SdfPretrainSettings, SdfTask, pretrain_sdf
from core.pipelines.iaenet.sdf_pretraining_data import SETTINGS, Dense, PatchSource
from core.pipelines.iaenet.sdf_weights import ARCHITECTURE, pretrained
from core.progress import Cancelled, Progress
from core.runtime import Runtime


def test_batches_follow_from_seed_and_step() -> None:
    one = PatchSource(3, 16)(5)
    assert one.shape == (16, 2000, 6)
    assert one.dtype == np.float32
    np.testing.assert_array_equal(PatchSource(3, 16)(5), one)
    assert not np.array_equal(PatchSource(3, 16)(6), one)


def test_what_a_step_shows_is_normalised_and_measured_to_the_dense_patch() -> None:
    draws = torch.Generator().manual_seed(0)
    dense = Dense.of(torch.from_numpy(PatchSource(0, 16)(0)), SETTINGS)
    assert dense.seen(SETTINGS, draws).shape == (16, 500, 3)
    torch.testing.assert_close(dense.points[:, :500].norm(dim=2).amax(dim=1), torch.full((16,), 0.5))
    queries, distances = dense.queries(SETTINGS, draws)
    assert queries.shape == (16, 500, 3)
    gaps = torch.cdist(queries, dense.points).amin(dim=2)
    assert float((distances.abs() - gaps).max()) < 1e-4  # never farther than the nearest point


def test_pretraining_writes_weights_and_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdf_pretraining, "_PROBED", 16)
    out = tmp_path / "pointnet_sdf-mine.safetensors"
    card = pretrain_sdf(out, steps=2, batch=16, queries=4, runtime=Runtime.choose("cpu"))
    assert card["architecture"] == ARCHITECTURE
    assert card["steps"] == 2
    assert card["probe"]["mean error there"] > 0
    assert json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))["frame"] == "principal"
    assert out.stat().st_size < 6.6e6
    load_sdf(read_tensors(out), torch.device("cpu"))
    monkeypatch.setenv("NOMINAL_WEIGHTS", str(tmp_path))
    model, weights = pretrained("pointnet_sdf-mine")
    assert weights.name == "pointnet_sdf-mine"
    assert not model.training


def test_weights_that_are_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOMINAL_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError):
        pretrained("pointnet_sdf-none")


def test_after_the_first_loss_the_decoder_alone_goes_on_with_the_same_codes() -> None:
    task = SdfTask(SdfPretrainSettings(steps=1, batch=16, queries=4), Runtime.choose("cpu"))
    losses = task.losses(task.make(0), np.random.default_rng(0))
    next(losses).backward()
    encoder = task.network.encoder.convolutions[0].weight
    assert encoder.grad is not None
    others = list(losses)
    assert len(others) == 4
    encoder.grad = None
    others[-1].backward()
    assert encoder.grad is None
    assert task.network.decoder.last.weight.grad is not None


def test_bad_settings_are_refused_and_a_cancelled_run_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        pretrain_sdf(tmp_path / "a.safetensors")
    with pytest.raises(ConfigError):
        pretrain_sdf(tmp_path / "a.safetensors", steps=1, batch=20)
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        pretrain_sdf(tmp_path / "a.safetensors", steps=1, batch=16, progress=progress)
    assert list(tmp_path.iterdir()) == []
