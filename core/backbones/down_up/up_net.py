"""Up-Net: from the centres to a dense cloud, by features of three scales (DUS-Net, eq. 9 to 11).

Sizes that the paper leaves open are PU-Net's: 32 neighbours, MLPs 32-32-64 and 64-64-128. Relative coordinates are in
spacings of the centres, so that the network serves any number of them. What is predicted are offsets from the parent
centre in these spacings (``absolute`` predicts the points themselves).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from core.backbones.down_up.pyramid import Level, Pyramid, gathered

_WIDTH = 64


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
    """

    rate: int = 8
    neighbors: int = 32
    output: Literal["offset", "absolute"] = "offset"


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
        self.head = nn.Sequential(nn.Linear(2 * _WIDTH, 128), nn.ReLU(), nn.Linear(128, 3 * sizes.rate))

    def forward(self, pyramid: Pyramid) -> Tensor:
        """The dense cloud (B, G * rate, 3); the points of a centre lie one after another."""
        centers, spacing = pyramid.centers, pyramid.spacing[:, None, None]
        first, second = pyramid.levels
        coarse = gathered(centers, first.kept)
        features1 = self._pooled(self.extract1, centers, coarse, None, first, spacing)
        features2 = self._pooled(self.extract2, coarse, gathered(coarse, second.kept), features1, second, spacing)
        raw = self.branch0(centers)
        fine1, fine2 = self.branch1(interpolated(features1, first)), self.branch2(interpolated(features2, second))
        joined = [self.near0(torch.cat([raw, fine1], dim=-1)), self.near1(torch.cat([fine1, fine2], dim=-1))]
        found = self.head(torch.cat(joined, dim=-1)).float()
        if self.sizes.output == "absolute":
            return unfolded(found)
        return spread_out(centers, spacing * found)

    @staticmethod
    def _pooled(
        mlp: nn.Module, finer: Tensor, coarser: Tensor, features: Tensor | None, level: Level, spacing: Tensor
    ) -> Tensor:
        """Eq. 9: the largest over the neighbours of the shared MLP of relative coordinates and features."""
        inputs = (gathered(finer, level.around) - coarser[:, :, None]) / spacing[..., None]
        if features is not None:
            inputs = torch.cat([inputs, gathered(features, level.around)], dim=-1)
        pooled: Tensor = mlp(inputs).amax(2)
        return pooled


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
