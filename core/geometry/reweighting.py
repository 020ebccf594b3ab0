"""PatchCore's object score: the highest patch score, weighed by how lonely its match in the memory is."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def reweighted_maximum(
    features: Tensor, bank: Tensor, distances: Tensor, matched: Tensor, *, neighbours: int = 2
) -> float:
    """The highest of the patches' distances to the memory, times a weight between 0 and 1.

    The weight is low where the patch is hardly farther from its match's neighbours in the memory than from the match:
    w = 1 - exp(s / sqrt(C)) / sum over neighbours of exp(d / sqrt(C)), s being the patch's distance to its match and d
    those to the match's nearest other items (K. Roth et al.: *Towards Total Recall in Industrial Anomaly Detection*,
    CVPR 2022, eq. 7, with the division by sqrt(C) and the two neighbours of the published codes that follow it).

    Parameters
    ----------
    features : (n, C) Tensor
        Of a scan's patches.
    bank : (m, C) Tensor
        The memory.
    distances, matched : (n,) Tensor
        How far each patch is from its nearest item of the memory, and which one that is.
    neighbours : int
        How many other items around the match count; fewer where the memory has not so many.

    Returns
    -------
    float
        The distance itself where the memory holds a single item.
    """
    worst = int(torch.argmax(distances))
    score = float(distances[worst])
    match = int(matched[worst])
    count = min(neighbours, len(bank) - 1)
    if count == 0:
        return score
    items = bank.double()
    around = torch.cdist(items[match : match + 1], items)[0]
    around[match] = math.inf  # the match itself does not count, whatever copies of it there are
    near = items[around.topk(count, largest=False).indices]
    scale = math.sqrt(bank.shape[1])
    away = torch.cdist(features[worst : worst + 1].double(), near)[0] / scale
    return score * (1.0 - math.exp(min(score / scale - float(torch.logsumexp(away, 0)), 0.0)))
