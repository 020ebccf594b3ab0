"""From the features of a chunk and what the decoder made of them to scores (P3 3.6; published code)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_EPS = 1e-6


def distances(features: Tensor, rebuilt: Tensor) -> Tensor:
    """(B, P) lengths of the differences of unit vectors, 0 where the features stand for no point.

    Parameters
    ----------
    features, rebuilt : (B, P, C)
    """
    found = (functional.normalize(features, dim=2) - functional.normalize(rebuilt, dim=2)).norm(dim=2)
    return torch.where(features.sum(dim=2) != 0, found, 0.0)


def smoothed_maps(maps: Tensor, side: int, fives: int, sevens: int) -> Tensor:
    """(B, P) maps after passes of 5 x 5 and 7 x 7 means over their square, padded with zeros."""
    images = maps.reshape(len(maps), 1, side, side)
    for size, passes in ((5, fives), (7, sevens)):
        for _ in range(passes):
            images = functional.avg_pool2d(images, size, 1, size // 2)
    return images.reshape(len(maps), -1)


def scaled(maps: Tensor) -> Tensor:
    """(B, P) maps divided by the root of the mean of what is not zero in each, as the published code scores."""
    known = maps != 0
    means = maps.sum(dim=1, keepdim=True) / known.sum(dim=1, keepdim=True).clamp(min=1)
    return maps / (means.sqrt() + _EPS)
