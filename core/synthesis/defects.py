"""Made defects on geometry: bulge, dent, scratch, hole, burr and break, each with the mask of what it changed.

A defect that moves a surface along its normal is a *field*: a function of points that gives the signed displacement
(outward positive). Fields act on clouds (``displaced``), on height images and on implicit surfaces alike. What is
labelled is what moved by more than a threshold, so that ground truth never names points that noise hides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Field = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(N, 3) points to (N,) signed displacement along the outward normal, in the points' unit."""


@dataclass(frozen=True, eq=False)
class Site:
    """A place on a surface: where a defect sits and how it is turned.

    Attributes
    ----------
    center, normal, tangent : (3,) float32
        ``normal`` points out of the material, ``tangent`` along the surface; both unit and orthogonal.
    """

    center: NDArray[np.float32]
    normal: NDArray[np.float32]
    tangent: NDArray[np.float32]

    @classmethod
    def at(cls, center: ArrayLike, normal: ArrayLike, turn: float = 0.0) -> Self:
        """The site at ``center`` whose tangent is turned by ``turn`` radians about ``normal``."""
        up = np.asarray(normal, dtype=np.float64)
        up = up / np.linalg.norm(up)
        helper = np.eye(3)[np.argmin(np.abs(up))]
        first = np.cross(up, helper)
        first /= np.linalg.norm(first)
        tangent = np.cos(turn) * first + np.sin(turn) * np.cross(up, first)
        return cls(*(np.asarray(a, dtype=np.float32) for a in (center, up, tangent)))

    def local(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 3) coordinates along the tangent, across it, and along the normal."""
        axes = np.stack([self.tangent, np.cross(self.normal, self.tangent), self.normal])
        return np.asarray((points - self.center) @ axes.T, dtype=np.float32)


def _window(height: NDArray[np.float32], reach: float) -> NDArray[np.float32]:
    """1 within half of ``reach`` of the site's tangent plane, 0 beyond it: what lies behind the wall stays."""
    t = np.clip(2.0 - 2.0 * np.abs(height) / reach, 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float32)


def bulge(site: Site, radius: float, height: float, *, elongation: float = 1.0, reach: float = 5.0) -> Field:
    """A smooth bump ``height (1 - q²)²`` with ``q`` the distance over ``radius``, stretched along the tangent.

    Parameters
    ----------
    radius, height, reach : float
        In the points' unit; a negative ``height`` makes a dent. ``reach``: how far from the tangent plane it acts.
    elongation : float
        Length over width.
    """

    def field(points: NDArray[np.float32]) -> NDArray[np.float32]:
        u, v, w = site.local(points).T
        q = np.minimum(((u / elongation) ** 2 + v**2) / radius**2, 1.0)
        return np.asarray(height * (1.0 - q) ** 2 * _window(w, reach), dtype=np.float32)

    return field


def dent(site: Site, radius: float, depth: float, *, elongation: float = 1.0, reach: float = 5.0) -> Field:
    """A smooth hollow of ``depth``: the negative of ``bulge``."""
    return bulge(site, radius, -depth, elongation=elongation, reach=reach)


def scratch(site: Site, length: float, width: float, depth: float, *, bend: float = 0.0, reach: float = 5.0) -> Field:
    """A groove along the tangent, deepest in the middle and running out at both ends.

    Parameters
    ----------
    length, width, depth : float
        In the points' unit; ``width`` is the full width at the surface.
    bend : float
        Sideways deviation of the middle from the straight line between the ends.
    """

    def field(points: NDArray[np.float32]) -> NDArray[np.float32]:
        u, v, w = site.local(points).T
        along = np.clip(2.0 * np.abs(u) / length, 0.0, 1.0)
        across = np.abs(v - bend * (1.0 - along**2)) / (0.5 * width)
        profile = np.clip(1.0 - across**2, 0.0, 1.0) * (1.0 - along**4)
        return np.asarray(-depth * profile * _window(w, reach), dtype=np.float32)

    return field


def hole(site: Site, radius: float, depth: float, *, wall: float = 0.3, reach: float = 5.0) -> Field:
    """A steep-walled pit: full ``depth`` inside ``radius - wall``, running out to zero at ``radius``."""

    def field(points: NDArray[np.float32]) -> NDArray[np.float32]:
        u, v, w = site.local(points).T
        t = np.clip((radius - np.hypot(u, v)) / wall, 0.0, 1.0)
        return np.asarray(-depth * t * _window(w, reach), dtype=np.float32)

    return field


def burr(
    path: NDArray[np.float32], up: ArrayLike, height: float, width: float, *, seed: int = 0, reach: float = 5.0
) -> Field:
    """A ragged fin that stands along an edge.

    Parameters
    ----------
    path : (M, 3) float32
        Dense points of the edge, in order.
    up : (3,)
        Where the fin points to.
    height, width : float
        Highest height and full width at the foot, in the points' unit.
    seed : int
        Of the raggedness.
    """
    direction = np.asarray(up, dtype=np.float32)
    heights = height * ragged(len(path), seed)

    def field(points: NDArray[np.float32]) -> NDArray[np.float32]:
        lateral, raised, nearest = across_path(points, path, direction)
        profile = np.clip(1.0 - 2.0 * lateral / width, 0.0, 1.0)
        return np.asarray(heights[nearest] * profile * _window(raised, reach), dtype=np.float32)

    return field


def ragged(count: int, seed: int) -> NDArray[np.float32]:
    """(count,) heights in 0..1 of a torn edge: 0 at both ends, uneven between, highest 1."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0.0, 1.0, count)
    waves = sum(rng.uniform(0.1, 0.5) / k * np.sin(2 * np.pi * (k * 1.5 * t + rng.random())) for k in range(1, 6))
    profile = np.clip(np.sin(np.pi * t), 0, 1) ** 0.4 * np.clip(0.7 + waves, 0.15, None)
    return np.asarray(profile / profile.max(), dtype=np.float32)


def across_path(
    points: NDArray[np.float32], path: NDArray[np.float32], up: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Where points lie about a path: distance to it across ``up``, height above it along ``up``, nearest path index.

    Returns
    -------
    lateral (N,), raised (N,), nearest (N,)
    """
    flat_path = path - np.outer(path @ up, up)
    flat = points - np.outer(points @ up, up)
    squared = (flat**2).sum(1)[:, None] + (flat_path**2).sum(1)[None] - 2.0 * flat @ flat_path.T
    nearest = squared.argmin(axis=1)
    difference = flat - flat_path[nearest]
    return np.linalg.norm(difference, axis=1), (points - path[nearest]) @ up, nearest


def roughness(points: NDArray[np.float32], amplitude: float, wavelength: float, seed: int) -> NDArray[np.float32]:
    """(N,) a smooth random field of space with about this ``amplitude``: the grain of a fracture."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(6, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    scales = 2 * np.pi / (wavelength * np.array([1.6, 1.2, 1.0, 0.8, 0.6, 0.45]))
    weights = amplitude * np.array([0.45, 0.4, 0.35, 0.3, 0.25, 0.2])
    phase = points @ (directions * scales[:, None]).T.astype(np.float32) + rng.uniform(0, 2 * np.pi, 6)
    return np.asarray(np.sin(phase) @ weights, dtype=np.float32)


def displaced(
    points: NDArray[np.float32], normals: NDArray[np.float32], field: Field, *, threshold: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A cloud with a defect.

    Parameters
    ----------
    points, normals : (N, 3) float32
        Normals are unit and point out of the material.
    threshold : float
        A point that moved by more is labelled; choose it above the sensor's noise.

    Returns
    -------
    points (N, 3) float32, mask (N,) bool
    """
    moved = field(points)
    return (points + moved[:, None] * normals).astype(np.float32), np.abs(moved) > threshold


def broken(
    points: NDArray[np.float32],
    corner: ArrayLike,
    outward: ArrayLike,
    depth: float,
    *,
    threshold: float,
    grain: float = 0.3,
    seed: int = 0,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A cloud with a piece broken off: what lay beyond a rough plane now lies on it, as the fracture surface.

    Parameters
    ----------
    points : (N, 3) float32
    corner, outward : (3,)
        The tip of the piece, and the direction from the material to the tip.
    depth : float
        Distance of the fracture from the tip, along ``outward``.
    grain : float
        Height of the fracture's roughness, in the points' unit.

    Returns
    -------
    points (N, 3) float32, mask (N,) bool
    """
    direction = np.asarray(outward, dtype=np.float32)
    direction = direction / np.linalg.norm(direction)
    beyond = (points - np.asarray(corner, dtype=np.float32)) @ direction + depth
    beyond = np.maximum(beyond + roughness(points, grain, 6.0, seed) * (beyond > 0), 0.0)
    return (points - beyond[:, None] * direction).astype(np.float32), beyond > threshold
