"""Which point is under the cursor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.viewer.camera import Projection

REACH = 7.0  # pixels


def pick(
    points: NDArray[np.float32],
    projection: Projection,
    x: float,
    y: float,
    *,
    eye: NDArray[np.float64],
    reach: float = REACH,
) -> int:
    """Index of the visible point nearest to the pixel (x, y), or -1.

    Of the points within ``reach`` pixels those lying on the foremost surface are taken, and of these the one nearest
    to the cursor. A surface seen at a slant may be deeper on one side of the cursor than on the other by a few
    times the width of the reach; what lies further behind is hidden.

    Parameters
    ----------
    points : (n, 3) float32
    eye : (3,)
        Where the camera is.
    """
    near = _within(points, projection, x, y, reach)
    if not len(near):
        return -1
    candidates = points[near].astype(np.float64)
    pixels, _ = projection(points[near])
    away = np.hypot(pixels[:, 0] - x, pixels[:, 1] - y)
    axis = projection.matrix[3, :3]  # the row that makes w: along the line of sight, zero in a parallel view
    if np.linalg.norm(axis) < 1e-12:
        axis = projection.matrix[2, :3]
    depth = (candidates - eye) @ (axis / np.linalg.norm(axis))
    front = depth.min()
    one_pixel = 2.0 / (np.linalg.norm(projection.matrix[1, :3]) * projection.height)  # world units at w = 1
    w = projection.matrix[3] @ np.append(candidates[depth.argmin()], 1.0)
    slant = 4.0 * reach * one_pixel * abs(float(w))
    away[depth > front + slant] = np.inf
    return int(near[away.argmin()])


def _within(
    points: NDArray[np.float32], projection: Projection, x: float, y: float, reach: float, chunk: int = 250_000
) -> NDArray[np.int64]:
    """Indices of the points whose pixels lie within ``reach`` of (x, y).

    A pixel condition |u / w - a| <= r on clip coordinates u, w with w > 0 is |u - a w| <= r w: one product of the
    points with a (4, 3) matrix answers it for all of them, without a division.
    """
    rows = projection.matrix
    half = 0.5 * projection.width, 0.5 * projection.height
    across = rows[0] - (x / half[0] - 1.0) * rows[3]
    upward = rows[1] - (1.0 - y / half[1]) * rows[3]
    product = np.stack([across * half[0], upward * half[1], rows[3]])  # offsets in pixels, times w
    linear, constant = product[:, :3].T.astype(np.float32), product[:, 3].astype(np.float32)
    found = []
    for start in range(0, len(points), chunk):  # whole scans at once would need 100 MB of intermediate arrays
        part = points[start : start + chunk] @ linear
        part += constant
        w = part[:, 2]
        bound = reach * w
        near = np.flatnonzero((np.abs(part[:, 0]) <= bound) & (np.abs(part[:, 1]) <= bound) & (w > 0))
        keep = np.hypot(part[near, 0], part[near, 1]) <= bound[near]
        found.append(near[keep] + start)
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)
