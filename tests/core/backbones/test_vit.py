"""ViT-B/8 against the published architecture, recomputed here from functions alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from core.backbones.vit import PARAMETERS, VitBase8, load_vit, vit_base_patch8_tensors
from core.backbones.weights import WeightSet
from core.errors import WeightsError

Tensors = dict[str, Tensor]


def published_shapes() -> dict[str, tuple[int, ...]]:
    """Every tensor of ``dino_vitbase8_pretrain.pth``: name and shape."""
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, 768),
        "pos_embed": (1, 785, 768),
        "patch_embed.proj.weight": (768, 3, 8, 8),
        "patch_embed.proj.bias": (768,),
        "norm.weight": (768,),
        "norm.bias": (768,),
    }
    widths = {"attn.qkv": (2304, 768), "attn.proj": (768, 768), "mlp.fc1": (3072, 768), "mlp.fc2": (768, 3072)}
    for i in range(12):
        for norm in ("norm1", "norm2"):
            shapes |= {f"blocks.{i}.{norm}.weight": (768,), f"blocks.{i}.{norm}.bias": (768,)}
        for name, shape in widths.items():
            shapes |= {f"blocks.{i}.{name}.weight": shape, f"blocks.{i}.{name}.bias": shape[:1]}
    return shapes


@pytest.fixture(scope="module")
def tensors() -> Tensors:
    rng = np.random.default_rng(9)
    made: Tensors = {}
    for name, shape in published_shapes().items():
        values = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
        fan_in = torch.Size(shape[1:]).numel() if name.endswith("weight") and len(shape) > 1 else 1
        norm = 1.0 if "norm" in name and name.endswith("weight") else 0.0
        made[name] = norm + (0.2 if fan_in == 1 else fan_in**-0.5) * values
    return made


@pytest.fixture(scope="module")
def model(tensors: Tensors) -> VitBase8:
    with torch.device("meta"):
        network = VitBase8()
    network.load_state_dict(vit_base_patch8_tensors(tensors), assign=True)
    return network.eval().requires_grad_(False)


def bicubic(count: int, target: int) -> NDArray[np.float64]:
    """(target, count): cubic convolution (Keys 1981, a = -0.75), half-pixel centres, the border repeated."""
    a, matrix = -0.75, np.zeros((target, count))
    for i in range(target):
        at = (i + 0.5) * count / target - 0.5
        for j in range(int(np.floor(at)) - 1, int(np.floor(at)) + 3):
            d = abs(at - j)
            near, far = (a + 2) * d**3 - (a + 3) * d**2 + 1, a * (d**3 - 5 * d**2 + 8 * d - 4)
            matrix[i, min(max(j, 0), count - 1)] += near if d <= 1 else far if d < 2 else 0.0
    return matrix


def published_forward(t: Tensors, images: Tensor) -> Tensor:
    def linear(x: Tensor, name: str) -> Tensor:
        return x @ t[f"{name}.weight"].T + t[f"{name}.bias"]

    def norm(x: Tensor, name: str) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + 1e-6)
        return scaled * t[f"{name}.weight"] + t[f"{name}.bias"]

    batch, rows, columns = len(images), images.shape[2] // 8, images.shape[3] // 8
    squares = images.reshape(batch, 3, rows, 8, columns, 8).permute(0, 2, 4, 1, 3, 5).reshape(batch, -1, 192)
    x = squares @ t["patch_embed.proj.weight"].reshape(768, 192).T + t["patch_embed.proj.bias"]
    x = torch.cat([t["cls_token"].repeat(batch, 1, 1), x], 1)
    down, across = (torch.from_numpy(bicubic(28, n)).float() for n in (rows, columns))
    grid = t["pos_embed"][0, 1:].reshape(28, 28, 768)
    grid = torch.einsum("ia,jb,abc->ijc", down, across, grid).reshape(-1, 768)
    x = x + torch.cat([t["pos_embed"][0, :1], grid])
    for i in range(12):
        at = f"blocks.{i}"
        q, k, v = linear(norm(x, f"{at}.norm1"), f"{at}.attn.qkv").chunk(3, -1)
        heads = []
        for head in range(12):
            part = slice(64 * head, 64 * head + 64)
            shares = torch.softmax(q[..., part] @ k[..., part].transpose(1, 2) / 8, -1)
            heads.append(shares @ v[..., part])
        x = x + linear(torch.cat(heads, -1), f"{at}.attn.proj")
        hidden = linear(norm(x, f"{at}.norm2"), f"{at}.mlp.fc1")
        x = x + linear(0.5 * hidden * (1 + torch.erf(hidden / 2**0.5)), f"{at}.mlp.fc2")
    return norm(x, "norm")[:, 1:].transpose(1, 2).reshape(batch, 768, rows, columns)


def assert_close(found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) <= 1e-5 * max(1.0, float(expected.abs().max()))


def test_the_transformer_has_the_published_size(tensors: Tensors) -> None:
    # By hand: patches 148,224, class token 768, positions 602,880, 12 blocks of 7,087,872, final norm 1,536.
    by_hand = 3 * 64 * 768 + 768 + 768 + 785 * 768 + 12 * 7_087_872 + 2 * 768
    with torch.device("meta"):
        network = VitBase8()
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS == by_hand == 85_807_872
    assert {name: tuple(t.shape) for name, t in network.state_dict().items()} == published_shapes()


@pytest.mark.parametrize("size", [(40, 48), (64, 24)])
def test_output_is_that_of_the_publication(model: VitBase8, tensors: Tensors, size: tuple[int, int]) -> None:
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(3))
    assert_close(model(images), published_forward(tensors, images))


def test_positions_are_the_trained_ones_at_the_trained_size(model: VitBase8) -> None:
    assert torch.equal(model.positions(28, 28), model.pos_embed)


def test_positions_of_other_sizes_are_resampled(model: VitBase8) -> None:
    assert model.positions(30, 21).shape == (1, 1 + 30 * 21, 768)
    assert torch.equal(model.positions(30, 21)[:, 0], model.pos_embed[:, 0])
    doubled = model.positions(56, 56)[0, 1:].view(56, 56, 768)
    grid = model.pos_embed[0, 1:].view(28, 28, 768)
    matrix = torch.from_numpy(bicubic(28, 56)).float()
    assert_close(doubled, torch.einsum("ia,jb,abc->ijc", matrix, matrix, grid))


def test_a_rest_below_a_patch_is_not_looked_at(model: VitBase8) -> None:
    images = torch.rand(1, 3, 29, 23, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(images), model(images[..., :24, :16]))


def test_checkpoints_of_training_and_others(tensors: Tensors) -> None:
    training = {f"backbone.{name}": tensor for name, tensor in tensors.items()} | {"head.mlp.0.weight": torch.zeros(1)}
    assert set(vit_base_patch8_tensors(training)) == set(tensors)
    with pytest.raises(WeightsError, match="not of ViT-B/8, the first is 'decoder'"):
        vit_base_patch8_tensors({**tensors, "decoder": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"'pos_embed' has the shape \(1, 197, 768\) where \(1, 785, 768\)"):
        vit_base_patch8_tensors({**tensors, "pos_embed": torch.zeros(1, 197, 768)})


def test_a_set_is_loaded_frozen_and_a_missing_one_refused(tensors: Tensors, tmp_path: Path) -> None:
    path = tmp_path / "made.safetensors"
    save_file(tensors, path)
    made = WeightSet("made", "Made", "vit_base_patch8", "", "", path, "user")
    network = load_vit(made)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert torch.equal(network.norm.weight, tensors["norm.weight"])
    with pytest.raises(WeightsError, match="not on this computer"):
        load_vit(WeightSet("gone", "Gone", "vit_base_patch8", "", ""))


def test_equal_to_timm_where_it_is_installed(model: VitBase8, tensors: Tensors) -> None:
    timm: Any = pytest.importorskip("timm")
    reference = timm.create_model("vit_base_patch8_224.dino", pretrained=False)
    reference.load_state_dict(tensors)
    images = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        expected = reference.eval().forward_features(images)[:, 1:].transpose(1, 2).reshape(1, 768, 28, 28)
        assert_close(model(images), expected)


def test_attention_of_a_single_patch(model: VitBase8, tensors: Tensors) -> None:
    image = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    assert_close(model(image), published_forward(tensors, image))
    assert functional.cosine_similarity(model(image).flatten(), model(image.flip(3)).flatten(), 0) < 1.0
