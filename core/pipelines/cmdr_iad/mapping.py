"""Cross-modal mapping: what one modality's features at a place should be, told from the other's (P3 3.2)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from core.pipelines.cmdr_iad.spread import Spread

DROPOUT = 0.1
"""The published code's, in all networks."""


class CrossModalMap(nn.Module):
    """Four linear layers on each place alone; the hidden width is the mean of both sizes (CMDR networks/Map.py).

    Parameters
    ----------
    given, wanted : int
        Channels of the features that it is given and that it tells.
    dropout : float
    """

    def __init__(self, given: int, wanted: int, *, dropout: float = DROPOUT) -> None:
        super().__init__()
        hidden = (given + wanted) // 2
        self.first = nn.Linear(given, hidden)
        self.rest = nn.Sequential(
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.LayerNorm(hidden),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.LayerNorm(hidden),
            nn.Linear(hidden, wanted),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(n, wanted) of (n, given)."""
        told: Tensor = self.rest(self.first(features))
        return told

    def of_sources(self, sources: Tensor, spread: Spread) -> Tensor:
        """``forward`` of ``spread(sources)``; the first layer is applied at the sources where they are fewer.

        Parameters
        ----------
        sources : (sources, given)

        Returns
        -------
        (cells, wanted)
        """
        return self.rest(first_at_sources(self.first, sources, spread))


def first_at_sources(layer: nn.Linear, sources: Tensor, spread: Spread) -> Tensor:
    """(cells, out) what a linear layer makes of spread features; it commutes with the spreading, its bias does not."""
    if not spread.condenses:
        return layer(spread(sources))
    return spread(functional.linear(sources, layer.weight)) + layer.bias
