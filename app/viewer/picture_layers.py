"""An organised scan as a picture: the ground that its sensor saw, and what is known of its points over it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.viewer.colormaps import Theme
from app.viewer.field import Field, ViewMode
from app.viewer.painting import colors_of
from core.geometry.relief import relief
from core.scan import Scan

Bytes = NDArray[np.uint8]

_DARKEST, _SPAN = 40.0, 200.0  # grey levels of a shaded shape: marks stand out from both ends


class PictureLayers:
    """The layers of one organised scan.

    Parameters
    ----------
    scan : Scan
        With a grid.
    """

    def __init__(self, scan: Scan) -> None:
        if scan.grid is None:
            raise ValueError("a picture needs a grid")
        self.scan, self.grid = scan, scan.grid
        self.seen = self.grid >= 0
        self._pixels = np.empty(len(scan), np.int64)
        self._pixels[self.grid[self.seen]] = np.flatnonzero(self.seen)
        self._shape: Bytes | None = None

    @property
    def photographed(self) -> bool:
        """Whether there is a photograph."""
        return self.scan.image is not None

    def pixel_of(self, index: int) -> tuple[int, int]:
        """Row and column of a point."""
        row, column = divmod(int(self._pixels[index]), self.grid.shape[1])
        return row, column

    def point_at(self, row: int, column: int) -> int:
        """The point at a pixel, -1 where nothing was measured or outside."""
        height, width = self.grid.shape
        return int(self.grid[row, column]) if 0 <= row < height and 0 <= column < width else -1

    def ground(self, photograph: bool) -> Bytes:
        """(H, W, 3) the photograph, or the shape in grey, black where nothing was measured."""
        if photograph and self.scan.image is not None:
            return self.scan.image
        if self._shape is None:
            bright = _DARKEST + _SPAN * relief(self.scan.points, self.grid)
            self._shape = np.repeat(np.nan_to_num(bright).astype(np.uint8)[..., None], 3, axis=2)
        return self._shape

    def over(
        self, mode: ViewMode, field: Field | None, mask: NDArray[np.bool_] | None, score_map: str, theme: Theme
    ) -> Bytes:
        """(H, W, 4) what lies over the ground in a mode of the view, transparent where there is nothing to show."""
        layer = np.zeros((*self.grid.shape, 4), np.uint8)
        if mode is ViewMode.HEATMAP and field is not None:
            known = np.isfinite(field.values)
            self._lay(layer, colors_of(field, score_map, theme.unknown), known)
        elif mode is ViewMode.MASK and mask is not None:
            self._lay(layer, np.broadcast_to(np.array(theme.mark, np.uint8), (len(mask), 3)), mask)
        elif mode is ViewMode.GROUND_TRUTH and self.scan.labels is not None:
            truth = self.scan.labels
            found = np.ones(len(truth), bool) if mask is None else mask
            colors = np.empty((len(truth), 3), np.uint8)
            colors[:] = theme.false_alarm
            colors[truth] = theme.missed
            if mask is not None:
                colors[truth & found] = theme.found
            self._lay(layer, colors, truth | found if mask is not None else truth)
        return layer

    def _lay(self, layer: Bytes, colors: Bytes, where: NDArray[np.bool_]) -> None:
        flat = layer.reshape(-1, 4)
        pixels = self._pixels[where]
        flat[pixels, :3] = colors[where]
        flat[pixels, 3] = 255

    def rim(self, mask: NDArray[np.bool_] | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The sides of pixels between marked points and others: x and y of the ends, two and two."""
        if mask is None or not mask.any():
            return np.empty(0), np.empty(0)
        marked = np.zeros(np.add(self.grid.shape, 2), bool)
        inner = np.zeros(self.grid.size, bool)
        inner[self._pixels[mask]] = True
        marked[1:-1, 1:-1] = inner.reshape(self.grid.shape)
        rows, columns = np.nonzero(marked[1:, 1:-1] != marked[:-1, 1:-1])  # horizontal sides
        lower, right = np.nonzero(marked[1:-1, 1:] != marked[1:-1, :-1])  # vertical sides
        x = np.concatenate([np.stack([columns, columns + 1], 1).ravel(), np.stack([right, right], 1).ravel()])
        y = np.concatenate([np.stack([rows, rows], 1).ravel(), np.stack([lower, lower + 1], 1).ravel()])
        return x.astype(np.float64), y.astype(np.float64)
