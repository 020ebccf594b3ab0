"""Points on the surface of a solid: evenly drawn in a thin shell about it, then brought onto it by Newton steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Level = Callable[[Array], Array]
"""(N, 3) points to (N,) signed distance (or a function with the same zero set and about unit slope)."""

_CORNERS = np.array([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]], np.float32)
_CHUNK = 100_000


def in_chunks(level: Level, points: Array) -> Array:
    """``level`` of many points with little memory and good use of the cache."""
    if len(points) <= _CHUNK:
        return np.asarray(level(points), np.float32)
    return np.concatenate(
        [np.asarray(level(points[i : i + _CHUNK]), np.float32) for i in range(0, len(points), _CHUNK)]
    )


def gradients(level: Level, points: Array, step: float = 0.02) -> Array:
    """(N, 3) gradient by differences over a tetrahedron (four evaluations)."""
    total = np.zeros_like(points)
    for direction in _CORNERS:
        total += in_chunks(level, points + step * direction)[:, None] * direction
    return total / (4.0 * step)


def sample(
    level: Level, low: Array, high: Array, density: float, rng: np.random.Generator, *, shell: float = 0.2
) -> tuple[Array, Array]:
    """Points evenly spread over the surface inside a box.

    Parameters
    ----------
    low, high : (3,) float32
        The box, in mm.
    density : float
        Points per square mm.
    shell : float
        Half thickness of the shell in which points are drawn; thin, so that sharp edges gather few extra points.

    Returns
    -------
    points (N, 3), normals (N, 3)
    """
    cells, size = _cells_at_surface(level, np.asarray(low, np.float32), np.asarray(high, np.float32))
    expected = len(cells) * size**3 * density / (2.0 * shell)
    pick = rng.integers(len(cells), size=int(expected))
    drawn = (cells[pick] + size * (rng.random((len(pick), 3), dtype=np.float32) - 0.5)).astype(np.float32)
    distance = in_chunks(level, drawn)
    near = np.abs(distance) < shell
    points, distance = drawn[near], distance[near]
    for _ in range(2):
        slope = gradients(level, points)
        points = points - (distance / np.maximum((slope**2).sum(1), 0.25))[:, None] * slope
        distance = in_chunks(level, points)
    normals = gradients(level, points)
    length = np.linalg.norm(normals, axis=1)
    good = (np.abs(distance) < 0.03) & (length > 0.3)
    return points[good], normals[good] / length[good, None]


def _cells_at_surface(level: Level, low: Array, high: Array) -> tuple[Array, float]:
    """Centres of the fine cells that the surface can cross, and their size: coarse cells first, then each divided."""
    coarse = 4.0
    counts = np.maximum(np.ceil((high - low) / coarse).astype(int), 1)
    axes = [low[i] + coarse * (np.arange(counts[i]) + 0.5) for i in range(3)]
    centers = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float32)
    size = coarse
    for _ in range(2):
        centers = centers[np.abs(in_chunks(level, centers)) < size * 1.1]  # half a diagonal is 0.87
        size /= 2
        offsets = (np.stack(np.meshgrid(*[[-0.5, 0.5]] * 3), axis=-1).reshape(-1, 3) * size).astype(np.float32)
        centers = (centers[:, None] + offsets).reshape(-1, 3)
    return centers[np.abs(in_chunks(level, centers)) < size * 1.1], size
