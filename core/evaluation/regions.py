"""The separate defects of a scan's ground truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from core.geometry.neighbors import nearest
from core.scan import Scan

_NEIGHBOURS = 16
"""Nearest points of a point, itself among them. On a square lattice these are the 8 around it and those next to them,
so that a labelled point that is missing does not split a defect; a defect's edge points have most of them inside."""


def grid_regions(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(H, W) the 8-connected group of each True pixel, from 0; -1 elsewhere."""
    named, _ = label(mask, structure=np.ones((3, 3), bool))
    return named.astype(np.int32) - 1


def cloud_regions(points: NDArray[np.float32], labels: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(N,) the connected group of each labelled point, from 0; -1 elsewhere.

    Two labelled points are neighbours if one is among the other's nearest points, good ones included: defects with a
    strip of good points between them stay apart, whatever the density of the points.

    Parameters
    ----------
    points : (N, 3) float32
    labels : (N,) bool
    """
    regions = np.full(len(points), -1, np.int32)
    marked = np.flatnonzero(labels)
    if len(marked) == 0:
        return regions
    _, found = nearest(points, points[marked], min(_NEIGHBOURS, len(points)))
    place = np.full(len(points), -1, np.int64)
    place[marked] = np.arange(len(marked))
    start = np.repeat(np.arange(len(marked)), found.shape[1])
    end = place[found.ravel()]
    used = end >= 0
    graph = coo_array((np.ones(int(used.sum()), bool), (start[used], end[used])), shape=(len(marked), len(marked)))
    regions[marked] = connected_components(graph, directed=False)[1]
    return regions


def scan_regions(scan: Scan, labels: NDArray[np.bool_], mask: NDArray[np.bool_] | None = None) -> NDArray[np.int32]:
    """(N,) the defect that each point of a scan belongs to, from 0; -1 on good points.

    8-connected on the grid of an organised scan, else by ``cloud_regions``.

    Parameters
    ----------
    labels : (N,) bool
    mask : (H, W) bool, optional
        The ground truth of the whole grid where it is known, so that pixels without a measurement split no defect.
    """
    if scan.grid is None:
        return cloud_regions(scan.points, labels)
    measured = scan.grid >= 0
    if mask is None:
        mask = np.append(labels, False)[scan.grid]
    named = grid_regions(mask)
    regions = np.full(len(scan), -1, np.int32)
    regions[scan.grid[measured]] = named[measured]
    return _renumbered(regions)


def _renumbered(regions: NDArray[np.int32]) -> NDArray[np.int32]:
    """The same groups without gaps in their numbers: some may have no measured point."""
    _, numbers = np.unique(np.append(-1, regions), return_inverse=True)
    return numbers[1:].astype(np.int32) - 1
