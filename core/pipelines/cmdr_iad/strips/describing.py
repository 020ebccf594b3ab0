"""What a chunk looks like: patch tokens, and how they are laid on the pseudo-image of its points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.backbones.feature_maps import smoothed
from core.backbones.point_features import FPFH, point_features
from core.geometry.neighbors import nearest
from core.geometry.normals import estimate_normals
from core.geometry.patches import make_patches
from core.pipelines.cmdr_iad.strips.config import StripsConfig
from core.runtime import Runtime

Floats = NDArray[np.float32]

_NEIGHBORS, _EPS = 3, 1e-8  # of the interpolation, facts of M3DM, CFM and CMDR-IAD: weights 1 / (d^2 + eps)
_BLOCKS = (3, 7, 11)
_BOX_RADIUS = 3**0.5
"""Of the box [-1, 1]^3: what stands for 1 where coordinates are normalised to the unit sphere."""
_FPFH_RADIUS = 0.25  # in the units of the box, for features that have an FPFH among them


@dataclass(frozen=True, eq=False)
class Described:
    """One chunk, kept small: 96 tokens and three numbers a point instead of 9216 features of 1152 channels.

    Attributes
    ----------
    tokens : (G, C) float32 tensor
        On the CPU.
    nearest : (P, 3) int16 tensor
        The tokens whose centres are nearest to each point.
    shares : (P, 3) float32 tensor
        What each of them counts; rows sum to 1.
    """

    tokens: Tensor
    nearest: Tensor
    shares: Tensor


def upward(normals: Floats) -> Floats:
    """Normals turned to the side that a profilometer sees: its heights are the third coordinate."""
    return np.where(normals[:, 2:] < 0, -normals, normals)


class ChunkDescriber:
    """Describes chunks by frozen features.

    Parameters
    ----------
    config : StripsConfig
    runtime : Runtime
    name : str, optional
        The features that a model was fitted with; by default the config's.
    """

    def __init__(self, config: StripsConfig, runtime: Runtime, name: str = "") -> None:
        self._config, self._runtime = config, runtime
        self.features = point_features(
            name or config.features,
            runtime,
            layers=_BLOCKS if config.layers == "all" else (),
            normalisation=config.normalisation,
            fpfh_radius=_FPFH_RADIUS,
        )
        self._scale = 1.0 if config.normalisation == "cloud_statistics" else _BOX_RADIUS

    @property
    def channels(self) -> int:
        return self.features.channels

    def describe(self, points: Floats) -> Described:
        """A chunk (P, 3) in its box."""
        config, runtime = self._config, self._runtime
        patches = make_patches(points, config.patches, config.patch_points, start=0, runtime=runtime)
        normals = upward(estimate_normals(points, runtime=runtime)) if FPFH in self.features.name else None
        tokens = self.features(points, patches, normals=normals, scale=self._scale)
        distances, found = nearest(tokens.centers, points, min(_NEIGHBORS, len(tokens.centers)), runtime=runtime)
        weights = 1.0 / (distances.astype(np.float64) ** 2 + _EPS)
        shares = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        return Described(tokens.tokens.cpu(), torch.from_numpy(found.astype(np.int16)), torch.from_numpy(shares))

    def maps(self, chunks: list[Described]) -> Tensor:
        """(B, P, C) features of chunks at their points, on the runtime's device.

        Interpolation from the tokens, then the mean over 3 x 3 places of the pseudo-image. Both are linear in the
        tokens, so that the shares are averaged (96 numbers a point) and not the features (1152).
        """
        side, device = self._config.chunk_side, self._runtime.device
        tokens = torch.stack([chunk.tokens for chunk in chunks]).to(device)
        nearby = torch.stack([chunk.nearest for chunk in chunks]).to(device).long()
        shares = torch.stack([chunk.shares for chunk in chunks]).to(device)
        batch, count = tokens.shape[:2]
        spread = torch.zeros(batch, side * side, count, device=device).scatter_add_(2, nearby, shares)
        images = spread.transpose(1, 2).reshape(batch, count, side, side)
        calm = smoothed(images).reshape(batch, count, side * side)
        return calm.transpose(1, 2) @ tokens
