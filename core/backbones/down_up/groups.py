"""Groups: the patches that DUS-Net looks at, as coordinates."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.geometry.patches import Patches, make_patches
from core.runtime import Runtime


@dataclass(frozen=True, eq=False)
class Groups:
    """Centres and their neighbourhoods, of a batch of clouds.

    Attributes
    ----------
    centers : (B, G, 3) float tensor
    neighbors : (B, G, K, 3) float tensor
        The nearest points of each centre, in the cloud's frame.
    radius : (B,) float tensor
        Patch radius of each cloud: the median over its groups of the farthest neighbour's distance.
    """

    centers: Tensor
    neighbors: Tensor
    radius: Tensor

    @classmethod
    def of(cls, points: NDArray[np.float32], cut: Patches) -> Groups:
        """The groups of one cloud (N, 3) that was cut so."""
        centers = torch.from_numpy(points[cut.centers_index])[None]
        neighbors = torch.from_numpy(points[cut.neighbors])[None]
        return cls(centers, neighbors, patch_radius(centers, neighbors))

    @classmethod
    def cut(cls, points: NDArray[np.float32], count: int, k: int, runtime: Runtime | None = None) -> Groups:
        """Farthest-point centres of a cloud (N, 3) and their exact nearest points."""
        return cls.of(points, make_patches(points, count, k, runtime=runtime))

    @classmethod
    def stacked(cls, groups: list[Groups]) -> Groups:
        """Groups of several clouds, as many in each, as a batch."""
        return cls(
            torch.cat([g.centers for g in groups]),
            torch.cat([g.neighbors for g in groups]),
            torch.cat([g.radius for g in groups]),
        )

    def chosen(self, rows: Tensor) -> Groups:
        """Some of the groups of each cloud, with the radius of all."""
        return replace(self, centers=self.centers[:, rows], neighbors=self.neighbors[:, rows])

    def to(self, device: torch.device) -> Groups:
        return Groups(self.centers.to(device), self.neighbors.to(device), self.radius.to(device))


def patch_radius(centers: Tensor, neighbors: Tensor) -> Tensor:
    """(B,) median over the groups of the distance of the farthest neighbour; never 0."""
    squared = (neighbors - centers[:, :, None]).square().sum(-1).amax(-1)
    return squared.sqrt().median(dim=1).values.clamp_min(1e-12)
