"""Feature Adaptor, Selective Anomalous Feature Generator and discriminator against hand-computed values."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from core.pipelines.sca.adaptor import FeatureAdaptor
from core.pipelines.sca.discriminator import CrossPatchDiscriminator, coordinate_waves
from core.pipelines.sca.generator import AnomalousFeatureGenerator


def identity_adaptor(alpha: float) -> FeatureAdaptor:
    adaptor = FeatureAdaptor(4, 4, alpha=alpha)
    with torch.no_grad():
        for layer in (adaptor.first, adaptor.second):
            layer.weight.copy_(torch.eye(4))
            layer.bias.zero_()
    return adaptor.double()


def test_adaptor_with_identity_weights() -> None:
    z = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    adaptor = identity_adaptor(0.5)
    first = adaptor.first_norm(adaptor.first(z))
    assert first.tolist() == pytest.approx([-1.341635, -0.447212, 0.447212, 1.341635], abs=1e-6)
    inner = identity_adaptor(1.0)(z)
    assert inner.tolist() == pytest.approx([-0.916311, -0.763592, 0.076359, 1.603544], abs=1e-6)
    assert adaptor(z).tolist() == pytest.approx([0.041845, 0.618204, 1.538180, 2.801772], abs=1e-6)


def test_adaptor_off_changes_nothing() -> None:
    z = torch.randn(5, 4, dtype=torch.float64)
    assert torch.equal(identity_adaptor(0.0)(z), z)


def test_generator_leaves_clean_patches_bit_identical() -> None:
    generator = AnomalousFeatureGenerator()
    q = torch.randn(2, 50, 8)
    mask, noise = generator.draw(q.shape, torch.Generator().manual_seed(0), q.device)
    corrupted = generator(q, mask, noise)
    assert torch.equal(corrupted[~mask], q[~mask])
    assert (corrupted[mask] != q[mask]).any(dim=-1).all()
    assert torch.equal(generator(q, torch.zeros_like(mask), noise), q)


@pytest.mark.parametrize(("width", "length"), [(256, 1.5984), (384, 1.9583)])
def test_mean_length_of_the_noise(width: int, length: float) -> None:
    """E||eps|| = sigma sqrt(2) Gamma((C + 1) / 2) / Gamma(C / 2)."""
    closed = 0.1 * math.sqrt(2) * math.exp(math.lgamma((width + 1) / 2) - math.lgamma(width / 2))
    assert closed == pytest.approx(length, abs=1e-4)
    generator = AnomalousFeatureGenerator(sigma=0.1)
    _, noise = generator.draw(torch.Size((1, 20_000, width)), torch.Generator().manual_seed(1), torch.device("cpu"))
    assert float(noise.norm(dim=-1).mean()) == pytest.approx(length, abs=3e-3)


def test_share_of_corrupted_patches() -> None:
    shape = torch.Size((10, 10_000, 1))
    for p in (0.0, 0.3, 1.0):
        mask, _ = AnomalousFeatureGenerator(probability=p).draw(shape, torch.Generator(), torch.device("cpu"))
        assert float(mask.float().mean()) == pytest.approx(p, abs=0.01)


def test_gamma_is_held_in_its_range() -> None:
    generator = AnomalousFeatureGenerator(gamma_range=(0.5, 2.0))
    with torch.no_grad():
        generator.gamma.fill_(7.0)
    generator.clamp()
    assert float(generator.gamma) == 2.0


def test_binary_cross_entropy_is_the_papers() -> None:
    logits, labels = torch.tensor([2.0, -1.0, 0.0]), torch.tensor([1.0, 1.0, 0.0])
    losses = binary_cross_entropy_with_logits(logits, labels, reduction="none")
    assert losses.tolist() == pytest.approx([0.126928, 1.313262, 0.693147], abs=1e-6)
    assert float(losses.mean()) == pytest.approx(0.711112, abs=1e-6)


@pytest.mark.parametrize("position", ["coordinates", "none"])
def test_discriminator_follows_a_permutation(position: str) -> None:
    torch.manual_seed(0)
    network = CrossPatchDiscriminator(8, hidden=16, position=position).double().eval()  # type: ignore[arg-type]
    q, c = torch.randn(2, 30, 8).double(), torch.randn(2, 30, 3).double()
    order = torch.randperm(30)
    torch.testing.assert_close(network(q[:, order], c[:, order]), network(q, c)[:, order])


def test_attention_sees_the_other_patches_and_the_plain_head_does_not() -> None:
    torch.manual_seed(0)
    q, c = torch.randn(1, 30, 8), torch.randn(1, 30, 3)
    changed = q.clone()
    changed[:, 20] += 5.0
    for attention in (True, False):
        network = CrossPatchDiscriminator(8, hidden=16, attention=attention).eval()
        untouched = torch.equal(network(q, c)[:, :20], network(changed, c)[:, :20])
        assert untouched is not attention


def test_learned_positions_start_small_and_cover_fewer_patches() -> None:
    torch.manual_seed(0)
    network = CrossPatchDiscriminator(64, position="learned", patches=500)
    assert float(network.places.std()) == pytest.approx(0.02, rel=0.05)
    assert network(torch.randn(1, 10, 64), torch.zeros(1, 10, 3)).shape == (1, 10)


def test_parameters_at_the_papers_width() -> None:
    """C = 384: adaptor 2 linears and norms; 4 C^2 + 4 C attention; head hidden 4 C."""
    c = 384
    adaptor = FeatureAdaptor(c, c // 2)
    assert sum(p.numel() for p in adaptor.parameters()) == c * 192 + 192 + 2 * 192 + 192 * c + c + 2 * c
    network = CrossPatchDiscriminator(c, position="learned", patches=1024)
    expected = 1024 * c + 4 * c * c + 4 * c + 2 * c + c * 4 * c + 4 * c + 4 * c + 1
    assert sum(p.numel() for p in network.parameters()) == expected


def test_coordinate_waves_tell_places_apart() -> None:
    places = torch.rand(200, 3, dtype=torch.float64) * 2 - 1
    waves = coordinate_waves(places)
    assert waves.shape == (200, 39)
    assert float(torch.pdist(waves).min()) >= float(torch.pdist(places).min())
