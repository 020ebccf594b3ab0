"""Feature maps (B, C, h, w) brought to another size, and made one of several."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def refined(maps: Tensor, ratio: int, size: tuple[int, int]) -> Tensor:
    """Maps resampled bilinearly to cells ``ratio`` times finer (half-pixel centres), of which ``size`` are given.

    The cells keep their places in the image: what is too much at the right and at the bottom is cut, what is missing
    repeats the last. Where the sizes fit this is ``interpolate(..., align_corners=False)``.
    """
    if ratio > 1:
        maps = functional.interpolate(maps, scale_factor=float(ratio), mode="bilinear", align_corners=False)
    maps = maps[..., : size[0], : size[1]]
    short = (size[0] - maps.shape[-2], size[1] - maps.shape[-1])
    return functional.pad(maps, (0, short[1], 0, short[0]), mode="replicate") if any(short) else maps


def joined(maps: Sequence[Tensor], strides: Sequence[int], size: tuple[int, int]) -> Tensor:
    """Maps of several strides as one of the finest stride: (B, C1 + C2 + ..., *size)."""
    finest = min(strides)
    return torch.cat([refined(one, stride // finest, size) for one, stride in zip(maps, strides, strict=True)], dim=1)


def smoothed(maps: Tensor) -> Tensor:
    """The mean over 3 x 3 cells without padding, brought back to the size by adaptive means.

    As M3DM, CFM and CMDR-IAD smooth maps of point features; cells at the border are means of fewer places.
    """
    height, width = maps.shape[-2:]
    return functional.adaptive_avg_pool2d(functional.avg_pool2d(maps, 3, 1), (height, width))
