"""Point-MAE's pretraining task: rebuild the masked groups of a cloud from the visible ones."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.backbones.point_mae import WIDTH, Blocks, PointMAE, position_mlp

GROUPS, GROUP_SIZE = 64, 32
DECODER_DEPTH = 4


class Decoder(nn.Module):
    def __init__(self, drop_path: float) -> None:
        super().__init__()
        self.blocks = Blocks(DECODER_DEPTH, drop_path).blocks
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor, position: Tensor, last: int) -> Tensor:
        for block in self.blocks:
            x = block(x + position)
        return self.norm(x[:, -last:])


class MaskedAutoencoder(nn.Module):
    """Extractor, mask token, 4-block decoder and prediction head; tensor names as in the official checkpoint.

    Parameters
    ----------
    mask_ratio : float
        Share of the groups that is hidden; the paper's 0.6 hides 38 of 64.
    drop_path : float
        See ``PointMAE``.
    """

    def __init__(self, mask_ratio: float = 0.6, drop_path: float = 0.0) -> None:
        super().__init__()
        self.mask_ratio = mask_ratio
        self.MAE_encoder = PointMAE(drop_path)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.decoder_pos_embed = position_mlp()
        self.MAE_decoder = Decoder(drop_path)
        self.increase_dim = nn.Sequential(nn.Conv1d(WIDTH, 3 * GROUP_SIZE, 1))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw all weights as the published code does.

        The extractor and the mask token: a truncated normal of width 0.02, no bias. The decoder's blocks: Xavier, no
        bias. The decoder's position embedding and the head: evenly within 1 / sqrt(inputs), torch's default, which is
        far wider; hidden groups differ by that embedding alone, so a narrow one holds the learning up.
        """
        for module in self.modules():
            if isinstance(module, nn.LayerNorm | nn.BatchNorm1d):
                module.reset_parameters()
        for module in _layers(self.MAE_encoder):
            nn.init.trunc_normal_(module.weight, std=0.02, generator=generator)
        for module in _layers(self.MAE_decoder):
            nn.init.xavier_uniform_(module.weight, generator=generator)
        for module in (*_layers(self.MAE_encoder), *_layers(self.MAE_decoder)):
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        for module in (*_layers(self.decoder_pos_embed), *_layers(self.increase_dim)):
            bound = module.weight[0].numel() ** -0.5
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -bound, bound, generator=generator)
        nn.init.trunc_normal_(self.mask_token, std=0.02, generator=generator)

    def forward(self, groups: Tensor, centers: Tensor, order: Tensor) -> Tensor:
        """The loss of one batch.

        Only the visible groups pass the token encoder, whose tokens of masked ones the published code computes and
        drops. In training its batch statistics are therefore those of the visible groups, a random 40 % of all.

        Parameters
        ----------
        groups : (B, G, k, 3) tensor
        centers : (B, G, 3) tensor
        order : (B, G) integer tensor
            A random order of the groups of each cloud; the last ``mask_ratio`` share of it is hidden.

        Returns
        -------
        scalar tensor
            Chamfer distance (squared, both ways) between hidden groups and their reconstruction.
        """
        masked = int(self.mask_ratio * groups.shape[1])
        groups, centers = _reorder(groups, order), _reorder(centers, order)
        visible = groups.shape[1] - masked
        seen = self.MAE_encoder(groups[:, :visible], centers[:, :visible])
        hidden = self.mask_token.to(seen.dtype).expand(len(seen), masked, -1)
        rebuilt = self.MAE_decoder(torch.cat([seen, hidden], 1), self.decoder_pos_embed(centers), masked)
        head = cast(nn.Conv1d, self.increase_dim[0])
        points = functional.linear(rebuilt, head.weight[..., 0], head.bias).reshape(-1, GROUP_SIZE, 3)
        return chamfer(points.float(), groups[:, visible:].reshape(-1, groups.shape[2], 3).float())


def _layers(module: nn.Module) -> list[nn.Linear | nn.Conv1d]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv1d)]


def _reorder(values: Tensor, order: Tensor) -> Tensor:
    rows = torch.arange(len(values), device=values.device)[:, None]
    return values[rows, order]


def chamfer(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared distance to the nearest neighbour from a to b plus from b to a; a (n, k, 3), b (n, l, 3)."""
    square = (a[:, :, None] - b[:, None]).square().sum(-1)
    return square.amin(2).mean() + square.amin(1).mean()
