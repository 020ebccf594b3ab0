"""Selective Anomalous Feature Generator: noise on a random share of the patch features makes the negatives."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AnomalousFeatureGenerator(nn.Module):
    """``q~_i = q_i + m_i gamma eps_i``, ``m_i ~ Bernoulli(p)``, ``eps_i ~ N(0, sigma^2 I)`` (paper, "Anomalous feature
    generator"). Used in training only.

    gamma learns with the same loss that the negatives are to be told apart by, so left alone it grows without bound
    and the negatives become trivial; it is therefore held in a range.

    Parameters
    ----------
    probability : float
        p, share of corrupted patches; 1 is SimpleNet's generator, which corrupts all.
    sigma : float
        Standard deviation of the noise.
    gamma_range : (float, float)
        Bounds of the learnable gamma, which starts at 1.
    learnable : bool
        Whether gamma learns at all.
    """

    gamma: Tensor

    def __init__(
        self,
        probability: float = 0.5,
        sigma: float = 0.1,
        gamma_range: tuple[float, float] = (0.5, 2.0),
        learnable: bool = True,
    ) -> None:
        super().__init__()
        self.probability, self.sigma, self.gamma_range = probability, sigma, gamma_range
        self.gamma = nn.Parameter(torch.ones(()), requires_grad=learnable)

    def clamp(self) -> None:
        """Bring gamma back into its range; to be called after each step of the optimiser."""
        with torch.no_grad():
            self.gamma.clamp_(*self.gamma_range)

    def draw(self, shape: torch.Size, generator: torch.Generator, device: torch.device) -> tuple[Tensor, Tensor]:
        """(mask (B, n) bool, noise (B, n, C)) for features of ``shape`` (B, n, C), drawn on the CPU."""
        mask = torch.rand(shape[:-1], generator=generator) < self.probability
        noise = torch.randn(shape, generator=generator) * self.sigma
        return mask.to(device), noise.to(device)

    def forward(self, features: Tensor, mask: Tensor, noise: Tensor) -> Tensor:
        """(B, n, C) features with ``gamma * noise`` added where ``mask`` (B, n) is True; the others bit-identical."""
        return torch.where(mask[..., None], features + self.gamma * noise, features)
