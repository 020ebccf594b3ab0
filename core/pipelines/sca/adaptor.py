"""Feature Adaptor: a two-layer bottleneck that brings frozen features to the statistics of industrial scans."""

from __future__ import annotations

from torch import Tensor, nn


class FeatureAdaptor(nn.Module):
    """``q = alpha G(z) + (1 - alpha) z`` with ``G(z) = LN2(W2 LeakyReLU(LN1(W1 z)))`` (paper, "Feature adaptor").

    Parameters
    ----------
    width : int
        C, features of a patch.
    hidden : int
        Width of the bottleneck; the paper's C / 2.
    alpha : float
        Share of the adapted feature, 0 to 1. At 0 features pass unchanged.
    slope : float
        Of the LeakyReLU.
    """

    def __init__(self, width: int, hidden: int, alpha: float = 0.5, slope: float = 0.1) -> None:
        super().__init__()
        self.alpha = alpha
        self.first = nn.Linear(width, hidden)
        self.first_norm = nn.LayerNorm(hidden)
        self.activation = nn.LeakyReLU(slope)
        self.second = nn.Linear(hidden, width)
        self.second_norm = nn.LayerNorm(width)

    def forward(self, features: Tensor) -> Tensor:
        """(..., C) adapted features of (..., C) ``features``."""
        hidden = self.activation(self.first_norm(self.first(features)))
        return self.alpha * self.second_norm(self.second(hidden)) + (1.0 - self.alpha) * features
