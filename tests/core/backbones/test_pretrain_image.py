"""Pretraining of an image trunk: its views keep their places, it learns, resumes, and its weights load."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core.backbones import pretraining
from core.backbones.pretrain_image import ImageSettings, ImageSource, ImageTask, pretrain_image, random_view
from core.backbones.resnet import resnet18_tensors, wide_resnet50_2_tensors
from core.errors import ConfigError
from core.progress import Cancelled, Progress
from core.runtime import Runtime

CPU = Runtime(torch.device("cpu"))
SMALL = {"batch": 4, "classes": 6, "size": 32}


class Stop(Progress):
    """Cancels when the step of that number is about to start."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def report(self, fraction: float, what: str) -> None:
        if what.startswith(f"step {self.step} "):
            self.cancel()


def test_a_place_of_the_image_is_found_in_the_view() -> None:
    """The image is a ramp, x in red and y in green, so that what a view shows says where it lies."""
    line = torch.linspace(-1, 1, 65)
    ramp = torch.stack([line.expand(65, 65), line[:, None].expand(65, 65), torch.zeros(65, 65)])
    images = (ramp * 0.5 + 0.5).expand(5, 3, 65, 65)
    view = random_view(images, 48, np.random.default_rng(0))
    inner = torch.rand(5, 20, 2, generator=torch.Generator().manual_seed(1)) * 1.2 - 0.6
    of_image = view.shown(inner)
    torch.testing.assert_close(of_image, inner @ view.affine[:, :, :2].mT + view.affine[:, None, :, 2])
    torch.testing.assert_close(view.places(of_image), inner, atol=1e-5, rtol=0)
    plain = torch.nn.functional.grid_sample(
        images, torch.nn.functional.affine_grid(view.affine, [5, 3, 48, 48], align_corners=False), align_corners=False
    )
    at = torch.nn.functional.grid_sample(plain, view.places(of_image)[:, None], align_corners=False)[:, :2, 0].mT
    assert ((at * 2 - 1) - of_image).abs().max() < 0.06


def test_batches_depend_on_seed_and_step_alone() -> None:
    source = ImageSource(1, 3, 12, 40)
    a, b, other = source(4), ImageSource(1, 3, 12, 40)(4), source(5)
    np.testing.assert_array_equal(a.images, b.images)
    assert a.images.shape == (3, 3, 40, 40)
    assert a.images.dtype == np.uint8
    assert not np.array_equal(a.images, other.images)
    assert len(set(a.labels)) == 3, "no class twice, as long as there are enough"


def test_it_learns_and_its_weights_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining, "_WINDOW", 5)
    card = pretrain_image(tmp_path / "w.safetensors", steps=30, runtime=CPU, **{**SMALL, "batch": 8})
    curve = card["loss curve"]
    assert curve[-1][1] < curve[0][1] - 0.3
    assert card["architecture"] == "resnet18"
    assert card["data"]["photographs"] == 0
    assert 0 <= card["probe"]["accuracy on new images"] <= 1
    resnet18_tensors(load_file(tmp_path / "w.safetensors"))  # complete, of the right shapes


def test_of_the_wide_trunk_only_two_stages_are_written() -> None:
    task = ImageTask(ImageSettings(steps=1, architecture="wide_resnet50_2", batch=2, classes=6, size=32), CPU)
    tensors = task.weights()
    assert sum(t.numel() for n, t in tensors.items() if "running" not in n) == 4_126_528
    wide_resnet50_2_tensors(tensors)


def test_a_resumed_run_ends_like_one_that_was_not_stopped(tmp_path: Path) -> None:
    pretrain_image(tmp_path / "whole.safetensors", steps=4, runtime=CPU, **SMALL)
    with pytest.raises(Cancelled):
        pretrain_image(tmp_path / "cut.safetensors", steps=4, runtime=CPU, progress=Stop(2), **SMALL)
    state = tmp_path / "cut.resume.safetensors"
    pretrain_image(tmp_path / "cut.safetensors", steps=4, runtime=CPU, resume=state, **SMALL)
    first, second = load_file(tmp_path / "whole.safetensors"), load_file(tmp_path / "cut.safetensors")
    for name, tensor in first.items():
        torch.testing.assert_close(tensor, second[name], rtol=0, atol=0)


def test_dense_contrast_is_small_where_views_are_the_same_and_places_differ() -> None:
    """With features that are the image's own places, a place knows itself among the others."""
    settings = ImageSettings(steps=1, batch=3, classes=6, size=32)
    task = ImageTask(settings, CPU)
    images = torch.from_numpy(task.make(0).images).float() / 255
    draws = np.random.default_rng(0)
    views = [random_view(images, 32, draws) for _ in range(2)]
    line = torch.linspace(-1 + 1 / 32, 1 - 1 / 32, 32)
    own = torch.stack([line.expand(32, 32), line[:, None].expand(32, 32)], -1).reshape(1, -1, 2)
    maps = []
    for view in views:
        place = view.shown(own.expand(3, -1, -1))
        waves = torch.cat([torch.sin(place * f + p) for f in (2.0, 7.0) for p in (0.0, 1.5)], -1)
        which = torch.eye(3)[:, None].expand(3, len(own[0]), 3)
        maps.append(torch.cat([waves, which, torch.zeros(3, len(own[0]), 117)], -1).mT.reshape(3, 128, 32, 32))
    task.learner.projections["layer2"] = torch.nn.Identity()
    right = task._contrast("layer2", torch.cat(maps), views, np.random.default_rng(1))
    wrong = task._contrast("layer2", torch.cat([maps[0], maps[1].roll(1, 0)]), views, np.random.default_rng(1))
    assert right < 2.0 < wrong


@pytest.mark.parametrize("wrong", [{"architecture": "vgg"}, {"classes": 1}, {"size": 8}])
def test_settings_that_make_no_sense(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        ImageSettings(steps=1, **wrong)  # type: ignore[arg-type]
