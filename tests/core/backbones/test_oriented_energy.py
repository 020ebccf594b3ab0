"""The oriented energy against waves whose direction and length are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from core.backbones.oriented_energy import CHANNELS, amplitudes, oriented_energy

SIZE = 64


def wave(wavelength: float, orientation: int, phase: float = 0.3, contrast: float = 0.4) -> Tensor:
    """(1, 3, 64, 64): grey stripes whose wave vector points at ``orientation`` * pi / 8 from the columns' direction."""
    angle = orientation * math.pi / 8
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    along = math.cos(angle) * x + math.sin(angle) * y
    return (0.5 + contrast * torch.cos(2 * math.pi / wavelength * along + phase)).expand(1, 3, -1, -1)


def bins(features: Tensor) -> Tensor:
    """(B, octave, bin row, bin column, orientation, h, w)."""
    return features[:, :-3].view(len(features), 3, 4, 4, 8, *features.shape[-2:])


def texture(seed: int = 0) -> Tensor:
    values = torch.rand(1, 1, SIZE // 4, SIZE // 4, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(values, scale_factor=4.0, mode="bicubic")
    return (0.35 + 0.3 * smooth).clamp(0.2, 0.8).expand(1, 3, -1, -1)


def test_channels_and_stride() -> None:
    assert CHANNELS == 3 * 16 * 8 + 3 == 387
    assert oriented_energy(torch.rand(2, 3, 61, 40)).shape == (2, 387, 7, 5)
    assert oriented_energy(torch.rand(1, 3, 8, 8)).shape == (1, 387, 1, 1)


@pytest.mark.parametrize("octave", [0, 1, 2])
@pytest.mark.parametrize("orientation", range(8))
def test_a_wave_excites_its_own_length_and_direction_most(octave: int, orientation: int) -> None:
    found = bins(oriented_energy(wave(4.0 * 2**octave, orientation)))[0, ..., 4, 4]
    assert int(found[octave].mean((0, 1)).argmax()) == orientation
    # Every octave is normalised by itself, so lengths are compared by amplitudes.
    level, responses = wave(4.0 * 2**octave, orientation)[:, :1], []
    for _ in range(3):
        responses.append(float(amplitudes(level)[0, orientation].median()))
        level = torch.nn.functional.avg_pool2d(level, 2)
    assert responses.index(max(responses)) == octave


@pytest.mark.parametrize("phase", [0.0, 0.7, 2.0])
def test_amplitude_is_that_of_the_wave_whatever_its_phase(phase: float) -> None:
    found = amplitudes(wave(4.0, 3, phase, contrast=0.25)[:, :1])[0, 3, 16:48, 16:48]
    torch.testing.assert_close(found, torch.full_like(found, 0.25), rtol=0.01, atol=0)


def test_brightness_does_not_matter_but_to_the_colour() -> None:
    one, brighter = oriented_energy(texture()), oriented_energy(texture() + 0.15)
    torch.testing.assert_close(brighter[:, :-3], one[:, :-3], rtol=0, atol=1e-4)
    torch.testing.assert_close(brighter[:, -3:], one[:, -3:] + 0.15, rtol=0, atol=1e-5)


def test_contrast_hardly_matters_where_there_is_any() -> None:
    strong = wave(8.0, 2) * 0.8
    one, half = bins(oriented_energy(strong))[:, 1], bins(oriented_energy(0.5 * strong))[:, 1]
    torch.testing.assert_close(half, one, rtol=0.01, atol=1e-3)


def test_noise_of_a_flat_surface_is_not_blown_up() -> None:
    noise = 0.5 + 0.002 * torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    lengths = bins(oriented_energy(noise)).flatten(2, 4).norm(dim=2)
    assert float(lengths.max()) < 0.3
    flat = oriented_energy(torch.full((1, 3, SIZE, SIZE), 0.5))
    assert float(flat[:, :-3].abs().max()) < 1e-4
    strong = bins(oriented_energy(wave(4.0, 0))).flatten(2, 4).norm(dim=2)
    assert float(strong[:, 0].min()) > 0.99


def test_a_quarter_turn_moves_orientations_by_four() -> None:
    image = texture(3)
    turned = bins(oriented_energy(torch.rot90(image, 1, (2, 3))))
    # What was at the right is now above: places, bins and wave vectors turn together.
    places = torch.rot90(bins(oriented_energy(image)), 1, (5, 6))
    expected = torch.rot90(places, 1, (2, 3)).roll(4, dims=4)
    torch.testing.assert_close(turned, expected, rtol=0, atol=1e-4)


def test_bins_lie_around_their_place() -> None:
    """A pattern at one spot is seen by the first bin of the place after it and by the last of the place before it."""
    image = torch.full((1, 3, 96, 96), 0.5)
    image[..., 46:50, 46:50] += 0.4 * torch.tensor([1.0, -1.0, 1.0, -1.0])  # around the corner of place (6, 6)
    found = bins(oriented_energy(image))[0, 0].sum(2)  # (bin row, bin column, h, w)
    for place, own in ((4, 3), (5, 2), (6, 1), (7, 0)):
        strongest = int(found[:, :, place, place].flatten().argmax())
        assert divmod(strongest, 4) == (own, own)
    assert float(found[:, :, 10, 10].abs().max()) < 1e-3, "nothing is seen from afar"


def test_colour_is_the_mean_of_the_place() -> None:
    image = torch.rand(2, 3, 24, 16, generator=torch.Generator().manual_seed(0))
    expected = image.view(2, 3, 3, 8, 2, 8).mean((3, 5))
    torch.testing.assert_close(oriented_energy(image)[:, -3:], expected)
