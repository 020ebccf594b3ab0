"""Down-Net: from noisy patches to the centres that the part should have (DUS-Net, eq. 2 to 4).

Sizes that the paper leaves open are Point-MAE's: a PointNet of 384, a position MLP 3-128-384, 4 blocks of 6 heads. The
embeddings are concatenated along their features. Patches are given relative to their noisy centre, in patch radii, so
that no centre leaks through them; what is predicted is the step from the noisy centre (``absolute`` predicts the
centre itself, as eq. 4 is printed).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.backbones.down_up.groups import Groups
from core.backbones.down_up.remembered import RECALLED

_ROWS = 1 << 16
"""Points that the PointNet holds at a time in evaluation."""
_FOLLOWING = 2.0
"""What the share that is followed of a remembered step starts from, before the sigmoid."""


@dataclass(frozen=True)
class DownSizes:
    """Sizes of Down-Net.

    Attributes
    ----------
    width : int
        C1, C2 and C3 of the paper; a multiple of ``heads``.
    depth, heads : int
    output : str
        ``offset`` or ``absolute``.
    """

    width: int = 384
    depth: int = 4
    heads: int = 6
    output: Literal["offset", "absolute"] = "offset"


@dataclass(frozen=True, eq=False)
class Recalled:
    """What is remembered of good parts at the noisy centres, see ``GoodSurface.recall``.

    Attributes
    ----------
    steps : (B, G, 3) float tensor
    told : (B, G, 7) float tensor
    """

    steps: Tensor
    told: Tensor


class PointNet(nn.Module):
    """A shared MLP 3-64-128-width over the points of a patch, and the largest of each feature."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, width))

    def forward(self, patches: Tensor) -> Tensor:
        """(..., width) of patches (..., K, 3)."""
        flat = patches.reshape(-1, *patches.shape[-2:])
        at_once = len(flat) if self.training else max(1, _ROWS // flat.shape[1])
        features = torch.cat([self.layers(part).amax(1) for part in flat.split(at_once)])
        return features.view(*patches.shape[:-2], -1)


class Block(nn.Module):
    """A pre-norm transformer block with fused attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        batch, count, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(batch, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        x = x + self.proj(mixed.transpose(1, 2).reshape(batch, count, width))
        return x + self.mlp(self.norm2(x))


class DownNet(nn.Module):
    """The network."""

    def __init__(self, sizes: DownSizes) -> None:
        super().__init__()
        self.sizes = sizes
        width = sizes.width
        self.position = nn.Sequential(nn.Linear(3, 128), nn.GELU(), nn.Linear(128, width))
        self.patch = PointNet(width)
        self.recalled = nn.Sequential(nn.Linear(RECALLED, 64), nn.GELU(), nn.Linear(64, width))
        self.join = nn.Linear(2 * width, width)
        self.blocks = nn.ModuleList(Block(width, sizes.heads) for _ in range(sizes.depth))
        self.norm = nn.LayerNorm(width)
        last = nn.Linear(width, 4)
        # The untrained network gives every centre back as it is, or follows most of the way what is remembered.
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        nn.init.constant_(last.bias[3:], _FOLLOWING)
        self.head = nn.Sequential(nn.Linear(width, width), nn.GELU(), last)

    def forward(self, noisy: Groups, recalled: Recalled | None = None) -> Tensor:
        """The centres (B, G, 3) that noisy groups should have; see ``predict``."""
        return self.predict(noisy, recalled)[0]

    def predict(self, noisy: Groups, recalled: Recalled | None = None) -> tuple[Tensor, Tensor]:
        """The centres (B, G, 3) that noisy groups should have, and the share (B, G, 1) followed of what is remembered.

        Parameters
        ----------
        noisy : Groups
            In the unit sphere, in the category's pose.
        recalled : Recalled, optional
            What is remembered of good parts; without it this is the paper's network, and nothing is followed.
        """
        centers, radius = noisy.centers, noisy.radius[:, None, None]
        position = self.position(centers)
        if recalled is not None:
            position = position + self.recalled(recalled.told)
        patch = self.patch((noisy.neighbors - centers[:, :, None]) / radius[..., None])
        x = self.join(torch.cat([position, patch], dim=-1))
        for block in self.blocks:
            x = block(x)
        found = self.head(self.norm(x)).float()
        followed = torch.sigmoid(found[..., 3:])
        predicted = found[..., :3] if self.sizes.output == "absolute" else centers + radius * found[..., :3]
        if recalled is None:
            return predicted, torch.zeros_like(followed)
        return predicted + followed * recalled.steps, followed
