"""Where features lie: the cells of one picture of a part or of several, and the way back to the points.

An organised scan has a picture already, its sensor's grid brought to a square (P3 3.1). Elsewhere the part is looked
at from several sides: a cell takes the point in front, and all pictures together make one raster, in which a place of
the part has the same cell in every scan that lies alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.geometry.neighbors import nearest
from core.geometry.pixels import values_at_pixels
from core.geometry.views import mean_over_views

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_MARGIN = 0.02
"""Of the largest side, left free around the good parts' boxes."""
_BEHIND = 3.0
"""Cells that a point may lie behind the one in front and still count as seen there."""
_LEAST_SIDE = 8


@dataclass(frozen=True, eq=False)
class Raster:
    """The cells that show a part.

    Attributes
    ----------
    shape : (int, int, int)
        Pictures, rows, columns.
    cells : (n,) int64
        Cells that show a point, as ascending numbers in raster order, picture after picture.
    shown : (n,) int64
        The part's point that each of them shows.
    pixels : tuple of (P, 2) float32
        Row and column of each point of the part in each picture, whole in the middle of a cell.
    seen : (P, K) bool
        Which pictures show a point.
    """

    shape: tuple[int, int, int]
    cells: Ints
    shown: Ints
    pixels: tuple[Floats, ...]
    seen: NDArray[np.bool_]

    def to_points(self, values: NDArray[np.floating], held: NDArray[np.bool_], points: Floats) -> Floats:
        """(P, M) values of the part's points from M maps at once: bilinear between the cells that hold a value.

        Parameters
        ----------
        values : (M, K, H, W)
        held : (K, H, W) bool
        points : (P, 3) float32
            A point that no cell holding a value shows takes its nearest neighbour's.
        """
        weight = held.astype(np.float32)
        both = torch.from_numpy(np.concatenate([np.where(held, values, 0.0), weight[None]]).astype(np.float32))
        size = (self.shape[1], self.shape[2])
        told, known = [], []
        for k, pixels in enumerate(self.pixels):
            found = values_at_pixels(both[:, k], pixels, size).numpy().astype(np.float64)
            share = found[:, -1:]
            known.append(share[:, 0] > 1e-6)
            told.append((found[:, :-1] / np.maximum(share, 1e-6)).astype(np.float32))
        result = mean_over_views(told, self.seen & np.stack(known, axis=1))
        unknown = np.isnan(result[:, 0])
        if unknown.all():
            return np.zeros_like(result)
        if unknown.any():
            _, near = nearest(points[~unknown], points[unknown], 1)
            result[unknown] = result[~unknown][near[:, 0]]
        return result


def sensor_raster(grid: NDArray[np.int32], rows: Ints, side: int, *, fill: bool) -> Raster:
    """An organised scan's part on a square grid of ``side`` cells.

    The sensor's grid is padded to a square, half before and half after, and cell i takes the pixel floor(i S / side),
    as the published code resizes it.

    Parameters
    ----------
    grid : (H, W) int32
        As ``Scan.grid``.
    rows : (P,) int64
        The scan's points that are the part.
    fill : bool
        Whether a cell whose own pixel shows no part takes the nearest pixel within the cell that does.
    """
    size = max(grid.shape)
    part = np.full(int(grid.max()) + 2, -1, np.int64)  # the last entry stands for -1
    part[rows] = np.arange(len(rows))
    before = [(size - own) // 2 for own in grid.shape]
    square = np.full((size, size), -1, np.int64)
    square[before[0] : before[0] + grid.shape[0], before[1] : before[1] + grid.shape[1]] = part[grid]
    picks = np.arange(side) * size // side
    chosen = square[np.ix_(picks, picks)].ravel()
    row, column = np.nonzero(square >= 0)
    if fill:
        cell = np.stack([row, column]) * side // size
        aside = np.square(np.stack([row, column]) - picks[cell]).sum(axis=0)
        own = cell[0] * side + cell[1]
        best = np.lexsort([aside, own])
        first = best[np.unique(own[best], return_index=True)[1]]
        empty = chosen[own[first]] < 0
        chosen[own[first][empty]] = square[row, column][first[empty]]
    pixels = np.empty((len(rows), 2), np.float32)
    pixels[square[row, column]] = (np.stack([row, column], axis=1) + 0.5) * (side / size) - 0.5
    cells = np.flatnonzero(chosen >= 0)
    return Raster((1, side, side), cells, chosen[cells], (pixels,), np.ones((len(rows), 1), bool))


@dataclass(frozen=True, eq=False)
class ViewLayout:
    """Parallel views of the parts of a category, decided on its good ones.

    Attributes
    ----------
    views : (K, 3, 3) float64
        Rotations that make x point right, y up and z to the eye.
    corners : (K, 2) float64
        Left and upper edge of each picture in its turned coordinates, in millimetres.
    cell : float
        Side of a cell in millimetres.
    size : (int, int)
        Rows and columns, the same for all pictures.
    """

    views: NDArray[np.float64]
    corners: NDArray[np.float64]
    cell: float
    size: tuple[int, int]

    @classmethod
    def over(cls, parts: Sequence[Floats], views: NDArray[np.float64], side: int) -> ViewLayout:
        """Pictures that hold all ``parts`` (M, 3), each with about ``side`` x ``side`` cells."""
        low, high = np.full((len(views), 2), np.inf), np.full((len(views), 2), -np.inf)
        for part in parts:
            for k, view in enumerate(views):
                turned = part.astype(np.float64) @ view[:2].T
                low[k], high[k] = np.minimum(low[k], turned.min(axis=0)), np.maximum(high[k], turned.max(axis=0))
        margin = _MARGIN * max(float((high - low).max()), 1e-9)
        width, height = ((high - low).max(axis=0) + 2 * margin).tolist()
        cell = max((width * height) ** 0.5 / side, max(width, height) / (4 * side))
        rows, columns = (max(_LEAST_SIDE, int(np.ceil(length / cell))) for length in (height, width))
        middle = (low + high) / 2
        corners = np.stack([middle[:, 0] - columns * cell / 2, middle[:, 1] + rows * cell / 2], axis=1)
        return cls(np.asarray(views, np.float64), corners, cell, (rows, columns))

    def raster(self, points: Floats) -> Raster:
        """How the pictures show a part (P, 3) in the category's pose."""
        rows, columns = self.size
        cells, shown, pixels, seen = [], [], [], []
        for k, view in enumerate(self.views):
            turned = points.astype(np.float64) @ view.T
            place = np.stack([self.corners[k, 1] - turned[:, 1], turned[:, 0] - self.corners[k, 0]], axis=1) / self.cell
            whole = np.clip(np.floor(place).astype(np.int64), 0, [rows - 1, columns - 1])
            own = whole[:, 0] * columns + whole[:, 1]
            front = np.full(rows * columns, -np.inf)
            np.maximum.at(front, own, turned[:, 2])
            order = np.lexsort([np.arange(len(points)), -turned[:, 2], own])
            first = order[np.unique(own[order], return_index=True)[1]]
            cells.append(own[first] + k * rows * columns)
            shown.append(first)
            pixels.append((place - 0.5).astype(np.float32))
            seen.append(turned[:, 2] >= front[own] - _BEHIND * self.cell)
        return Raster(
            (len(self.views), rows, columns),
            np.concatenate(cells),
            np.concatenate(shown),
            tuple(pixels),
            np.stack(seen, axis=1),
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        return {
            "views": self.views,
            "corners": self.corners,
            "cell": np.array(self.cell),
            "size": np.array(self.size, np.int64),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> ViewLayout:
        """What ``state`` gave."""
        rows, columns = (int(one) for one in state["size"])
        return cls(np.asarray(state["views"]), np.asarray(state["corners"]), float(state["cell"]), (rows, columns))
