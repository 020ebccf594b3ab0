"""From pictures back to points: what a map says at each point's pixel."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def values_at_pixels(maps: Tensor, pixels: NDArray[np.number], size: tuple[int, int]) -> Tensor:
    """Values of a map at pixels of the picture that it was computed from, bilinear, edges held.

    Parameters
    ----------
    maps : (C, h, w) floating
        Laid evenly over the picture, as the maps of a network with a stride are.
    pixels : (N, 2)
        Row and column in the picture; whole in the middle of a pixel. Outside means the nearest edge.
    size : (H, W)
        Of the picture.

    Returns
    -------
    (N, C) of the maps' type and device
    """
    height, width = size
    # align_corners=False: -1 and 1 are the outer edges of the corner pixels.
    places = torch.as_tensor(np.asarray(pixels, np.float32), device=maps.device).to(maps.dtype)
    row, column = (2 * places[:, 0] + 1) / height - 1, (2 * places[:, 1] + 1) / width - 1
    lookup = torch.stack([column, row], dim=1)[None, None]
    found = torch.nn.functional.grid_sample(
        maps[None], lookup, mode="bilinear", padding_mode="border", align_corners=False
    )
    return found[0, :, 0].T.contiguous()


def grid_pixels(grid: NDArray[np.int32], size: int) -> NDArray[np.float32]:
    """Where the points of an organised scan lie in its image resized to ``size`` × ``size``.

    Parameters
    ----------
    grid : (H, W) int32
        As ``Scan.grid``.

    Returns
    -------
    (N, 2) float32
        Row and column of each point, whole in the middle of a pixel.
    """
    height, width = grid.shape
    rows, columns = np.nonzero(grid >= 0)
    places = np.empty((len(rows), 2), np.float32)
    named = grid[rows, columns]
    places[named, 0] = (rows + 0.5) * (size / height) - 0.5
    places[named, 1] = (columns + 0.5) * (size / width) - 0.5
    return places


def coverage(grid: NDArray[np.int32], part: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """(size, size) the pixels of the resized image that show a point of the part.

    Parameters
    ----------
    grid : (H, W) int32
    part : (N,) bool
    """
    shown = np.append(part, False)[grid]
    pooled = torch.nn.functional.adaptive_max_pool2d(torch.from_numpy(shown.astype(np.float32))[None], (size, size))
    return pooled[0].numpy() > 0
