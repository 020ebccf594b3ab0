"""Points in an order in which neighbours in space are neighbours in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BITS = 16
"""Per axis; three axes fill 48 bits."""


def scattered(points: NDArray[np.float32]) -> bool:
    """Whether following points lie far apart, so that searches wait for memory. Looks at a sample."""
    if len(points) < 20_000:
        return False
    at = np.linspace(0, len(points) - 2, 1000).astype(np.int64)
    steps = np.linalg.norm(points[at + 1] - points[at], axis=1)
    spread = np.linalg.norm(points[at] - points[at[::-1]], axis=1)
    return bool(np.median(steps) > 0.05 * np.median(spread))


def along_curve(points: NDArray[np.float32]) -> NDArray[np.int64]:
    """(N,) the order of ``points`` along a Morton (Z) curve through their box; equal cells keep their order."""
    low = points.min(axis=0)
    extent = float((points.max(axis=0) - low).max())
    if not extent > 0:
        return np.arange(len(points))
    cells = ((points - low) * ((2**_BITS - 1) / extent)).astype(np.uint64)
    keys = _spread(cells[:, 0]) | (_spread(cells[:, 1]) << np.uint64(1)) | (_spread(cells[:, 2]) << np.uint64(2))
    return np.argsort(keys, kind="stable")


def _spread(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Each bit of a 16-bit number moved to every third place."""
    values = (values | (values << np.uint64(16))) & np.uint64(0x0000FF0000FF)
    values = (values | (values << np.uint64(8))) & np.uint64(0x00F00F00F00F)
    values = (values | (values << np.uint64(4))) & np.uint64(0x0C30C30C30C3)
    return (values | (values << np.uint64(2))) & np.uint64(0x249249249249)
