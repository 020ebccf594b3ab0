"""What the 3D expert's network is pretrained on: patches of shapes made on the fly, and distances around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.geometry.neighbors import nearest
from core.geometry.normals import estimate_normals
from core.pipelines.iaenet.sdf_patches import PatchFrame, Queries, neighbor_distance, noise_factors, one_sided
from core.pipelines.iaenet.sdf_settings import SdfSettings
from core.synthesis.shapes import procedural_cloud

Floats = NDArray[np.float32]

SETTINGS = SdfSettings(
    frame="principal", patch_scale="radius", loss="distance", near_copies=9, far_copies=5, surface_copies=6
)
"""How patches must be cut for what this makes."""
PATCHES = 16
"""Patches of a shape."""

_POINTS = 30_000
_DENSE = 4
_MEMBERS = (600, 3000)
"""Fewest and most points of a shape that a patch covers, of 30,000."""
_NOISE = 0.01
"""Largest standard deviation of the noise on what the encoder sees, in sizes of the patch."""


@dataclass(frozen=True)
class PatchSource:
    """Batches of patches, each a pure function of seed and step.

    Attributes
    ----------
    seed : int
    batch : int
        Patches a batch, a multiple of 16.
    """

    seed: int
    batch: int

    def __call__(self, step: int) -> Floats:
        """(batch, 2000, 6) points of each patch, in no order and not normalised, and their normals of any sign."""
        clouds = range(self.batch // PATCHES)
        return np.concatenate([self._of_one_cloud(np.random.default_rng([self.seed, step, i])) for i in clouds])

    def _of_one_cloud(self, rng: np.random.Generator) -> Floats:
        cloud = procedural_cloud(rng, _POINTS) * rng.uniform(0.7, 1.4, 3).astype(np.float32)
        near = int(np.exp(rng.uniform(*np.log(_MEMBERS))))
        centers = cloud[rng.choice(len(cloud), PATCHES, replace=False)]
        members = nearest(cloud, centers, near)[1]
        wanted = SETTINGS.patch_points * _DENSE
        both = np.concatenate([cloud, estimate_normals(cloud, k=12)], axis=1)
        return np.stack([both[rng.choice(row, wanted, replace=near < wanted)] for row in members])


@dataclass(frozen=True, eq=False)
class Dense:
    """Normalised patches at a density that the encoder does not see.

    Attributes
    ----------
    points, normals : (B, 2000, 3) float tensor
        The first 500 are what the encoder sees, but for the noise.
    """

    points: Tensor
    normals: Tensor

    @classmethod
    def of(cls, patches: Tensor, settings: SdfSettings) -> Dense:
        """From (B, 2000, 6) points and normals."""
        points, normals = patches.split(3, dim=2)
        frame = PatchFrame.of(points[:, : settings.patch_points], settings)
        brought = frame.bring(points)
        return cls(brought, one_sided(brought, frame.turn(normals)))

    def seen(self, settings: SdfSettings, draws: torch.Generator) -> Tensor:
        """(B, 500, 3) points for the encoder, noisy."""
        points = self.points[:, : settings.patch_points]
        noise = _NOISE * torch.rand((len(points), 1, 1), generator=draws) ** 2
        return points + (noise * torch.randn(points.shape, generator=draws)).to(points.device)

    def queries(self, settings: SdfSettings, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """(B, Q, 3) queries and their (B, Q) signed distances.

        Every query has its own noise level, where a scan's patch has one a visit: a step then sees them all.
        """
        device, size = self.points.device, settings.patch_points
        picked = torch.randint(self.points.shape[1], (len(self.points), settings.queries or size), generator=draws)
        chosen = self.points.gather(1, picked.to(device)[..., None].expand(-1, -1, 3))
        factors = torch.from_numpy(noise_factors(settings))
        reach = factors[torch.randint(len(factors), picked.shape, generator=draws)].to(device)
        sigma = neighbor_distance(self.points[:, :size], chosen, settings.sigma_neighbor)
        noise = torch.randn(chosen.shape, generator=draws).to(device)
        made = Queries.around(self.points, chosen + (sigma * reach)[..., None] * noise, sigma / _DENSE**0.5)
        return made.at, made.signed_distances(self.normals)
