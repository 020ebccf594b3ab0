"""Iterative closest points, robust, and the same on every run.

Point-to-plane (Chen & Medioni 1992) with Tukey's weights, and a small share of point-to-point, so that a flat part does
not slide along itself. Plain NumPy: open3d's sums run over threads in an order that changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Array = NDArray[np.float64]

_POINT_SHARE = 0.1
"""Weight of the point-to-point residual beside the point-to-plane one."""


_THREAD_FROM = 4_000
"""Fewer queries than this are answered sooner than a second thread starts."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Points with normals and a tree to search them.

    Attributes
    ----------
    points, normals : (N, 3) float64
        Normals of any sign.
    tree : cKDTree
    """

    points: Array
    normals: Array
    tree: cKDTree

    @classmethod
    def of(cls, points: NDArray[np.floating], normals: NDArray[np.floating]) -> Surface:
        """From points and normals."""
        exact = np.asarray(points, np.float64)
        return cls(exact, np.asarray(normals, np.float64), cKDTree(exact))

    def nearest(self, points: Array, reach: float) -> tuple[Array, NDArray[np.int64]]:
        """(N,) distance and index of the point nearest to each of ``points``; infinite and out of range if beyond."""
        workers = -1 if len(points) >= _THREAD_FROM else 1
        distances, found = self.tree.query(points, distance_upper_bound=reach, workers=workers)
        return distances, found


def moved(points: Array, transform: Array) -> Array:
    """(N, 3) ``points`` under a (4, 4) ``transform``."""
    result: Array = points @ transform[:3, :3].T + transform[:3, 3]
    return result


def rigid(rotation: Array, translation: Array) -> Array:
    """(..., 4, 4) from (..., 3, 3) and (..., 3)."""
    result = np.zeros((*rotation.shape[:-2], 4, 4))
    result[..., :3, :3], result[..., :3, 3], result[..., 3, 3] = rotation, translation, 1.0
    return result


def refine(source: Array, target: Surface, transform: Array, reach: float, steps: int, tolerance: float) -> Array:
    """``transform`` improved by up to ``steps`` Gauss-Newton steps.

    Parameters
    ----------
    source : (N, 3) float64
    target : Surface
    transform : (4, 4) float64
        Start.
    reach : float
        Pairs farther apart than this have no weight.
    steps : int
    tolerance : float
        Stop when no point moves farther than this in a step.

    Returns
    -------
    (4, 4) float64
    """
    for _ in range(steps):
        placed = moved(source, transform)
        distances, found = target.nearest(placed, reach)
        near = np.isfinite(distances)
        if near.sum() < 6:
            return transform
        step = _gauss_newton(placed[near], target.points[found[near]], target.normals[found[near]], reach)
        transform = step @ transform
        if np.abs(moved(placed[near], step) - placed[near]).max() < tolerance:
            break
    return transform


def _gauss_newton(points: Array, goals: Array, normals: Array, reach: float) -> Array:
    """One step: the small motion that brings ``points`` to the planes of ``goals``, linearised about their centre."""
    center = points.mean(axis=0)
    arms = points - center
    scale = np.sqrt(np.square(arms).sum(axis=1).mean()) or 1.0  # radians and lengths of one size: well conditioned
    arms = arms / scale
    gaps = goals - points
    weights = np.square(1.0 - np.minimum(np.square(gaps).sum(axis=1) / reach**2, 1.0))
    along = np.einsum("ij,ij->i", gaps, normals)
    rows = np.concatenate([np.cross(arms, normals), normals], axis=1)
    normal_matrix = (rows * weights[:, None]).T @ rows
    right = (rows * weights[:, None]).T @ along
    share = _POINT_SHARE * weights
    total = share.sum()
    moment = (arms * share[:, None]).sum(axis=0)
    spread = (arms * share[:, None]).T @ arms
    skew = np.array([[0, -moment[2], moment[1]], [moment[2], 0, -moment[0]], [-moment[1], moment[0], 0]])
    normal_matrix[:3, :3] += np.trace(spread) * np.eye(3) - spread
    normal_matrix[:3, 3:] += skew
    normal_matrix[3:, :3] += skew.T
    normal_matrix[3:, 3:] += total * np.eye(3)
    right[:3] += (np.cross(arms, gaps) * share[:, None]).sum(axis=0)
    right[3:] += (gaps * share[:, None]).sum(axis=0)
    solution = np.linalg.lstsq(normal_matrix, right, rcond=1e-10)[0]
    rotation = rotation_of(solution[:3] / scale)
    return rigid(rotation, center + solution[3:] - rotation @ center)


def rotation_of(vector: Array) -> Array:
    """(3, 3) rotation about ``vector`` by its length in radians (Rodrigues)."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-300:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)
