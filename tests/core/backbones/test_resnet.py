"""The residual trunks against the published architecture, recomputed here from functions alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from core.backbones.resnet import (
    ResNet,
    random_resnet,
    resnet18_tensors,
    trunk_of,
    wide_resnet50_2_tensors,
)
from core.errors import WeightsError

Tensors = dict[str, Tensor]
PICK = {"resnet18": resnet18_tensors, "wide_resnet50_2": wide_resnet50_2_tensors}
DEPTHS = {"resnet18": (2, 2, 2, 2), "wide_resnet50_2": (3, 4, 6, 3)}


def published_shapes(architecture: str, stages: int = 4) -> dict[str, tuple[int, ...]]:
    """Every tensor of torchvision's checkpoint, written from the papers: name and shape."""
    shapes: dict[str, tuple[int, ...]] = {}

    def convolution(name: str, norm: str, outputs: int, inputs: int, side: int) -> None:
        shapes[f"{name}.weight"] = (outputs, inputs, side, side)
        shapes.update({f"{norm}.{part}": (outputs,) for part in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{norm}.num_batches_tracked"] = ()

    convolution("conv1", "bn1", 64, 3, 7)
    inputs = 64
    for stage in range(stages):
        planes = 64 * 2**stage
        for block in range(DEPTHS[architecture][stage]):
            at = f"layer{stage + 1}.{block}"
            if architecture == "resnet18":
                outputs = planes
                convolution(f"{at}.conv1", f"{at}.bn1", planes, inputs, 3)
                convolution(f"{at}.conv2", f"{at}.bn2", planes, planes, 3)
            else:
                outputs = 4 * planes
                convolution(f"{at}.conv1", f"{at}.bn1", 2 * planes, inputs, 1)
                convolution(f"{at}.conv2", f"{at}.bn2", 2 * planes, 2 * planes, 3)
                convolution(f"{at}.conv3", f"{at}.bn3", outputs, 2 * planes, 1)
            if block == 0 and (stage > 0 or outputs != 64):
                convolution(f"{at}.downsample.0", f"{at}.downsample.1", outputs, inputs, 1)
            inputs = outputs
    return shapes


def made(architecture: str, stages: int = 3) -> Tensors:
    """Random tensors for it that keep the outputs near 1."""
    generator = torch.Generator().manual_seed(5)
    tensors: Tensors = {}
    for name, shape in published_shapes(architecture, stages).items():
        if name.endswith("num_batches_tracked"):
            tensors[name] = torch.tensor(7)
        elif len(shape) == 4:
            fan_in = shape[1] * shape[2] * shape[3]
            tensors[name] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
        elif name.endswith("running_var"):
            tensors[name] = 0.5 + torch.rand(shape, generator=generator)
        else:
            tensors[name] = (1.0 if name.endswith("weight") else 0.0) + 0.2 * torch.randn(shape, generator=generator)
    return tensors


def published_forward(t: Mapping[str, Tensor], architecture: str, images: Tensor) -> dict[str, Tensor]:
    def normed(x: Tensor, conv: str, norm: str, stride: int = 1, padding: int = 0) -> Tensor:
        x = functional.conv2d(x, t[f"{conv}.weight"], None, stride, padding)
        column = {
            part: t[f"{norm}.{part}"].view(-1, 1, 1) for part in ("weight", "bias", "running_mean", "running_var")
        }
        x = (x - column["running_mean"]) / torch.sqrt(column["running_var"] + 1e-5)
        return x * column["weight"] + column["bias"]

    x = functional.max_pool2d(normed(images, "conv1", "bn1", 2, 3).clamp(min=0), 3, 2, 1)
    outputs = {}
    for stage in (1, 2, 3):
        for block in range(DEPTHS[architecture][stage - 1]):
            at = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            if architecture == "resnet18":
                y = normed(x, f"{at}.conv1", f"{at}.bn1", stride, 1).clamp(min=0)
                y = normed(y, f"{at}.conv2", f"{at}.bn2", 1, 1)
            else:  # the stride is in the middle convolution
                y = normed(x, f"{at}.conv1", f"{at}.bn1").clamp(min=0)
                y = normed(y, f"{at}.conv2", f"{at}.bn2", stride, 1).clamp(min=0)
                y = normed(y, f"{at}.conv3", f"{at}.bn3")
            if f"{at}.downsample.0.weight" in t:
                x = normed(x, f"{at}.downsample.0", f"{at}.downsample.1", stride)
            x = (y + x).clamp(min=0)
        outputs[f"layer{stage}"] = x
    return outputs


def assert_close(found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) <= 1e-5 * max(1.0, float(expected.abs().max()))


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(2, 3, 64, 48, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("architecture", ["resnet18", "wide_resnet50_2"])
def test_outputs_are_those_of_the_publication(architecture: str, folded: bool, images: Tensor) -> None:
    tensors = made(architecture)
    with torch.no_grad():
        found = trunk_of(architecture, tensors, folded=folded)(images)
        expected = published_forward(tensors, architecture, images)
    assert list(found) == ["layer1", "layer2", "layer3"]
    for layer, values in expected.items():
        assert_close(found[layer], values)


def test_parameters_are_as_many_as_published() -> None:
    def count(module: torch.nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    whole: Any = ResNet("wide_resnet50_2", 2)
    stem = count(whole.conv1) + count(whole.bn1)
    assert (stem, count(whole.layer1), count(whole.layer2)) == (9_536, 634_368, 3_482_624)
    assert count(whole) == 4_126_528
    for architecture in PICK:
        trunk = ResNet(architecture, 3)
        shapes = published_shapes(architecture, 3)
        learned = [s for name, s in shapes.items() if not name.endswith(("_mean", "_var", "_tracked"))]
        assert count(trunk) == sum(torch.Size(shape).numel() for shape in learned)
        assert {name: tuple(t.shape) for name, t in trunk.state_dict().items()} == shapes


@pytest.mark.parametrize("architecture", ["resnet18", "wide_resnet50_2"])
def test_a_whole_checkpoint_is_taken_but_for_the_named_rest(architecture: str) -> None:
    whole = {name: torch.zeros(shape) for name, shape in published_shapes(architecture).items()}
    whole |= {"fc.weight": torch.zeros(1000, 8), "fc.bias": torch.zeros(1000)}
    picked = PICK[architecture](whole)
    assert set(picked) == set(published_shapes(architecture, 3))
    assert any(name.startswith("layer4.") for name in whole)
    without_counters = {name: t for name, t in whole.items() if not name.endswith("num_batches_tracked")}
    assert set(PICK[architecture](without_counters)) == set(picked)


def test_a_file_may_end_early() -> None:
    tensors = made("resnet18", 2)
    assert trunk_of("resnet18", tensors).stages == ("layer1", "layer2")


def test_other_files_are_refused_by_what_is_wrong() -> None:
    tensors = made("resnet18")
    with pytest.raises(WeightsError, match=r"tensors of the file are not of ResNet-18, the first is 'decoder\.weight'"):
        resnet18_tensors({**tensors, "decoder.weight": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"1 of ResNet-18's .* missing, the first is 'layer1\.1\.conv2\.weight'"):
        resnet18_tensors({name: t for name, t in tensors.items() if name != "layer1.1.conv2.weight"})
    with pytest.raises(WeightsError, match="has the shape"):
        resnet18_tensors({**tensors, "conv1.weight": torch.zeros(64, 4, 7, 7)})
    with pytest.raises(WeightsError, match="not finite"):
        resnet18_tensors({**tensors, "bn1.bias": torch.full((64,), torch.nan)})
    with pytest.raises(WeightsError, match="Wide-ResNet-50-2"):
        wide_resnet50_2_tensors(tensors)


def test_what_lies_behind_the_last_layer_is_not_computed(images: Tensor) -> None:
    network = random_resnet("resnet18", 1)
    reached: list[Any] = []
    network.layer3.register_forward_hook(lambda *_: reached.append(None))  # type: ignore[union-attr]
    assert list(network(images, ("layer2",))) == ["layer2"]
    assert not reached


def test_the_random_network_is_always_the_same(images: Tensor) -> None:
    one, same, other = (random_resnet("resnet18", seed)(images, ("layer1",))["layer1"] for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("architecture", ["resnet18", "wide_resnet50_2"])
def test_equal_to_torchvision_where_it_is_installed(architecture: str, images: Tensor) -> None:
    models: Any = pytest.importorskip("torchvision.models")
    reference = getattr(models, architecture)(weights=None)
    loaded = reference.load_state_dict(made(architecture), strict=False)
    assert all(name.startswith(("layer4.", "fc.")) for name in loaded.missing_keys)
    assert not loaded.unexpected_keys
    reference.eval()
    with torch.no_grad():
        x = reference.maxpool(reference.relu(reference.bn1(reference.conv1(images))))
        found = trunk_of(architecture, reference.state_dict())(images)
        for layer in found:
            x = getattr(reference, layer)(x)
            assert_close(found[layer], x)
