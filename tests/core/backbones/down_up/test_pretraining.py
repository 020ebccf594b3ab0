"""Both stages of DUS-Net's pretraining: they learn, resume to the same weights, and leave one set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core.backbones.down_up import lessons
from core.backbones.down_up.down_net import DownSizes
from core.backbones.down_up.lessons import LessonSource, unlike
from core.backbones.down_up.network import load_dus_net
from core.backbones.down_up.pretraining import pretrain_dus_net
from core.backbones.weights import WeightSet
from core.errors import WeightsError
from core.progress import Cancelled, Progress
from core.runtime import Runtime

CPU = Runtime(torch.device("cpu"))
SMALL = DownSizes(width=24, depth=1, heads=2)


@pytest.fixture(autouse=True)
def few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lessons, "_POINTS", 800)
    monkeypatch.setattr(lessons, "_GROUPS", (40, 41))


class StopsAt(Progress):
    """Cancels when the text says so."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def report(self, fraction: float, what: str) -> None:
        if what.startswith(self.text):
            self.cancel()


def pretrained(out: Path, progress: Progress | None = None, resume: Path | None = None) -> dict[str, object]:
    return pretrain_dus_net(
        out, steps=6, batch=2, seed=5, sizes=SMALL, runtime=CPU, progress=progress, resume=resume, workers=0
    )


def test_a_lesson_is_a_function_of_seed_and_step() -> None:
    first, again, other = (LessonSource(3, 2)(step) for step in (4, 4, 5))
    assert torch.equal(first.groups.neighbors, again.groups.neighbors)
    assert torch.equal(first.wanted, again.wanted)
    assert not torch.equal(first.dense, other.dense)


def test_a_lesson_wants_the_shape_back() -> None:
    lesson = LessonSource(3, 2)(1)
    assert lesson.dense.shape == (2, 1600, 3)
    assert lesson.wanted.shape == lesson.groups.centers.shape
    gaps = torch.cdist(lesson.wanted, lesson.dense, compute_mode="donot_use_mm_for_euclid_dist").amin(2)
    assert float(gaps.max()) < 1e-5  # what is wanted lies on the shape; what is seen need not
    assert float(lesson.dense.norm(dim=-1).max()) <= 1.0 + 1e-5


def test_another_part_of_the_kind_is_nearly_the_same() -> None:
    cloud = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    moved = np.linalg.norm(unlike(np.random.default_rng(1), cloud) - cloud, axis=1)
    assert 0 < moved.max() < 0.1


def test_both_stages_make_one_set(tmp_path: Path) -> None:
    card = pretrained(tmp_path / "made.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.json", "made.safetensors"]
    assert card["architecture"] == "dus_net"
    assert card["Down-Net"]["steps"] == 4  # type: ignore[index]
    assert json.loads((tmp_path / "made.json").read_text())["sizes"]["width"] == 24
    weights = WeightSet("made", "", "dus_net", "", "", path=tmp_path / "made.safetensors", card=card)
    assert load_dus_net(weights).down.sizes == SMALL


@pytest.mark.parametrize(("stop", "state"), [("Down-Net: step 2", "a-down.resume"), ("Up-Net: step 1", "a.resume")])
def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path: Path, stop: str, state: str) -> None:
    whole, stopped = tmp_path / "whole.safetensors", tmp_path / "a.safetensors"
    pretrained(whole)
    with pytest.raises(Cancelled):
        pretrained(stopped, StopsAt(stop))
    assert not stopped.exists()
    pretrained(stopped, resume=tmp_path / f"{state}.safetensors")
    one, other = load_file(whole), load_file(stopped)
    assert one.keys() == other.keys()
    # The second stage takes the first one's weights as they are written, in float16.
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    card = pretrained(tmp_path / "made.safetensors")
    broken = {**card, "sizes": {**card["sizes"], "depth": 2}}  # type: ignore[dict-item]
    with pytest.raises(WeightsError, match="not those of DUS-Net"):
        load_dus_net(WeightSet("made", "", "dus_net", "", "", path=tmp_path / "made.safetensors", card=broken))


def test_up_net_cannot_go_on_without_down_net(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="-down"):
        pretrained(tmp_path / "a.safetensors", resume=tmp_path / "a.resume.safetensors")
