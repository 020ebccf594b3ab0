"""ViT-B/8 as DINO published it: the transformer of image patches, with the names of its checkpoint.

A. Dosovitskiy et al.: *An Image is Worth 16x16 Words*, ICLR 2021; M. Caron et al.: *Emerging Properties in
Self-Supervised Vision Transformers*, ICCV 2021. Tensors are named as in ``dino_vitbase8_pretrain.pth``, so that it
loads as it is. DropPath and dropout of the published code act in training only and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.backbones.checkpoints import read_tensors
from core.backbones.picking import pick_tensors
from core.backbones.weights import WeightSet
from core.errors import WeightsError

WIDTH, DEPTH, HEADS, PATCH = 768, 12, 12, 8
PARAMETERS = 85_807_872
_TRAINED = 28  # patches along each side of the 224 x 224 images that it was trained on
_EPS = 1e-6
_UNUSED = ("head.",)  # what a full training checkpoint holds behind the features


class PatchEmbedding(nn.Module):
    """Every 8 x 8 square of pixels becomes a token."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, WIDTH, PATCH, PATCH)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, 768, H // 8, W // 8)."""
        embedded: Tensor = self.proj(images)
        return embedded


class Attention(nn.Module):
    """Multi-head self-attention with a bias on query, key and value."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        batch, count, _ = x.shape
        q, k, v = self.qkv(x).view(batch, count, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        projected: Tensor = self.proj(mixed.transpose(1, 2).reshape(batch, count, WIDTH))
        return projected


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(WIDTH, 4 * WIDTH)
        self.fc2 = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        mapped: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return mapped


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(WIDTH, _EPS), Attention()
        self.norm2, self.mlp = nn.LayerNorm(WIDTH, _EPS), Mlp()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        mapped: Tensor = x + self.mlp(self.norm2(x))
        return mapped


class VitBase8(nn.Module):
    """The transformer without a head: 85,807,872 parameters, 768 numbers for each patch of 8 x 8 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + _TRAINED**2, WIDTH))
        self.patch_embed = PatchEmbedding()
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.norm = nn.LayerNorm(WIDTH, _EPS)

    def forward(self, images: Tensor) -> Tensor:
        """Tokens of all 12 blocks, after the final norm.

        Parameters
        ----------
        images : (B, 3, H, W) tensor
            RGB, normalised by ImageNet's mean and deviation; at least 8 x 8. Where a side is no multiple of 8, the
            rest at the right and at the bottom is not looked at.

        Returns
        -------
        (B, 768, H // 8, W // 8) tensor
            Of the patches; the class token is left out.
        """
        x = self.patch_embed(images)
        batch, _, height, width = x.shape
        x = torch.cat([self.cls_token.expand(batch, -1, -1), x.flatten(2).transpose(1, 2)], dim=1)
        x = x + self.positions(height, width)
        for block in self.blocks:
            x = block(x)
        tokens: Tensor = self.norm(x)[:, 1:]
        return tokens.transpose(1, 2).reshape(batch, WIDTH, height, width)

    def positions(self, height: int, width: int) -> Tensor:
        """The position embedding (1, 1 + height * width, 768) of a grid of patches: as trained at 28 x 28, else
        resampled bicubically (half-pixel centres, no antialiasing), the class token's own kept."""
        if (height, width) == (_TRAINED, _TRAINED):
            return self.pos_embed
        own, grid = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        square = grid.view(1, _TRAINED, _TRAINED, WIDTH).permute(0, 3, 1, 2)
        resized = functional.interpolate(square, (height, width), mode="bicubic", align_corners=False)
        return torch.cat([own, resized.flatten(2).transpose(1, 2)], dim=1)


def vit_base_patch8_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Pick the transformer's tensors out of a checkpoint and check them.

    Accepts ``dino_vitbase8_pretrain.pth``, timm's names (the same), and a full DINO checkpoint, whose names begin with
    ``backbone.``; a head's tensors are left out.

    Raises
    ------
    WeightsError
        If the file is not of this network; says what was expected and found.
    """
    bare = {name.removeprefix("backbone."): tensor for name, tensor in tensors.items()}
    remedy = "Choose a ViT-B/8 checkpoint with DINO's tensor names, such as dino_vitbase8_pretrain.pth"
    return pick_tensors(bare, _expected(), title="ViT-B/8", remedy=remedy, unused=_UNUSED)


def load_vit(weights: WeightSet, *, device: torch.device | str = "cpu") -> VitBase8:
    """The transformer with weights, for inference: float32, frozen.

    Raises
    ------
    WeightsError
        If the set is missing or not of this architecture.
    """
    if weights.path is None:
        raise WeightsError(f"The weights {weights.name} are not on this computer", "Import them first")
    try:
        tensors = vit_base_patch8_tensors(read_tensors(weights.path))
    except WeightsError as error:
        raise WeightsError(f"{weights.path.name}: {error.problem}", error.remedy) from error
    with torch.device("meta"):
        model = VitBase8()
    model.load_state_dict(tensors, assign=True)
    return model.to(device).eval().requires_grad_(False)


@lru_cache(maxsize=1)
def _expected() -> Mapping[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in VitBase8().state_dict().items()}
