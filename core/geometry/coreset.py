"""Coresets: few vectors that stand for many, as PatchCore's memory bank keeps them."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def greedy_coreset(features: Tensor, count: int, *, seed: int, projection: int = 128) -> NDArray[np.int64]:
    """Indices of ``count`` rows chosen by greedy k-centre: each next row is the farthest from those chosen.

    K. Roth et al.: *Towards Total Recall in Industrial Anomaly Detection*, CVPR 2022, algorithm 1; greedy selection
    keeps the farthest row within twice the least possible distance (Gonzalez 1985), and a random projection keeps
    distances (Johnson & Lindenstrauss 1984; Gaussian here, scaled by 1/√``projection``).

    Parameters
    ----------
    features : (n, C) floating Tensor
        On any device; the work is done there in float32, one pass over (n, ``projection``) a chosen row.
    count : int
        1 to n.
    seed : int
        Of the first row and of the projection.
    projection : int
        Dimensions that rows are projected to where they have more; 0 keeps them as they are.

    Returns
    -------
    (count,) int64
        Distinct indices in the order of choice. Among equally far rows the lowest index is chosen on the CPU.

    Raises
    ------
    ValueError
        If the shape, ``count`` or ``projection`` is out of range.
    """
    if features.ndim != 2 or features.shape[0] == 0:
        raise ValueError(f"features have shape {tuple(features.shape)}, not (n, C) with n > 0")
    number = features.shape[0]
    if not 1 <= count <= number or projection < 0:
        raise ValueError(f"a coreset of {count} of {number} rows, projected to {projection}, was asked for")
    generator = torch.Generator().manual_seed(seed)
    first = int(torch.randint(number, (1,), generator=generator))
    with torch.no_grad():
        rows = _projected(features.detach().float(), projection, generator)
        return _greedy(rows, count, first)


def _projected(rows: Tensor, width: int, generator: torch.Generator) -> Tensor:
    if width and rows.shape[1] > width:
        directions = torch.randn((rows.shape[1], width), generator=generator) / math.sqrt(width)
        rows = rows @ directions.to(rows.device)
    return rows - rows.mean(dim=0)  # about their mean the squares below lose the fewest digits


def _greedy(rows: Tensor, count: int, first: int) -> NDArray[np.int64]:
    squares = rows.square().sum(dim=1)
    nearest = torch.full_like(squares, torch.inf)
    chosen = torch.empty(count, dtype=torch.int64, device=rows.device)
    current = torch.tensor(first, device=rows.device)
    line = torch.empty_like(squares)
    for step in range(count):
        chosen[step] = current
        # |a - b|² = |a|² + |b|² - 2 a·b, one product of a matrix with a vector a step
        torch.mv(rows, rows[current], out=line)
        line.mul_(-2.0).add_(squares).add_(squares[current])
        torch.minimum(nearest, line, out=nearest)
        nearest[current] = -torch.inf  # never again, not even where only copies are left
        current = torch.from_numpy(np.argmax(nearest.numpy(), keepdims=True))[0] if rows.is_cpu else nearest.argmax()
    return chosen.cpu().numpy()
