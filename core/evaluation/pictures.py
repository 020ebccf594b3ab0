"""What an image network is shown of a scan, and the way back from its map to the points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from core.errors import CategoryError
from core.evaluation.probe_scans import ProbeScan, ProbeScans
from core.geometry.neighbors import nearest
from core.geometry.pixels import coverage, grid_pixels, values_at_pixels
from core.geometry.shading import Rendering, render_normals
from core.geometry.views import ViewSet, covering_views, mean_over_views
from core.progress import Progress

SIZE = 224
"""Pixels of a picture a side, as the published methods feed their networks."""
_BLUR = 4.0
"""Standard deviation of the Gaussian that smooths score maps, in pixels (PatchCore)."""
_MOST_VIEWS = 6

Kind = Literal["rgb", "rendered"]


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

    def to_points(self, maps: Tensor, cells: Tensor) -> NDArray[np.float32]:
        """Scores of the points from scores of cells: bilinear, smoothed within the part, mean over views.

        Parameters
        ----------
        maps : (K, h, w) float Tensor
        cells : (K, h, w) bool Tensor
            Cells that have a score.

        Returns
        -------
        (P,) float32
            A point that no picture shows has its nearest seen point's score.
        """
        weight = cells.float().cpu()
        both = torch.stack([maps.float().cpu() * weight, weight], dim=1)
        both = functional.interpolate(both, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
        both = blurred(both * self.part[:, None].float(), _BLUR)
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


class Photographer:
    """Makes the pictures of a category's scans, all from the same views at the same scale.

    Parameters
    ----------
    scans : ProbeScans
        Organised scans are rendered from their sensor, others from views that cover the first good part.
    kind : "rgb" or "rendered"

    Raises
    ------
    CategoryError
        If RGB is asked for and a scan has no image.
    """

    def __init__(self, scans: ProbeScans, kind: Kind) -> None:
        if kind == "rgb" and not scans.photographed:
            raise CategoryError(
                f"Not every scan of {scans.category} has an RGB image", "Probe on the rendered pictures instead"
            )
        self._kind = kind
        self._views: ViewSet | None = None
        self._extent = 1.0
        if kind == "rendered":
            if scans.organised:
                self._extent = float(np.median([np.ptp(scan.points, axis=0).max() for scan in scans.train]))
            else:
                self._views = covering_views(scans.train[0].points, scans.train[0].normals, _MOST_VIEWS)

    @property
    def views(self) -> int:
        """Pictures of each scan."""
        return 1 if self._views is None else len(self._views.views)

    def take(self, scan: ProbeScan) -> Pictures:
        """The pictures of one scan."""
        if self._kind == "rgb":
            return _photograph(scan)
        if self._views is not None:
            renderings, seen = self._views.render(scan.points, scan.normals, size=SIZE)
        else:
            one = render_normals(scan.points, scan.normals, size=SIZE, extent=self._extent)
            # From a sensor's own view nothing hides anything, and what the picture cuts keeps its edge's score.
            renderings, seen = (one,), np.ones((len(scan.points), 1), bool)
        return _rendered(scan, renderings, seen)


def take_all(photographer: Photographer, scans: tuple[ProbeScan, ...], progress: Progress) -> tuple[Pictures, ...]:
    """Pictures of many scans, kept as bytes: a few hundred kB each."""
    return tuple(photographer.take(scan) for scan in progress.over(scans, "picture {i} of {n}"))


def _rendered(scan: ProbeScan, renderings: tuple[Rendering, ...], seen: NDArray[np.bool_]) -> Pictures:
    images = np.stack([(one.image * 255.0 + 0.5).astype(np.uint8) for one in renderings])
    part = np.stack([one.index >= 0 for one in renderings])
    pixels = tuple(one.pixels.astype(np.float32) for one in renderings)
    return Pictures(torch.from_numpy(images)[:, None], torch.from_numpy(part), pixels, seen, scan.points)


def _photograph(scan: ProbeScan) -> Pictures:
    """The image on a square with its edges repeated, as CFM pads it, brought to the network's size."""
    assert scan.image is not None
    assert scan.grid is not None
    height, width = scan.grid.shape
    side = max(height, width)
    before = ((side - height) // 2, (side - width) // 2)
    room = tuple((start, side - size - start) for start, size in zip(before, (height, width), strict=True))
    square = torch.from_numpy(np.pad(scan.image, (*room, (0, 0)), mode="edge")).permute(2, 0, 1)[None].float()
    image = functional.interpolate(square, size=(SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False)
    grid = np.pad(scan.grid, room, constant_values=-1)
    return Pictures(
        image.round().clamp(0, 255).to(torch.uint8),
        torch.from_numpy(coverage(grid, scan.part, SIZE))[None],
        (grid_pixels(grid, SIZE)[scan.part],),
        np.ones((len(scan.points), 1), bool),
        scan.points,
    )
