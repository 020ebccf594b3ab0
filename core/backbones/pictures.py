"""What an image network is shown of a scan, and the way back from its map to the points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from core.geometry.neighbors import nearest
from core.geometry.pixels import coverage, grid_pixels, values_at_pixels
from core.geometry.views import mean_over_views

SIZE = 224
"""Pixels of a picture a side, as the published methods feed their networks."""
BLUR = 4.0
"""Standard deviation of the Gaussian that smooths score maps, in pixels (PatchCore)."""
_CELLS = 56
"""Cells a side of the finest maps that are taken: those of stride 4."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """The pictures of one scan: its photograph, or shaded renders from one view or several.

    Attributes
    ----------
    images : (K, 3 or 1, S, S) uint8 Tensor
    part : (K, S, S) bool Tensor
        Where the part shows.
    pixels : tuple of (P, 2) float32
        Row and column of each point of the part in each picture.
    seen : (P, K) bool
        Which pictures show a point.
    points : (P, 3) float32
    """

    images: Tensor
    part: Tensor
    pixels: tuple[NDArray[np.float32], ...]
    seen: NDArray[np.bool_]
    points: NDArray[np.float32]

    def network_input(self) -> Tensor:
        """(K, 3, S, S) float32 in [0, 1]."""
        return self.images.expand(-1, 3, -1, -1).float() / 255.0

    def cells(self, shape: tuple[int, int]) -> Tensor:
        """(K, h, w) bool: the cells of a map that show some of the part."""
        return functional.adaptive_max_pool2d(self.part.float(), shape) > 0

    def to_points(self, maps: Tensor, cells: Tensor, blur: float = BLUR) -> NDArray[np.float32]:
        """Scores of the points from scores of cells: bilinear, smoothed within the part, mean over views.

        Parameters
        ----------
        maps : (K, h, w) float Tensor
        cells : (K, h, w) bool Tensor
            Cells that have a score.
        blur : float
            Standard deviation of the smoothing Gaussian in pixels; 0 smooths nothing.

        Returns
        -------
        (P,) float32
            A point that no picture shows has its nearest seen point's score.
        """
        weight = cells.float().cpu()
        both = torch.stack([maps.float().cpu() * weight, weight], dim=1)
        both = functional.interpolate(both, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
        both = both * self.part[:, None].float()
        both = blurred(both, blur) if blur > 0 else both
        scores = both[:, 0] / both[:, 1].clamp(min=1e-12)
        values = [
            values_at_pixels(scores[k : k + 1], pixels, (SIZE, SIZE))[:, 0].numpy()
            for k, pixels in enumerate(self.pixels)
        ]
        result = mean_over_views(values, self.seen)
        unseen = np.isnan(result)
        if unseen.all():
            return np.zeros_like(result)
        if unseen.any():
            _, found = nearest(self.points[~unseen], self.points[unseen], 1)
            result[unseen] = result[~unseen][found[:, 0]]
        return result


def blurred(maps: Tensor, sigma: float) -> Tensor:
    """(B, C, H, W) maps after a Gaussian that reaches four standard deviations, edges held."""
    reach = round(4 * sigma)
    steps = torch.arange(-reach, reach + 1, dtype=maps.dtype)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    flat = maps.reshape(-1, 1, *maps.shape[-2:])
    flat = functional.conv2d(functional.pad(flat, (reach, reach, 0, 0), mode="replicate"), kernel)
    flat = functional.conv2d(functional.pad(flat, (0, 0, reach, reach), mode="replicate"), kernel.transpose(2, 3))
    return flat.view(maps.shape)


def photograph(
    image: NDArray[np.uint8], grid: NDArray[np.int32], part: NDArray[np.bool_], points: NDArray[np.float32]
) -> Pictures:
    """An organised scan's image on a square with its edges repeated, as CFM pads it, brought to the network's size.

    Parameters
    ----------
    image : (H, W, 3) uint8
    grid : (H, W) int32
    part : (N,) bool
        Which of the scan's points are the part.
    points : (P, 3) float32
        These points.
    """
    height, width = grid.shape
    side = max(height, width)
    before = ((side - height) // 2, (side - width) // 2)
    room = tuple((start, side - size - start) for start, size in zip(before, (height, width), strict=True))
    square = torch.from_numpy(np.pad(image, (*room, (0, 0)), mode="edge")).permute(2, 0, 1)[None].float()
    small = functional.interpolate(square, size=(SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False)
    padded = np.pad(grid, room, constant_values=-1)
    return Pictures(
        small.round().clamp(0, 255).to(torch.uint8),
        torch.from_numpy(coverage(padded, part, SIZE))[None],
        (grid_pixels(padded, SIZE)[part],),
        np.ones((len(points), 1), bool),
        points,
    )


def described(maps: Tensor, pictures: Pictures) -> tuple[Tensor, Tensor]:
    """An extractor's maps as PatchCore takes them, and the cells of them that show some of the part.

    Maps are averaged over 3 x 3 cells (PatchCore's p = 3) and brought to at most 56 cells a side.

    Parameters
    ----------
    maps : (K, C, h, w) Tensor

    Returns
    -------
    (K, h', w', C) Tensor, (K, h', w') bool Tensor on the CPU
    """
    maps = functional.avg_pool2d(maps, 3, stride=1, padding=1, count_include_pad=False)
    if max(maps.shape[-2:]) > _CELLS:
        maps = functional.adaptive_avg_pool2d(maps, (_CELLS, _CELLS))
    return maps.permute(0, 2, 3, 1), pictures.cells((maps.shape[-2], maps.shape[-1]))
