"""The 3D decoder: rebuilds the features of all positions from a few linear combinations of them.

P3 3.3 and Fig. 4; sizes from the published code (CMDR networks/Dec3d.py).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Gate = Literal["squeeze_excite", "residual"]

SQUEEZE = 32
"""Positions that one latent position stands for: five doublings bring the length back."""
_WIDTHS = (768, 512, 256, 128)
_DROPOUT = 0.1
_GATE_SHARE = 8
"""Channels for each channel of the gate's bottleneck: 1152 to 144."""


class SqueezeExcite(nn.Module):
    """The published code's gate: each channel times a weight found from the means of all channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // _GATE_SHARE)
        self.down = nn.Conv1d(channels, inner, 1)
        self.up = nn.Conv1d(inner, channels, 1)

    def forward(self, values: Tensor) -> Tensor:
        """(B, C, L) of (B, C, L)."""
        mean = values.mean(dim=2, keepdim=True)
        return values * torch.sigmoid(self.up(functional.relu(self.down(mean))))


class ResidualGate(nn.Module):
    """The paper's gate (Fig. 4): a sigmoid mask from two convolutions in sequence times the path around them.

    The paper gives no sizes: kernels of 3 positions, the bottleneck of the published code's gate.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // _GATE_SHARE)
        self.first = nn.Conv1d(channels, inner, 3, padding=1)
        self.second = nn.Conv1d(inner, channels, 3, padding=1)

    def forward(self, values: Tensor) -> Tensor:
        """(B, C, L) of (B, C, L)."""
        return values * torch.sigmoid(self.second(functional.relu(self.first(values))))


class Decoder3d(nn.Module):
    """A linear layer over positions, L to L / 32, and five transposed convolutions back to L.

    Parameters
    ----------
    length : int
        Positions. Internally rounded up to a multiple of 32; positions beyond are zeros and not given back.
    channels : int
        Of the features, 1152 in the paper.
    width : float
        Factor of the inner channels 768, 512, 256 and 128; the paper's is 1.
    gate : str
        ``squeeze_excite`` (published code) or ``residual`` (paper).
    dropout : float
    """

    def __init__(
        self,
        length: int,
        channels: int,
        *,
        width: float = 1.0,
        gate: Gate = "squeeze_excite",
        dropout: float = _DROPOUT,
    ) -> None:
        super().__init__()
        self.length = length
        latent = -(-length // SQUEEZE)
        inner = [max(8, round(width * size)) for size in _WIDTHS]
        self.gather = nn.Linear(latent * SQUEEZE, latent)
        self.norm = nn.LayerNorm(latent)
        self.dropout = nn.Dropout(dropout)
        self.mix = nn.Linear(latent, latent)
        self.mix_norm = nn.LayerNorm(latent)
        layers: list[nn.Module] = []
        for wide, narrow in zip([channels, *inner[:-1]], inner, strict=True):
            layers += [nn.ConvTranspose1d(wide, narrow, 4, 2, 1), nn.BatchNorm1d(narrow), nn.GELU()]
        self.expand = nn.Sequential(*layers, nn.ConvTranspose1d(inner[-1], channels, 4, 2, 1), nn.Tanh())
        self.gate = SqueezeExcite(channels) if gate == "squeeze_excite" else ResidualGate(channels)

    def forward(self, features: Tensor, positions: Tensor | None = None) -> Tensor:
        """Rebuilt features.

        Parameters
        ----------
        features : (B, L, C), or (B, V, C) with ``positions``
        positions : (V,) int64, optional
            Where ``features`` lie; those of all other positions are zero. Zeros add nothing to the first layer, so that
            only the columns of its weight that stand for these positions are used: the same numbers for less work.

        Returns
        -------
        (B, L, C)
            All of them, also where nothing was given.
        """
        values = features.transpose(1, 2)
        weight = self.gather.weight[:, : self.length] if positions is None else self.gather.weight[:, positions]
        latent = functional.gelu(functional.linear(values, weight, self.gather.bias))
        latent = self.dropout(self.norm(latent))
        latent = self.mix_norm(functional.gelu(self.mix(latent)))
        rebuilt: Tensor = self.gate(self.expand(latent))
        return rebuilt[..., : self.length].transpose(1, 2)
