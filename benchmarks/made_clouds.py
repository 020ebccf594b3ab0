"""What operations are timed on: clouds and scans made by formula, the same on every machine."""

from __future__ import annotations

import numpy as np

from core.scan import Scan


def part(count: int, seed: int = 0) -> np.ndarray:
    """A bumpy ellipsoid of about 100 mm in no order: the worst case for searches."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((count, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    bumps = 1 + 0.1 * np.sin(7 * points[:, :1]) * np.cos(5 * points[:, 1:2]) + 0.1 * points[:, 2:] ** 3
    return (points * bumps * np.array([50, 35, 25])).astype(np.float32)


def table_scan(side: int) -> Scan:
    """An organised scan of a dome on a table."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((side, side)) * (100 / side)
    dome = 625 - (rows - 50) ** 2 - (columns - 45) ** 2
    depth = np.where(dome > 0, np.sqrt(np.maximum(dome, 0)) + 3, 0) + rng.normal(0, 0.1, rows.shape)
    grid = np.arange(side * side, dtype=np.int32).reshape(side, side)
    return Scan(np.stack([columns, rows, depth], axis=2).reshape(-1, 3).astype(np.float32), grid=grid)


def turned(points: np.ndarray) -> np.ndarray:
    """The points in another pose, the same every time."""
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    turn[:, 0] *= np.sign(np.linalg.det(turn))
    return (points @ turn.T).astype(np.float32)
