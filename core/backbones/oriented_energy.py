"""A dense description of images that needs no weights: oriented energy, pooled like SIFT, beside the mean colour.

For each of three octaves, wavelengths of 4, 8 and 16 pixels, and each of eight orientations t = k pi / 8, a quadrature
pair of Gabor filters with the wave vector f = (cos t, sin t) / wavelength and the envelope g of standard deviation s

    even(x) = g(x) (cos(2 pi f.x) - c),   odd(x) = g(x) sin(2 pi f.x),   c so that even sums to 0

gives the local amplitude sqrt((even * I)^2 + (odd * I)^2) of the wave in the luminance I, whatever its phase (D. Gabor
1946; E. Adelson, J. Bergen: *Spatiotemporal energy models for the perception of motion*, JOSA A 1985). s = 0.56
wavelengths is a bandwidth of one octave, so that the three octaves meet; the coarser two are computed on the image
halved and halved again. Amplitudes are pooled into bins 8 pixels apart with weights that fall linearly to 0 at the
neighbouring bins' centres, and each location takes the 4 x 4 bins around it, per octave normalised, clipped at 0.2 and
normalised again (D. Lowe: *Distinctive Image Features from Scale-Invariant Keypoints*, IJCV 2004, section 6). The
norm has a floor, sqrt(|v|^2 + 0.05^2), so that the noise of a flat surface is not blown up to a pattern: a block is of
unit length where waves of some percent of white are seen, and shorter where there are none.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

STRIDE, OCTAVES, ORIENTATIONS, GRID = 8, 3, 8, 4
COLOURS = 3
CHANNELS = OCTAVES * GRID * GRID * ORIENTATIONS + COLOURS
WAVELENGTH = 4.0
"""Of the finest octave, in pixels."""

_SPREAD = math.sqrt(math.log(2) / 2) / math.pi * 3  # envelope over wavelength, for a bandwidth of one octave
_RADIUS = 6  # pixels; 2.7 standard deviations of the envelope
_CLIP = 0.2
_FLOOR = 0.05
_CELLS = 2  # cells to a bin along each axis; the finest octave has 4 pixels to a cell, the coarsest one
_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601


def oriented_energy(images: Tensor) -> Tensor:
    """The description of images (B, 3, H, W), RGB in [0, 1]: (B, 387, H // 8, W // 8).

    Channels: octave (fine to coarse), bin row, bin column, orientation of the wave vector (k pi / 8, from the
    columns' direction towards the rows'), then mean R, G, B. Where a side is no multiple of 8, the rest at the right
    and at the bottom is not looked at.
    """
    height, width = (side // STRIDE * STRIDE for side in images.shape[-2:])
    images = images[..., :height, :width]
    level = torch.einsum("bchw,c->bhw", images, images.new_tensor(_LUMINANCE))[:, None]
    blocks = []
    for octave in range(OCTAVES):
        if octave > 0:
            level = _halved(level)
        cell = STRIDE // _CELLS >> octave
        blocks.append(_described(functional.avg_pool2d(amplitudes(level), cell)))
    return torch.cat([*blocks, functional.avg_pool2d(images, STRIDE)], dim=1)


def amplitudes(luminance: Tensor) -> Tensor:
    """Of the waves of the finest octave's length: (B, 1, H, W) to (B, 8, H, W); 1 for a wave of amplitude 1."""
    padded = functional.pad(luminance, (_RADIUS,) * 4, mode="replicate")
    even, odd = functional.conv2d(padded, _bank(luminance.device)).chunk(2, dim=1)
    return torch.addcmul(even.square_(), odd, odd).sqrt_()


@lru_cache(maxsize=4)
def _bank(device: torch.device) -> Tensor:
    """The quadrature pairs (16, 1, 13, 13): the even filters, then the odd ones."""
    along = torch.arange(-_RADIUS, _RADIUS + 1, dtype=torch.float64)
    y, x = torch.meshgrid(along, along, indexing="ij")
    envelope = torch.exp(-(x.square() + y.square()) / (2 * (_SPREAD * WAVELENGTH) ** 2))
    angles = torch.arange(ORIENTATIONS, dtype=torch.float64) * math.pi / ORIENTATIONS
    phase = 2 * math.pi / WAVELENGTH * (angles.cos()[:, None, None] * x + angles.sin()[:, None, None] * y)
    mean = (envelope * phase.cos()).sum((1, 2), keepdim=True) / envelope.sum()
    even, odd = envelope * (phase.cos() - mean), envelope * phase.sin()
    gain = (even * phase.cos()).sum((1, 2), keepdim=True)
    return torch.cat([even / gain, odd / gain])[:, None].float().to(device)


def _halved(level: Tensor) -> Tensor:
    """Half the size by a binomial filter of four taps, whose centre lies between pixels as the new pixel's does."""
    taps = level.new_tensor([1.0, 3.0, 3.0, 1.0]) / 8
    padded = functional.pad(level, (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(padded, torch.outer(taps, taps)[None, None], stride=2)


def _described(cells: Tensor) -> Tensor:
    """The 4 x 4 bins around each location, normalised: (B, 8, 2 h, 2 w) cells to (B, 128, h, w)."""
    batch, orientations, rows, columns = cells.shape
    taps = cells.new_tensor([1.0, 3.0, 3.0, 1.0]) / 8  # the linear fall-off at half-bin steps
    kernel = torch.outer(taps, taps).expand(orientations, 1, 4, 4)
    # The outermost bin of the first location lies one and a half bins before its centre.
    padded = functional.pad(cells, (4,) * 4, mode="replicate")
    bins = functional.conv2d(padded, kernel, stride=_CELLS, groups=orientations)
    windows = bins.unfold(2, GRID, 1).unfold(3, GRID, 1)  # (B, 8, h, w, 4, 4)
    block = windows.permute(0, 4, 5, 1, 2, 3).reshape(batch, -1, rows // _CELLS, columns // _CELLS)
    block = block / (block.square().sum(1, keepdim=True) + _FLOOR**2).sqrt()
    length = block.norm(dim=1, keepdim=True)  # below 1 where there is little to see
    clipped = block.clamp(max=_CLIP)
    return clipped * (length / clipped.norm(dim=1, keepdim=True).clamp_min(1e-12))
