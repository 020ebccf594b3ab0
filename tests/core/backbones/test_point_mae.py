"""The extractor against its formulas, recomputed here from the published definition."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor

from core.backbones.masked_autoencoder import MaskedAutoencoder, chamfer
from core.backbones.point_mae import PARAMETERS, PointMAE

Tensors = Mapping[str, Tensor]


@pytest.fixture(scope="module")
def model(made_tensors: Tensors) -> PointMAE:
    network = PointMAE()
    network.load_state_dict(dict(made_tensors))
    return network.eval().requires_grad_(False)


@pytest.fixture
def cloud() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return 0.1 * torch.randn(2, 9, 8, 3, generator=generator), torch.randn(2, 9, 3, generator=generator)


def published_tokens(t: Tensors, groups: Tensor, statistics: str = "running") -> Tensor:
    """The token encoder by its definition: convolutions with kernel 1 over (B G, C, k) and a concatenation."""
    batch, count, k, _ = groups.shape

    def norm(x: Tensor, name: str) -> Tensor:
        if statistics == "running":
            mean, variance = t[f"{name}.running_mean"], t[f"{name}.running_var"]
        else:
            mean, variance = x.mean((0, 2)), x.var((0, 2), correction=0)
        x = (x - mean[:, None]) / torch.sqrt(variance[:, None] + 1e-5)
        return (x * t[f"{name}.weight"][:, None] + t[f"{name}.bias"][:, None]).clamp(min=0)

    def convolved(x: Tensor, name: str) -> Tensor:
        return functional.conv1d(x, t[f"{name}.weight"], t[f"{name}.bias"])

    x = groups.reshape(batch * count, k, 3).transpose(1, 2)
    x = convolved(norm(convolved(x, "encoder.first_conv.0"), "encoder.first_conv.1"), "encoder.first_conv.3")
    x = torch.cat([x.amax(2, keepdim=True).expand(-1, -1, k), x], dim=1)
    x = convolved(norm(convolved(x, "encoder.second_conv.0"), "encoder.second_conv.1"), "encoder.second_conv.3")
    return x.amax(2).view(batch, count, 384)


def published_outputs(t: Tensors, tokens: Tensor, centers: Tensor) -> list[Tensor]:
    """The output of each of the 12 blocks, without the final norm."""
    position = functional.gelu(centers @ t["pos_embed.0.weight"].T + t["pos_embed.0.bias"])
    position = position @ t["pos_embed.2.weight"].T + t["pos_embed.2.bias"]
    x, outputs = tokens, []
    for i in range(12):

        def get(name: str, block: str = f"blocks.blocks.{i}.") -> Tensor:
            return t[block + name]

        x = x + position
        normed = norm384(x, get("norm1.weight"), get("norm1.bias"))
        q, k, v = (normed @ w.T for w in get("attn.qkv.weight").chunk(3))
        heads = []
        for head in range(6):
            part = slice(64 * head, 64 * head + 64)
            weights = torch.softmax(q[..., part] @ k[..., part].transpose(1, 2) / 8, dim=-1)
            heads.append(weights @ v[..., part])
        x = x + torch.cat(heads, -1) @ get("attn.proj.weight").T + get("attn.proj.bias")
        normed = norm384(x, get("norm2.weight"), get("norm2.bias"))
        hidden = functional.gelu(normed @ get("mlp.fc1.weight").T + get("mlp.fc1.bias"))
        x = x + hidden @ get("mlp.fc2.weight").T + get("mlp.fc2.bias")
        outputs.append(x)
    return outputs


def norm384(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5) * weight + bias


def close(found: Tensor, expected: Tensor) -> bool:
    """Equal within 1e-5 of the largest value."""
    return float((found - expected).abs().max()) <= 1e-5 * max(1.0, float(expected.abs().max()))


def test_the_extractor_has_the_published_size() -> None:
    assert sum(p.numel() for p in PointMAE().parameters()) == PARAMETERS == 21_825_024


def test_tokens_are_those_of_the_definition(
    model: PointMAE, made_tensors: Tensors, cloud: tuple[Tensor, Tensor]
) -> None:
    assert close(model.encoder(cloud[0]), published_tokens(made_tensors, cloud[0]))


def test_cloud_statistics_are_taken_of_each_cloud(
    model: PointMAE, made_tensors: Tensors, cloud: tuple[Tensor, Tensor]
) -> None:
    found = model.encoder(cloud[0], cloud_statistics=True)
    for i in range(2):
        assert close(found[i : i + 1], published_tokens(made_tensors, cloud[0][i : i + 1], "cloud"))
    scaled = model.encoder(1000 * cloud[0], cloud_statistics=True)
    assert float((scaled - found).abs().max()) < 0.02 * float(found.abs().max()), "the unit hardly matters"


def test_training_takes_the_statistics_of_the_batch(made_tensors: Tensors, cloud: tuple[Tensor, Tensor]) -> None:
    network = PointMAE()
    network.load_state_dict(dict(made_tensors))
    with torch.no_grad():
        assert close(network.train().encoder(cloud[0]), published_tokens(made_tensors, cloud[0], "batch"))


def test_output_is_that_of_the_definition(model: PointMAE, made_tensors: Tensors, cloud: tuple[Tensor, Tensor]) -> None:
    groups, centers = cloud
    outputs = published_outputs(made_tensors, published_tokens(made_tensors, groups), centers)
    weight, bias = made_tensors["norm.weight"], made_tensors["norm.bias"]
    assert close(model(groups, centers), norm384(outputs[-1], weight, bias))
    several = torch.cat([norm384(outputs[i], weight, bias) for i in (3, 7, 11)], -1)
    assert close(model(groups, centers, layers=(3, 7, 11)), several)


def test_order_within_a_group_does_not_matter(model: PointMAE, cloud: tuple[Tensor, Tensor]) -> None:
    groups, centers = cloud
    shuffled = groups[:, :, torch.randperm(8, generator=torch.Generator().manual_seed(0))]
    assert close(model(shuffled, centers), model(groups, centers))


def test_evaluation_is_deterministic_even_with_drop_path(made_tensors: Tensors, cloud: tuple[Tensor, Tensor]) -> None:
    network = PointMAE(drop_path=0.5)
    network.load_state_dict(dict(made_tensors))
    network.eval()
    with torch.no_grad():
        torch.testing.assert_close(network(*cloud), network(*cloud), rtol=0, atol=0)
        network.train()
        assert not torch.equal(network(*cloud), network(*cloud))


def test_chamfer_is_squared_and_counts_both_ways() -> None:
    a = torch.tensor([[[0.0, 0, 0], [1.0, 0, 0]]])
    b = torch.tensor([[[0.0, 0, 2.0]]])
    # a to b: (4 + 5) / 2; b to a: 4.
    assert float(chamfer(a, b)) == pytest.approx(8.5)
    assert float(chamfer(a, a)) == 0.0


def test_hidden_groups_cannot_be_seen() -> None:
    """What the encoder of the autoencoder is given does not depend on the points of hidden groups."""
    model = MaskedAutoencoder()
    model.initialise(torch.Generator().manual_seed(0))
    model.eval()
    generator = torch.Generator().manual_seed(1)
    groups, centers = torch.randn(1, 64, 32, 3, generator=generator), torch.randn(1, 64, 3, generator=generator)
    order = torch.randperm(64, generator=generator)[None]
    seen: list[Tensor] = []
    model.MAE_encoder.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    changed = groups.clone()
    changed[0, order[0, 26:]] += 1.0
    with torch.no_grad():
        first, second = float(model(groups, centers, order)), float(model(changed, centers, order))
    assert seen[0].shape == (1, 26, 384), "38 of 64 are hidden"
    torch.testing.assert_close(seen[0], seen[1], rtol=0, atol=0)
    assert second > first
