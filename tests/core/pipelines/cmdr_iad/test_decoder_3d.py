from __future__ import annotations

import pytest
import torch

from core.pipelines.cmdr_iad.decoder_3d import Decoder3d, ResidualGate


def parameters(network: torch.nn.Module) -> int:
    return sum(one.numel() for one in network.parameters())


@pytest.mark.parametrize(("length", "count"), [(224 * 224, 87_840_208), (9216, 9_435_088)])
def test_it_has_the_published_number_of_parameters(length, count):
    with torch.device("meta"):
        assert parameters(Decoder3d(length, 1152)) == count


def test_lengths_that_are_no_multiple_of_32_are_padded_with_zeros():
    torch.manual_seed(0)
    network = Decoder3d(70, 5).eval()
    features = torch.randn(2, 70, 5)
    assert network.gather.in_features == 96
    assert network(features).shape == (2, 70, 5)
    long = Decoder3d(96, 5).eval()
    long.load_state_dict(network.state_dict())
    padded = torch.nn.functional.pad(features, (0, 0, 0, 26))
    assert torch.allclose(long(padded)[:, :70], network(features), atol=1e-6)


@pytest.mark.parametrize("gate", ["squeeze_excite", "residual"])
def test_only_the_columns_of_given_positions_count(gate):
    torch.manual_seed(1)
    network = Decoder3d(128, 12, width=0.1, gate=gate).eval()
    positions = torch.tensor([3, 4, 60, 61, 100, 127])
    features = torch.randn(1, 128, 12)
    zeroed = torch.zeros_like(features)
    zeroed[:, positions] = features[:, positions]
    assert torch.allclose(network(features[:, positions], positions), network(zeroed), atol=1e-5)


def test_the_gates_only_weigh():
    torch.manual_seed(2)
    values = torch.randn(1, 16, 20)
    shares = ResidualGate(16)(values) / values
    assert ((shares > 0) & (shares < 1)).all()
    assert shares.std(dim=2).min() > 0  # the paper's differs from place to place
    excited = Decoder3d(32, 16).gate(values) / values
    assert torch.allclose(excited, excited[..., :1].expand_as(excited), atol=1e-5)  # the code's does not
