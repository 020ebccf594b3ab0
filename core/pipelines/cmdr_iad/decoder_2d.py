"""The 2D decoder: rebuilds image features from a narrow layer, with attention along the raster and convolutions.

P3 3.3 and Fig. 3; sizes from the published code (CMDR networks/Dec2d.py).
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.pipelines.cmdr_iad.mapping import DROPOUT, first_at_sources
from core.pipelines.cmdr_iad.spread import Spread

HEADS = 8


class WindowBlock(nn.Module):
    """A pre-norm transformer block whose attention stays within windows of consecutive raster positions.

    Parameters
    ----------
    width, window : int
        The last window is padded; nothing attends to the padding.
    dropout : float
    """

    def __init__(self, width: int, window: int, dropout: float = DROPOUT) -> None:
        super().__init__()
        self.window = window
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, HEADS, dropout=dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, values: Tensor) -> Tensor:
        """(N, width) of (N, width) in raster order."""
        count = len(values)
        missing = -count % self.window
        cut = functional.pad(self.norm(values), (0, 0, 0, missing)).view(-1, self.window, values.shape[1])
        unused = None
        if missing:
            unused = torch.zeros(cut.shape[:2], dtype=torch.bool, device=values.device)
            unused[-1, self.window - missing :] = True
        seen, _ = self.attention(cut, cut, cut, key_padding_mask=unused, need_weights=False)
        values = values + self.dropout(seen.reshape(-1, values.shape[1])[:count])
        refined: Tensor = values + self.mlp(self.mlp_norm(values))
        return refined


class Decoder2d(nn.Module):
    """Projection, window attention, three transposed convolutions, and a head on each place alone.

    Parameters
    ----------
    channels : int
        Of the features, 768 in the paper.
    width : int
        Of the hidden layers, 384 in the paper; a multiple of 24, so that heads and thirds are whole.
    window : int
        Positions of an attention window, 128 in the paper.
    dropout : float
    """

    def __init__(self, channels: int, *, width: int = 384, window: int = 128, dropout: float = DROPOUT) -> None:
        super().__init__()
        third = width // 3
        self.first = nn.Linear(channels, width)
        self.project = nn.Sequential(
            nn.GELU(),
            nn.LayerNorm(width),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.GELU(),
            nn.LayerNorm(width),
        )
        self.block = WindowBlock(width, window, dropout)
        sizes = (width, 2 * third, third, width)
        layers: list[nn.Module] = []
        for wide, narrow in itertools.pairwise(sizes):
            layers += [nn.ConvTranspose2d(wide, narrow, 3, 1, 1), nn.BatchNorm2d(narrow), nn.GELU()]
        self.expand = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * width, channels),
            nn.LayerNorm(channels),
        )

    def forward(self, features: Tensor, shape: tuple[int, int, int], cells: Tensor | None = None) -> Tensor:
        """Rebuilt features.

        Parameters
        ----------
        features : (K H W, channels)
            Of all cells in raster order.
        shape : (K, H, W)
        cells : (n,) int64, optional
            Where the result is wanted: the head runs only there.

        Returns
        -------
        (n, channels), or (K H W, channels)
        """
        return self._rest(self.first(features), shape, cells)

    def of_sources(self, sources: Tensor, spread: Spread, shape: tuple[int, int, int], cells: Tensor) -> Tensor:
        """``forward`` of ``spread(sources)``; the first layer is applied at the sources where they are fewer."""
        return self._rest(first_at_sources(self.first, sources, spread), shape, cells)

    def _rest(self, hidden: Tensor, shape: tuple[int, int, int], cells: Tensor | None) -> Tensor:
        refined = self.block(self.project(hidden))
        # The numbers of a place lie together, as convolutions on the CPU like it and as the head needs it.
        maps = refined.view(*shape, -1).permute(0, 3, 1, 2)
        places = self.expand(maps).permute(0, 2, 3, 1).reshape(len(hidden), -1)
        rebuilt: Tensor = self.head(places if cells is None else places[cells])
        return rebuilt
