"""A picture of the shape of an organised scan: how bright a lamp beside the sensor would make each pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LIGHT = np.array([-0.45, -0.55, 0.70], np.float32)  # from the upper left and the sensor: what rises seems to rise
_AMBIENT = 0.25


def relief(points: NDArray[np.float32], grid: NDArray[np.int32]) -> NDArray[np.float32]:
    """Brightness 0 to 1 of each pixel by Lambert's law, NaN where nothing was measured.

    Normals are cross products of the steps to the next pixels measured along a row and along a column; they are turned
    to the side that the sensor sees, which is taken for the side of most of them.

    Parameters
    ----------
    points : (N, 3) float32
    grid : (H, W) int32
        Index into ``points``, -1 where nothing was measured.

    Returns
    -------
    (H, W) float32
    """
    seen = grid >= 0
    cloud = np.full((*grid.shape, 3), np.nan, np.float32)
    cloud[seen] = points[grid[seen]]
    along, down = _steps(cloud, 1), _steps(cloud, 0)
    normals = np.cross(along, down)
    with np.errstate(invalid="ignore", divide="ignore"):
        normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    sides = np.nanmean(np.where(seen[..., None], normals, np.nan), axis=(0, 1)) if np.isfinite(normals).any() else None
    if sides is None:
        return np.where(seen, np.float32(1.0), np.float32(np.nan))
    facing = sides / max(float(np.linalg.norm(sides)), 1e-9)
    right = _mean_direction(along)
    lower = np.cross(facing, right)
    lamp = _LIGHT[0] * right + _LIGHT[1] * lower + _LIGHT[2] * facing
    bright = _AMBIENT + (1.0 - _AMBIENT) * np.clip(normals @ lamp / np.linalg.norm(lamp), 0.0, 1.0)
    bright = np.where(np.isfinite(bright), bright, _AMBIENT)  # a lone pixel has no normal
    return np.where(seen, bright, np.nan).astype(np.float32)


def _steps(cloud: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """(H, W, 3) difference of the next pixel and the one before along an axis; one-sided at borders and gaps."""
    ahead, behind = np.full_like(cloud, np.nan), np.full_like(cloud, np.nan)
    moved = np.diff(cloud, axis=axis)
    here: list[slice] = [slice(None)] * 3
    here[axis] = slice(None, -1)
    ahead[tuple(here)] = moved
    here[axis] = slice(1, None)
    behind[tuple(here)] = moved
    both = np.where(np.isfinite(ahead), ahead, 0.0) + np.where(np.isfinite(behind), behind, 0.0)
    return np.where(np.isfinite(ahead) | np.isfinite(behind), both, np.nan).astype(np.float32)


def _mean_direction(steps: NDArray[np.float32]) -> NDArray[np.float64]:
    mean = np.asarray(np.nanmean(steps, axis=(0, 1), dtype=np.float64))
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12))
