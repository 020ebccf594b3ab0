"""Pretraining: it learns, resumes to the same weights, and leaves nothing half-made when it is stopped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core.backbones import pretrain_point as module
from core.backbones import pretraining
from core.backbones.masked_autoencoder import MaskedAutoencoder
from core.backbones.pretrain_point import pretrain_point as pretrain
from core.backbones.pretrain_point_data import ShapeSource, group, real_shapes
from core.backbones.pretraining import PretrainSettings, export_state
from core.errors import ConfigError, OutputError, WeightsError
from core.progress import Cancelled, Progress
from core.runtime import Runtime

CPU = Runtime(torch.device("cpu"))


class SmallNetwork(MaskedAutoencoder):
    """The autoencoder with two blocks in place of twelve and one in place of four, to be fast."""

    def __init__(self, mask_ratio: float = 0.6, drop_path: float = 0.0) -> None:
        super().__init__(mask_ratio, drop_path)
        del self.MAE_encoder.blocks.blocks[2:]
        del self.MAE_decoder.blocks[1:]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MaskedAutoencoder", SmallNetwork)
    monkeypatch.setattr(module.PointTask, "probe", lambda *_: [{"task": "none, the network is not whole"}])


class Stop(Progress):
    """Cancels when the step of that number is about to start."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def report(self, fraction: float, what: str) -> None:
        if what.startswith(f"step {self.step} "):
            self.cancel()


@pytest.mark.usefixtures("small")
def test_loss_falls_and_the_card_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining, "_WINDOW", 6)
    card = pretrain(tmp_path / "w.safetensors", steps=18, batch=2, runtime=CPU)
    curve = card["loss curve"]
    assert [step for step, _ in curve] == [6, 12, 18]
    assert curve[2][1] < 0.6 * curve[0][1]
    assert card["samples"] == 36
    assert card["steps"] == 18
    assert card["probe"]
    assert json.loads((tmp_path / "w.json").read_text())["loss"] == card["loss"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["w.json", "w.safetensors"]
    kept = load_file(tmp_path / "w.safetensors")
    assert {t.dtype for t in kept.values()} == {torch.float16}
    assert not any(name.startswith(("MAE_", "mask")) for name in kept)


@pytest.mark.usefixtures("small")
def test_a_resumed_run_ends_like_one_that_was_not_stopped(tmp_path: Path) -> None:
    whole = pretrain(tmp_path / "whole.safetensors", steps=6, batch=2, seed=3, runtime=CPU)
    with pytest.raises(Cancelled):
        pretrain(tmp_path / "cut.safetensors", steps=6, batch=2, seed=3, runtime=CPU, progress=Stop(2))
    state = tmp_path / "cut.resume.safetensors"
    assert {p.name for p in tmp_path.glob("cut*")} == {state.name}, "no weights, no temporary files, only the state"
    early = export_state(state, tmp_path / "early.safetensors")
    assert early["steps"] == 3
    assert early["unfinished"] is True
    card = pretrain(tmp_path / "cut.safetensors", steps=6, batch=2, seed=3, runtime=CPU, resume=state)
    assert not state.exists()
    assert card["loss curve"] == whole["loss curve"]
    first, second = load_file(tmp_path / "whole.safetensors"), load_file(tmp_path / "cut.safetensors")
    for name, tensor in first.items():
        torch.testing.assert_close(tensor, second[name], rtol=0, atol=0)


@pytest.mark.usefixtures("small")
def test_cancelled_before_the_first_step_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        pretrain(folder / "w.safetensors", steps=2, batch=2, runtime=CPU, progress=progress)
    assert not folder.exists()


@pytest.mark.usefixtures("small")
def test_a_state_of_another_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        pretrain(tmp_path / "w.safetensors", steps=4, batch=2, runtime=CPU, progress=Stop(1))
    state = tmp_path / "w.resume.safetensors"
    with pytest.raises(WeightsError, match="another batch and seed"):
        pretrain(tmp_path / "w.safetensors", steps=4, batch=3, seed=1, runtime=CPU, resume=state)
    state.write_bytes(state.read_bytes()[:5000])
    with pytest.raises(WeightsError, match="no state of a pretraining"):
        pretrain(tmp_path / "w.safetensors", steps=4, batch=2, runtime=CPU, resume=state)


def test_what_cannot_end_well_is_said_before_it_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="could not be written"):
        pretrain(tmp_path / "file" / "w.safetensors", steps=1, batch=2, runtime=CPU)
    with pytest.raises(ConfigError, match=r"absent\.npz"):
        pretrain(tmp_path / "w.safetensors", steps=1, batch=2, runtime=CPU, mix=tmp_path / "absent.npz")


@pytest.mark.parametrize(
    "wrong", [{}, {"steps": 5, "minutes": 1.0}, {"steps": 0}, {"minutes": -1.0}, {"steps": 5, "batch": 1}]
)
def test_settings_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        PretrainSettings(**wrong)  # type: ignore[arg-type]


def test_learning_rate_rises_then_falls_like_a_cosine() -> None:
    settings = PretrainSettings(steps=100, batch=128, warmup=0.1)
    assert settings.rate(0.05) == pytest.approx(5e-4)
    assert settings.rate(0.1) == pytest.approx(1e-3)
    assert settings.rate(0.55) == pytest.approx(5e-4)
    assert settings.rate(1.0) == pytest.approx(1e-6)
    assert PretrainSettings(steps=1, batch=32).rate(0.05) == pytest.approx(5e-4)


def test_batches_depend_on_seed_and_step_alone() -> None:
    a, b = ShapeSource(1, 3), ShapeSource(1, 3)
    np.testing.assert_array_equal(a.points(4), b.points(4))
    assert not np.array_equal(a.points(4), a.points(5))
    assert a.points(0).shape == (3, 1024, 3)


def test_groups_hold_the_nearest_points() -> None:
    points = torch.randn(2, 300, 3, generator=torch.Generator().manual_seed(0))
    groups, centers = group(points, 8, 16)
    for i in range(2):
        distances = (centers[i][:, None] - points[i]).norm(dim=-1)
        expected = distances.sort(dim=1).values[:, :16]
        torch.testing.assert_close(groups[i].norm(dim=-1).sort(dim=1).values, expected, rtol=1e-5, atol=1e-6)


def test_real_shapes_are_mixed_in_and_some_kept_away(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 1100, 3)).astype(np.float16)
    np.savez(
        tmp_path / "shapes.npz", points=points, source=np.repeat(["a/b", "c/d"], 30), path=np.arange(60).astype(str)
    )
    shapes = real_shapes(tmp_path / "shapes.npz")
    assert 2 <= shapes.held_out.sum() <= 25
    clouds = ShapeSource(0, 4, tmp_path / "shapes.npz", mix_share=1.0).points(0)
    assert clouds.shape == (4, 1024, 3)
    assert np.isfinite(clouds).all()


def test_files_that_hold_no_shapes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "few.npz", points=np.zeros((3, 10, 3), np.float32))
    np.savez(tmp_path / "other.npz", values=np.zeros(3))
    np.savez(tmp_path / "nan.npz", points=np.full((3, 1024, 3), np.nan, np.float32))
    for name in ("absent", "text", "few", "other", "nan"):
        with pytest.raises(ConfigError, match=f"{name}.npz"):
            real_shapes(tmp_path / f"{name}.npz")
