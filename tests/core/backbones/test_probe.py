"""The probe: it separates what is separable, and calls chance chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.backbones import probe as module
from core.backbones.point_mae import random_point_mae
from core.backbones.probe import pooled_features, probe
from core.backbones.weights import default_weights
from core.runtime import Runtime

CPU = Runtime(torch.device("cpu"))


def test_accuracy_is_one_for_separable_and_chance_for_noise() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 50)
    noise = rng.normal(size=(100, 8)).astype(np.float32)
    apart = noise + 20 * labels[:, None].astype(np.float32)
    assert module._accuracies(apart, labels, 0).mean() == pytest.approx(1.0)
    assert module._accuracies(noise, labels, 0).mean() == pytest.approx(0.5, abs=0.2)


def test_features_are_the_largest_and_the_mean_token() -> None:
    model = random_point_mae(0)
    cloud = np.random.default_rng(0).normal(size=(2, 200, 3)).astype(np.float32)
    found = pooled_features(model, cloud, CPU)
    alone = pooled_features(model, cloud[1:], CPU)
    assert found.shape == (2, 768)
    np.testing.assert_allclose(found[1:], alone, atol=1e-4)
    assert (found[:, :384] >= found[:, 384:]).all()


def test_table_names_tasks_and_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = random_point_mae(1)
    del short.blocks.blocks[1:]  # one block in place of twelve, to be fast
    monkeypatch.setattr(module, "load_point_mae", lambda _weights: short)
    monkeypatch.setattr(module, "random_point_mae", lambda _seed, **_more: short)
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "s.npz", points=rng.normal(size=(160, 1024, 3)).astype(np.float16), source=np.repeat(["a", "b"], 80)
    )
    rows = probe(default_weights("point_mae"), runtime=CPU, shapes=tmp_path / "s.npz", per_family=5)
    assert [(r.task, r.features) for r in rows[:3]] == [
        ("procedural families", default_weights("point_mae").name),
        ("procedural families", "random network"),
        ("procedural families", "random network, cloud statistics"),
    ]
    assert rows[0].classes == 8
    assert rows[0].shapes == 40
    assert rows[0].chance == pytest.approx(1 / 8)
    assert rows[3].classes == 2
    assert all(0 <= r.accuracy <= 1 for r in rows)
