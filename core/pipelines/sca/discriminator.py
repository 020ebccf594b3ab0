"""Cross-patch attention discriminator: which patches do not belong, judged in the light of all others."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

Position = Literal["coordinates", "learned", "none"]

_OCTAVES = 6  # finest wave of the coordinate embedding: 2 / 2^5 of the part's radius


class CrossPatchDiscriminator(nn.Module):
    """``s = MLP(LN(q^ + MHA(q^)))`` with ``q^ = q + e`` (paper, "Cross-patch attention discriminator").

    Parameters
    ----------
    width : int
        C, features of a patch.
    heads : int
        Of the self-attention; must divide ``width``.
    hidden : int
        Width of the head's hidden layer; the paper's 4 C.
    dropout : float
    position : {"coordinates", "learned", "none"}
        e_i from the patch centre (sines and cosines of its coordinates, then a learned linear map), or the paper's
        free vector per patch number, or nothing. A patch's number says little about its place: farthest-point
        sampling numbers the patches of every scan anew.
    patches : int
        Number of learned vectors, for ``learned``.
    attention : bool
        False leaves the per-patch MLP of SimpleNet.
    energy : bool
        Add ``w log(1 + mean_c v_c q_c^2)`` to the logit, w and v learned and positive. The layer norm before the head
        lets only a feature's direction through: all features far from the good ones would look equally far. With
        white features and white noise this term alone is the likelihood ratio that the loss asks for.
    """

    def __init__(
        self,
        width: int,
        *,
        heads: int = 4,
        hidden: int | None = None,
        dropout: float = 0.1,
        position: Position = "coordinates",
        patches: int = 1024,
        attention: bool = True,
        energy: bool = False,
    ) -> None:
        super().__init__()
        hidden = hidden or 4 * width
        self.heads, self.position = heads, position
        if position == "coordinates":
            self.place = nn.Linear(3 + 6 * _OCTAVES, width)
            nn.init.normal_(self.place.weight, std=0.02)
            nn.init.zeros_(self.place.bias)
        elif position == "learned":
            self.places = nn.Parameter(torch.empty(patches, width).normal_(std=0.02))
        self.attention = attention
        if attention:
            self.query_key_value = nn.Linear(width, 3 * width)
            self.output = nn.Linear(width, width)
            self.attention_dropout = nn.Dropout(dropout)
        self.energy = energy
        if energy:
            self.scales = nn.Parameter(torch.zeros(width))  # v = exp(scales)
            self.slope = nn.Parameter(torch.tensor(1.0))  # w = exp(slope)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, 1))

    def forward(self, features: Tensor, centers: Tensor) -> Tensor:
        """(B, n) logits, higher is more anomalous, of (B, n, C) ``features`` at (B, n, 3) ``centers``."""
        tokens = features
        if self.position == "coordinates":
            tokens = tokens + self.place(coordinate_waves(centers))
        elif self.position == "learned":
            tokens = tokens + self.places[: features.shape[1]]
        if self.attention:
            tokens = tokens + self.attention_dropout(self._attend(tokens))
        logits: Tensor = self.head(self.norm(tokens)).squeeze(-1)
        if self.energy:
            logits = logits + self.slope.exp() * (features.square() * self.scales.exp()).mean(dim=-1).log1p()
        return logits

    def _attend(self, tokens: Tensor) -> Tensor:
        batch, n, width = tokens.shape
        parts = self.query_key_value(tokens).reshape(batch, n, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(query, key, value)
        return self.output(mixed.transpose(1, 2).reshape(batch, n, width))


def coordinate_waves(centers: Tensor) -> Tensor:
    """(..., 39): coordinates, and sines and cosines of them at octaves from half a period per radius."""
    scales = math.pi / 2 * 2.0 ** torch.arange(_OCTAVES, dtype=centers.dtype, device=centers.device)
    angles = (centers[..., None, :] * scales[:, None]).flatten(-2)
    return torch.cat([centers, angles.sin(), angles.cos()], dim=-1)
