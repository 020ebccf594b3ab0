"""The network: its size, its start, and that sharing the code's part of the joining layer changes nothing."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from core.pipelines.iaenet.sdf import CODE_WIDTH, DistanceDecoder, PatchEncoder, PatchSdf, load_sdf


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_parameter_counts_are_those_of_the_paper() -> None:
    assert parameters(PatchEncoder()) == 734_848
    assert parameters(DistanceDecoder()) == 2_435_585
    assert parameters(PatchSdf()) == 3_170_433


def test_codes_are_not_negative_and_do_not_depend_on_the_order_of_points() -> None:
    torch.manual_seed(0)
    encoder = PatchEncoder().eval()
    points = torch.randn(3, 50, 3)
    codes = encoder(points)
    assert codes.shape == (3, CODE_WIDTH)
    assert float(codes.min()) >= 0
    torch.testing.assert_close(encoder(points[:, torch.randperm(50)]), codes)


def test_the_encoder_is_convolutions_with_relu_before_the_maximum() -> None:
    torch.manual_seed(0)
    encoder = PatchEncoder().eval()
    for norm in encoder.norms:
        assert isinstance(norm, nn.BatchNorm1d)
        nn.init.uniform_(norm.weight, -1, 1)  # also where a scale is negative
    points = torch.randn(2, 30, 3)
    values = points.transpose(1, 2)
    for convolution, norm in zip(encoder.convolutions, encoder.norms, strict=True):
        values = torch.relu(norm(convolution(values)))
    values = values.max(dim=2).values
    for layer, norm in zip(encoder.linears, encoder.linear_norms, strict=True):
        values = torch.relu(norm(layer(values)))
    torch.testing.assert_close(encoder(points), values)


def test_the_decoder_joins_query_first_then_code() -> None:
    torch.manual_seed(0)
    decoder = DistanceDecoder()
    codes, queries = torch.rand(2, CODE_WIDTH), torch.randn(2, 7, 3)
    of_code = torch.relu(decoder.code(codes))[:, None].expand(-1, 7, -1)
    values = torch.relu(decoder.join(torch.cat([torch.relu(decoder.query(queries)), of_code], dim=2)))
    for layer in decoder.hidden:
        values = torch.relu(layer(values))
    expected = decoder.last(values)[..., 0]
    torch.testing.assert_close(decoder(codes, queries), expected, rtol=1e-4, atol=1e-4)


def test_the_start_is_that_of_a_sphere() -> None:
    torch.manual_seed(0)
    decoder = DistanceDecoder()
    assert float(decoder.last.bias) == -0.5
    torch.testing.assert_close(
        decoder.last.weight.mean(), torch.tensor(2 * math.sqrt(math.pi / 512)), rtol=1e-4, atol=0
    )
    for layer in decoder.hidden:
        assert isinstance(layer, nn.Linear)
        assert float(layer.weight.std()) == pytest.approx(math.sqrt(2 / 512), rel=0.02)
        assert float(layer.bias.abs().max()) == 0


def test_a_flat_start_is_near_zero_everywhere() -> None:
    torch.manual_seed(0)
    decoder = DistanceDecoder()
    decoder.start_flat()
    assert float(decoder(torch.rand(3, CODE_WIDTH), torch.randn(3, 9, 3)).abs().max()) < 0.1


def test_weights_of_half_precision_load_without_the_counters_of_training() -> None:
    torch.manual_seed(0)
    model = PatchSdf().eval()
    halves = {k: v.half() for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    loaded = load_sdf(halves, torch.device("cpu"))
    assert not any(p.requires_grad for p in loaded.parameters())
    assert not loaded.training
    points = torch.randn(2, 20, 3)
    torch.testing.assert_close(loaded.encoder(points), model.encoder(points).detach(), rtol=0.02, atol=0.02)


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(RuntimeError):
        load_sdf({"encoder.convolutions.0.weight": torch.zeros(1)}, torch.device("cpu"))
