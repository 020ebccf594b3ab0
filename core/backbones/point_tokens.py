"""Groups of a cloud and their Point-MAE tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.backbones.point_mae import WIDTH, PointMAE, load_point_mae, random_point_mae
from core.backbones.weights import WeightSet
from core.runtime import Runtime, in_chunks

Values = NDArray[np.float32] | Tensor
RANDOM_SEED = 0
"""Of the random network: its name must always mean the same numbers."""
_FLOATS_PER_POINT = 128 + 256 + 3 * 512 + WIDTH  # what the token encoder holds at once


def cut_groups(
    points: NDArray[np.float32], centers_index: NDArray[np.int64], neighbors: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The groups (G, k, 3), each minus its centre, and the centres (G, 3) of a cloud (N, 3).

    Parameters
    ----------
    centers_index : (G,) integer array
    neighbors : (G, k) integer array
        Both as ``core.geometry.patches.Patches`` holds them.
    """
    centers = points[centers_index]
    return points[neighbors] - centers[:, None], centers


def point_tokens(
    model: PointMAE, groups: Values, centers: Values, runtime: Runtime, *, layers: Sequence[int] = ()
) -> Tensor:
    """Tokens of one cloud, computed on the runtime's device within its memory budget.

    Parameters
    ----------
    model : PointMAE
        On the runtime's device, see ``extractor``; it says whether the token encoder normalises by the cloud's own
        statistics.
    groups : (G, k, 3) array or tensor
        The points of each group, minus its centre; in unit-sphere scale unless by the cloud's own statistics.
    centers : (G, 3) array or tensor
    layers : sequence of int
        0-based blocks to concatenate, see ``PointMAE.forward``.

    Returns
    -------
    (G, 384 * max(1, len(layers))) float32 tensor
        On the runtime's device, without gradient.

    Raises
    ------
    DeviceError
    """
    device = runtime.device
    patches = torch.as_tensor(groups, dtype=torch.float32).to(device)[None]
    places = torch.as_tensor(centers, dtype=torch.float32).to(device)[None]
    count, k = patches.shape[1:3]
    at_once = runtime.rows_per_chunk(4 * k * _FLOATS_PER_POINT)
    with torch.no_grad():  # not inference mode: what is trained on top of the tokens must be able to keep them
        if model.cloud_statistics:
            tokens = model.encoder(patches, True, at_once)
        else:
            tokens = torch.empty(1, count, WIDTH, device=device)

            def encode(part: slice) -> None:
                tokens[:, part] = model.encoder(patches[:, part])

            in_chunks(count, at_once, encode)
        return model.transform(tokens, places, layers)[0]


def extractor(weights: WeightSet, device: torch.device, cloud_statistics: bool = False) -> PointMAE:
    """The network with these weights on this device, read once and kept."""
    return _extractor(weights, weights.sha256, str(device), cloud_statistics)


@lru_cache(maxsize=4)
def _extractor(weights: WeightSet, sha256: str, device: str, cloud_statistics: bool) -> PointMAE:
    """``sha256`` is in the key so that a replaced file is read again."""
    return load_point_mae(weights, device=device, cloud_statistics=cloud_statistics)


@lru_cache(maxsize=2)
def random_extractor(device: torch.device, cloud_statistics: bool = False) -> PointMAE:
    """The network before any training, always the same one, on this device."""
    return random_point_mae(RANDOM_SEED, cloud_statistics=cloud_statistics).to(device)
