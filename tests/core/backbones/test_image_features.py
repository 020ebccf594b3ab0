"""The one interface of image features: what names mean, and what every extractor promises."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.backbones import defaults
from core.backbones import image_features as module
from core.backbones.checkpoints import save_weights
from core.backbones.image_features import (
    ImageFeatures,
    default_image_features,
    image_feature_choices,
    image_features,
)
from core.backbones.oriented_energy import oriented_energy
from core.backbones.resnet import ResNet, random_resnet
from core.backbones.vit import VitBase8
from core.backbones.weights import find
from core.errors import ConfigError, WeightsError
from core.runtime import Runtime

CPU = Runtime(torch.device("cpu"))
MEAN, DEVIATION = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


@pytest.fixture
def small_trunk(weights_home: Path) -> ResNet:
    """A ResNet-18 that ends with layer2, in the user's folder as ``small``."""
    network = ResNet("resnet18", 2)
    network.initialise(torch.Generator().manual_seed(4))
    save_weights(weights_home / "small.safetensors", network.state_dict(), {"architecture": "resnet18"})
    return network.eval().requires_grad_(False)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 3, 64, 48, generator=torch.Generator().manual_seed(0))


NAMES = ("oriented_energy", "random:resnet18", "small", "small+oriented_energy", "auto:rgb", "auto:rendered")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(64, 48), (61, 45)])
def test_every_extractor_keeps_the_promises(small_trunk: ResNet, name: str, size: tuple[int, int]) -> None:
    images = torch.rand(3, 3, *size, generator=torch.Generator().manual_seed(0))
    features = image_features(name, CPU)
    assert isinstance(features, ImageFeatures)
    assert "auto" not in features.name
    found = features(images)
    assert found.shape == (3, features.channels, size[0] // features.stride, size[1] // features.stride)
    assert found.dtype == torch.float32
    assert not found.requires_grad
    assert bool(torch.isfinite(found).all())
    assert torch.equal(features(images), found), "the same on every run"
    chunked = image_features(features.name, dataclasses.replace(CPU, memory_budget=1))
    torch.testing.assert_close(chunked(images), found, rtol=1e-4, atol=1e-4)
    torch.nn.Conv2d(features.channels, 1, 1)(found).sum().backward()  # something can be trained on top


@pytest.mark.parametrize(
    ("layers", "stride", "channels"),
    [
        ((), 4, 448),
        (("layer1",), 4, 64),
        (("layer2",), 8, 128),
        (("layer3", "layer2"), 8, 384),
        (("layer1", "layer2"), 4, 192),
    ],
)
def test_layers_say_stride_and_channels(layers: tuple[str, ...], stride: int, channels: int) -> None:
    features = image_features("random:resnet18", CPU, layers=layers)
    assert (features.stride, features.channels) == (stride, channels)
    assert features(torch.rand(1, 3, 32, 32)).shape == (1, channels, 32 // stride, 32 // stride)


def test_wide_resnet_has_the_published_channels() -> None:
    features = image_features("random:wide_resnet50_2", CPU, layers=("layer1", "layer2"))
    assert (features.stride, features.channels) == (4, 256 + 512)


def test_images_are_normalised_as_imagenet_was(small_trunk: ResNet, images: Tensor) -> None:
    found = image_features("small", CPU, layers=("layer2",))(images)
    expected = small_trunk((images - MEAN.view(3, 1, 1)) / DEVIATION.view(3, 1, 1), ("layer2",))["layer2"]
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-2)  # the set is stored in half precision


def test_coarser_layers_are_brought_to_the_finest_bilinearly(images: Tensor) -> None:
    found = image_features("random:resnet18", CPU)(images)
    with torch.no_grad():
        maps = random_resnet("resnet18", 0)((images - MEAN.view(3, 1, 1)) / DEVIATION.view(3, 1, 1))
    assert list(maps) == ["layer1", "layer2", "layer3"]
    expected = [
        torch.nn.functional.interpolate(one, size=(16, 12), mode="bilinear", align_corners=False)
        for one in maps.values()
    ]
    torch.testing.assert_close(found, torch.cat(expected, 1), rtol=1e-4, atol=1e-4)


def test_parts_of_a_sum_are_of_unit_length_in_the_order_of_the_name(images: Tensor) -> None:
    both = image_features("oriented_energy+random:resnet18", CPU, layers=("layer1",))
    assert (both.stride, both.channels) == (4, 387 + 64)
    found = both(images)
    own = torch.nn.functional.normalize(oriented_energy(images), dim=1)
    brought = torch.nn.functional.interpolate(own, size=(16, 12), mode="bilinear", align_corners=False)
    torch.testing.assert_close(found[:, :387], brought, rtol=1e-4, atol=1e-5)
    lengths = found[:, 387:].norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))
    same = image_features("oriented_energy+random:resnet18+oriented_energy", CPU, layers=("layer1",))
    assert same.name == both.name, "each part counts once"


def test_a_sum_of_small_images(small_trunk: ResNet) -> None:
    assert image_features("oriented_energy+small", CPU)(torch.rand(1, 3, 5, 7)).shape == (1, 387 + 192, 1, 1)


def test_weights_are_remembered_by_name_and_hash(small_trunk: ResNet) -> None:
    assert dict(image_features("oriented_energy", CPU).weights) == {}
    assert dict(image_features("random:resnet18", CPU).weights) == {}
    assert dict(image_features("oriented_energy+small", CPU).weights) == {"small": find("small").sha256}


def test_a_vit_is_used_by_its_name(weights_home: Path) -> None:
    torch.manual_seed(0)
    save_weights(weights_home / "vit.safetensors", VitBase8().state_dict(), {"architecture": "vit_base_patch8"})
    features = image_features("vit", CPU, layers=("layer1",))
    assert (features.stride, features.channels, list(features.weights)) == (8, 768, ["vit"])
    assert features(torch.rand(1, 3, 37, 24)).shape == (1, 768, 4, 3)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_set", "no features named 'no_such_set'"),
        ("wide_resnet50_2-imagenet1k_v1", "not on this computer"),
        ("point_mae-nominal", "point_mae, which cannot be used here"),
        ("random:point_mae", "no 'random:point_mae'"),
        ("auto", "does not say for which images"),
        ("auto:xray", "does not say for which images"),
        ("", "names no features"),
        ("oriented_energy+", "names no features"),
    ],
)
def test_a_wrong_name_is_refused_with_a_remedy(name: str, said: str) -> None:
    with pytest.raises(WeightsError, match=said) as refused:
        image_features(name, CPU)
    assert refused.value.remedy


def test_a_wrong_layer_is_refused(small_trunk: ResNet) -> None:
    with pytest.raises(ConfigError, match="'layer4' is no layer"):
        image_features("small", CPU, layers=("layer4",))
    with pytest.raises(WeightsError, match="'small' ends with layer2 and has no layer3"):
        image_features("small", CPU, layers=("layer2", "layer3"))


@pytest.mark.parametrize(
    "images", [torch.rand(3, 8, 8), torch.rand(1, 1, 8, 8), torch.rand(1, 3, 7, 8), torch.zeros(1, 3, 8, 8).byte()]
)
def test_what_is_no_image_is_refused(images: Tensor) -> None:
    with pytest.raises(ValueError, match="images of"):
        image_features("oriented_energy", CPU)(images)


def test_automatic_is_the_first_that_is_here(small_trunk: ResNet, monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"rgb": ("absent-set", "oriented_energy+small", "oriented_energy"), "rendered": ("absent-set", "gone")}
    monkeypatch.setattr(module, "IMAGE_PREFERENCES", table)
    assert default_image_features("rgb") == "oriented_energy+small"
    assert image_features("auto:rgb", CPU).name == "oriented_energy+small"
    assert image_features("small+auto:rgb", CPU).name == "small+oriented_energy"
    assert default_image_features("rendered") == "gone", "the last, whose absence is then said"


def test_the_last_preference_needs_no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("core.backbones.weights.shipped_folder", lambda: tmp_path)
    for modality in defaults.IMAGE_PREFERENCES:
        assert image_features(f"auto:{modality}", CPU).name == "oriented_energy"


def test_choices_can_be_used_if_they_say_so(small_trunk: ResNet) -> None:
    choices = {choice.name: choice for choice in image_feature_choices()}
    assert len(choices) == len(image_feature_choices())
    assert {"auto:rgb", "auto:rendered", "oriented_energy", "small", "oriented_energy+small"} <= set(choices)
    assert not choices["wide_resnet50_2-imagenet1k_v1"].available
    assert "Not on this computer" in choices["wide_resnet50_2-imagenet1k_v1"].note
    for choice in choices.values():
        assert choice.title
        if choice.available and "wide" not in choice.name:
            image_features(choice.name, CPU)
