"""The three scales that Up-Net looks at: G, G/2 and G/4 centres, and who is whose neighbour (DUS-Net, eq. 9 and 10)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.geometry.neighbors import nearest
from core.geometry.sampling import farthest_points

_EPS = 1e-8
_FRAME_POINTS = 12
"""Centres that make a neighbourhood's principal axes."""


@dataclass(frozen=True, eq=False)
class Level:
    """A coarser scale of a batch of clouds.

    Attributes
    ----------
    kept : (B, M) int64 tensor
        Its points among those of the finer scale.
    around : (B, M, k) int64 tensor
        The nearest points of each on the finer scale.
    three : (B, G, 3) int64 tensor
        The nearest three of its points to each centre.
    weights : (B, G, 3) float tensor
        1 / (d + 1e-8) of these, made to sum to 1: a centre that is kept has its own feature.
    """

    kept: Tensor
    around: Tensor
    three: Tensor
    weights: Tensor


@dataclass(frozen=True, eq=False)
class Pyramid:
    """The scales of a batch of centre clouds.

    Attributes
    ----------
    centers : (B, G, 3) float tensor
    spacing : (B,) float tensor
        Median distance of a centre to its nearest other one; never 0.
    levels : two Levels
    frames : (B, G, 3, 3) float tensor
        Principal axes of each centre's neighbourhood as columns, the surface's normal last; of any sign, right-handed.
    """

    centers: Tensor
    spacing: Tensor
    levels: tuple[Level, Level]
    frames: Tensor

    @classmethod
    def of(cls, centers: Tensor, k: int = 32) -> Pyramid:
        """Of centres (B, G, 3), without gradients.

        Parameters
        ----------
        k : int
            Neighbours that a feature is pooled over.
        """
        clouds = [_one(np.ascontiguousarray(cloud), k) for cloud in centers.detach().cpu().float().numpy()]
        device = centers.device

        def stacked(level: int, place: int) -> Tensor:
            return torch.from_numpy(np.stack([levels[level][place] for _, levels in clouds])).to(device)

        levels = tuple(Level(*(stacked(level, place) for place in range(4))) for level in range(2))
        spacing = torch.tensor([gap for gap, _ in clouds], dtype=torch.float32, device=device)
        return cls(centers, spacing, (levels[0], levels[1]), principal_frames(centers.detach()))


def principal_frames(centers: Tensor) -> Tensor:
    """(B, G, 3, 3) principal axes of the nearest centres about each, the thinnest last, without gradients."""
    clouds = [np.ascontiguousarray(cloud) for cloud in centers.cpu().float().numpy()]
    near = [nearest(cloud, cloud, min(_FRAME_POINTS, len(cloud)))[1] for cloud in clouds]
    around = gathered(centers, torch.from_numpy(np.stack(near)).to(centers.device)).double()
    around = around - around.mean(dim=2, keepdim=True)
    axes = torch.linalg.eigh(around.transpose(2, 3) @ around).eigenvectors.flip(-1)
    turned = torch.linalg.det(axes) < 0
    axes[..., 2] = torch.where(turned[..., None], -axes[..., 2], axes[..., 2])
    return axes.float()


def _one(
    cloud: NDArray[np.float32], k: int
) -> tuple[float, list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]]:
    # A little more than the spacing of one outlier is no spacing: the median over all.
    gap = float(np.median(nearest(cloud, cloud, min(2, len(cloud)))[0][:, -1]))
    levels, finer = [], cloud
    for _ in range(2):
        kept = farthest_points(finer, max(1, len(finer) // 2))
        coarser = finer[kept]
        around = nearest(finer, coarser, min(k, len(finer)))[1]
        distances, three = nearest(coarser, cloud, min(3, len(coarser)))
        weights = 1.0 / (distances.astype(np.float64) + _EPS)
        levels.append((kept, around, three, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)))
        finer = coarser
    return max(gap, 1e-12), levels


def gathered(values: Tensor, rows: Tensor) -> Tensor:
    """(B, ..., C) rows of values (B, N, C) by indices (B, ...)."""
    batch = torch.arange(len(values), device=values.device).view(-1, *[1] * (rows.ndim - 1))
    return values[batch, rows]
