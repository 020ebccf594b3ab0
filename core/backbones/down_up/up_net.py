"""Up-Net: from the centres to a dense cloud, by features of three scales (DUS-Net, eq. 9 to 11).

Sizes that the paper leaves open are PU-Net's: 32 neighbours, MLPs 32-32-64 and 64-64-128. Relative coordinates are in
spacings of the centres, so that the network serves any number of them. What is predicted are offsets from the parent
centre in these spacings (``absolute`` predicts the points themselves).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from core.backbones.down_up.pyramid import Level, Pyramid, gathered

_WIDTH = 64
_REACH = 0.55
"""Radius of the disc of a centre's points before training, in spacings: such discs cover a surface just."""


@dataclass(frozen=True)
class UpSizes:
    """Sizes of Up-Net.

    Attributes
    ----------
    rate : int
        gamma, points a centre.
    neighbors : int
        That a feature is pooled over.
    output : str
        ``offset`` or ``absolute``.
    axes : str
        ``local`` or ``world``.
    """

    rate: int = 8
    neighbors: int = 32
    output: Literal["offset", "absolute"] = "offset"
    axes: Literal["local", "world"] = "local"


def _mlp(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers)


class UpNet(nn.Module):
    """The network."""

    def __init__(self, sizes: UpSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.extract1 = _mlp(3, 32, 32, 64)
        self.extract2 = _mlp(3 + 64, 64, 64, 128)
        self.branch0 = _mlp(3, _WIDTH, _WIDTH, _WIDTH)
        self.branch1 = _mlp(64, _WIDTH, _WIDTH, _WIDTH)
        self.branch2 = _mlp(128, _WIDTH, _WIDTH, _WIDTH)
        self.near0, self.near1 = _mlp(2 * _WIDTH, _WIDTH), _mlp(2 * _WIDTH, _WIDTH)
        last = nn.Linear(128, 3 * sizes.rate)
        if sizes.output == "offset" and sizes.axes == "local":
            with torch.no_grad():
                last.bias.copy_(_disc(sizes.rate).flatten())
        self.head = nn.Sequential(nn.Linear(2 * _WIDTH, 128), nn.ReLU(), last)

    def forward(self, pyramid: Pyramid) -> Tensor:
        """The dense cloud (B, G * rate, 3); the points of a centre lie one after another."""
        centers, spacing = pyramid.centers, pyramid.spacing[:, None, None]
        first, second = pyramid.levels
        local = self.sizes.axes == "local"
        coarse = gathered(centers, first.kept)
        coarsest = gathered(coarse, second.kept)
        frames1 = gathered(pyramid.frames, first.kept) if local else None
        frames2 = gathered(frames1, second.kept) if frames1 is not None else None
        features1 = self._pooled(self.extract1, centers, coarse, None, first, spacing, frames1)
        features2 = self._pooled(self.extract2, coarse, coarsest, features1, second, spacing, frames2)
        raw = self.branch0(centers)
        fine1, fine2 = self.branch1(interpolated(features1, first)), self.branch2(interpolated(features2, second))
        joined = [self.near0(torch.cat([raw, fine1], dim=-1)), self.near1(torch.cat([fine1, fine2], dim=-1))]
        found = self.head(torch.cat(joined, dim=-1)).float()
        if self.sizes.output == "absolute":
            return unfolded(found)
        if local:
            offsets = found.view(*found.shape[:2], -1, 3) @ pyramid.frames.transpose(2, 3)
            found = offsets.reshape(found.shape)
        return spread_out(centers, spacing * found)

    @staticmethod
    def _pooled(
        mlp: nn.Module,
        finer: Tensor,
        coarser: Tensor,
        features: Tensor | None,
        level: Level,
        spacing: Tensor,
        frames: Tensor | None,
    ) -> Tensor:
        """Eq. 9: the largest over the neighbours of the shared MLP of relative coordinates and features."""
        inputs = (gathered(finer, level.around) - coarser[:, :, None]) / spacing[..., None]
        if frames is not None:
            inputs = inputs @ frames
        if features is not None:
            inputs = torch.cat([inputs, gathered(features, level.around)], dim=-1)
        pooled: Tensor = mlp(inputs).amax(2)
        return pooled


def _disc(count: int) -> Tensor:
    """(count, 3) points spread evenly over a disc in the plane: where the points of a centre start from."""
    turn = torch.arange(count) * (math.pi * (3.0 - math.sqrt(5.0)))
    radius = _REACH * ((torch.arange(count) + 0.5) / count).sqrt()
    return torch.stack([radius * turn.cos(), radius * turn.sin(), torch.zeros(count)], dim=1)


def interpolated(features: Tensor, level: Level) -> Tensor:
    """Eq. 10: features (B, M, C) of a coarser scale at all centres (B, G, C)."""
    return (gathered(features, level.three) * level.weights[..., None]).sum(2)


def unfolded(rows: Tensor) -> Tensor:
    """Eq. 11's reshape: (B, G, 3 rate) to (B, G * rate, 3), the points of a centre one after another."""
    return rows.reshape(len(rows), -1, 3)


def spread_out(centers: Tensor, offsets: Tensor) -> Tensor:
    """Points (B, G * rate, 3) at offsets (B, G, 3 rate) from their parent centres (B, G, 3)."""
    rate = offsets.shape[2] // 3
    return centers.repeat_interleave(rate, dim=1) + unfolded(offsets)
