"""Which image cells a patch of the surface refers to: the link from the 3D to the 2D side of the memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Links:
    """For each of G things a list of row numbers.

    Attributes
    ----------
    offsets : (G + 1,) int64
        The rows of thing g lie at ``offsets[g]:offsets[g + 1]``.
    rows : (L,) int64
    """

    offsets: Integers
    rows: Integers

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def owners(self) -> Integers:
        """(L,) the thing that each row is listed for."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @classmethod
    def from_pairs(cls, owners: Integers, rows: Integers, count: int) -> Links:
        """From pairs in any order; ``count`` is G."""
        order = np.lexsort((rows, owners))
        offsets = np.zeros(count + 1, np.int64)
        np.cumsum(np.bincount(owners, minlength=count), out=offsets[1:])
        return cls(offsets, np.asarray(rows, np.int64)[order])


def cells_of_pixels(pixels: Integers, *, size: int = 224, side: int = 28) -> Integers:
    """The cell, row by row of a ``side`` x ``side`` grid, of pixels of a ``size`` x ``size`` image; -1 stays -1.

    Parameters
    ----------
    pixels : integer array
        Row * size + column.
    """
    row, column = np.divmod(pixels, size)
    cells = row * side // size * side + column * side // size
    return np.where(pixels < 0, -1, cells)


def linked_cells(cells: Integers, *, side: int = 28, shift: int = 2, own: bool = False) -> Links:
    """The cells that patches refer to, as Shape-Guided links them.

    The set of cells of a patch's points is replaced by its four copies shifted by ``shift`` columns and rows. Of these,
    numbers below 0 become the set's largest, then numbers beyond the grid its smallest. The copies wrap at the left and
    right border, and do not hold the unshifted cells, which those of neighbouring points normally cover.

    Parameters
    ----------
    cells : (G, P) integer array
        Cell of each point of each patch, -1 for points that no cell sees.
    own : bool
        Whether the unshifted cells are added.

    Returns
    -------
    Links
        Of G patches to cells, ascending.
    """
    count, total = len(cells), side * side
    seen = cells >= 0
    shifts = np.array([shift, -shift, shift * side, -shift * side] + [0] * own)
    moved = np.where(seen[:, :, None], cells[:, :, None] + shifts, -(2**40)).reshape(count, -1)
    valid = np.repeat(seen, len(shifts), axis=1)
    highest = np.where(valid, moved, -(2**40)).max(axis=1, initial=-(2**40), keepdims=True)
    moved = np.where(valid & (moved < 0), highest, moved)
    lowest = np.where(valid, moved, 2**40).min(axis=1, initial=2**40, keepdims=True)
    moved = np.where(valid & (moved >= total), lowest, moved)
    listed = np.zeros((count, total), bool)
    patch, place = np.nonzero(valid & (moved >= 0) & (moved < total))
    listed[patch, moved[patch, place]] = True
    owners, rows = np.nonzero(listed)
    return Links.from_pairs(owners, rows, count)
