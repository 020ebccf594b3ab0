"""Means along a part's surface: of descriptions before they are compared, and of scores after."""

from __future__ import annotations

from math import ceil, pi

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.geometry.neighbors import nearest
from core.runtime import Runtime, in_chunks

Floats = NDArray[np.float32]

_REACH = 2.5
"""Standard deviations that the Gaussian reaches: 96 % of a Gaussian in the plane."""


def pooled(tokens: Tensor, places: Floats, asked: Floats, count: int, runtime: Runtime) -> Tensor:
    """Means of the tokens of the ``count`` places nearest to each asked one.

    Parameters
    ----------
    tokens : (V, C) float32 Tensor
    places : (V, 3) float32
    asked : (G, 3) float32
        More than V places means all.

    Returns
    -------
    (G, C) float32 Tensor
    """
    count = min(max(count, 1), len(places))
    around = torch.from_numpy(nearest(places, asked, count, runtime=runtime)[1]).to(tokens.device)
    result = torch.empty((len(asked), tokens.shape[1]), device=tokens.device)

    def work(rows: slice) -> None:
        result[rows] = torch.nn.functional.embedding_bag(around[rows], tokens, mode="mean")

    in_chunks(len(asked), runtime.rows_per_chunk(8 * count + 4 * tokens.shape[1]), work)
    return result


def smoothed(values: Floats, places: Floats, sigma: float, spacing: float) -> Floats:
    """Gaussian means of ``values`` over neighbouring places of a surface.

    Parameters
    ----------
    values : (G,) float32
    places : (G, 3) float32
    sigma : float
        Standard deviation, in the unit of the places; 0 smooths nothing.
    spacing : float
        Usual distance between places, which says how many lie within reach.
    """
    count = min(ceil(pi * (_REACH * sigma / spacing) ** 2), len(values)) if sigma > 0 else 1
    if count <= 1:
        return values
    distances, around = nearest(places, places, count)
    weights = np.exp(-0.5 * (distances / np.float32(sigma)) ** 2)
    total = np.einsum("gk,gk->g", weights, values[around], dtype=np.float64)
    return (total / weights.sum(axis=1, dtype=np.float64)).astype(np.float32)
