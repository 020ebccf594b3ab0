"""Solids by signed distance: the few primitives that machined and cast parts are built of.

Every function takes coordinate arrays of one shape and gives the signed distance (negative inside the material), exact
near the surface or a bound of it. float32 throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Distance = Callable[[Array, Array, Array], Array]


def rectangle(x: Array, y: Array, half_x: float | Array, half_y: float | Array, corner: float) -> Array:
    """A rectangle about the origin with rounded corners."""
    qx, qy = np.abs(x) - half_x + corner, np.abs(y) - half_y + corner
    outside = np.sqrt(np.maximum(qx, 0.0) ** 2 + np.maximum(qy, 0.0) ** 2)
    return np.asarray(outside + np.minimum(np.maximum(qx, qy), 0.0) - corner, np.float32)


def disc(x: Array, y: Array, radius: float | Array) -> Array:
    """A disc about the origin; of radius 0: the distance from the axis."""
    return np.asarray(np.sqrt(x * x + y * y) - radius, np.float32)


def extrude(profile: Array, along: Array, low: float, high: float, edge: float = 0.0) -> Array:
    """A profile drawn out from ``low`` to ``high``, its edges rounded by ``edge``."""
    a = profile + edge
    b = np.abs(along - 0.5 * (low + high)) - 0.5 * (high - low) + edge
    outside = np.sqrt(np.maximum(a, 0.0) ** 2 + np.maximum(b, 0.0) ** 2)
    return np.asarray(outside + np.minimum(np.maximum(a, b), 0.0) - edge, np.float32)


def join(a: Array, b: Array, fillet: float) -> Array:
    """Union with a smooth transition of about ``fillet``."""
    h = np.maximum(fillet - np.abs(a - b), 0.0)
    return np.asarray(np.minimum(a, b) - h * h / (4.0 * fillet), np.float32)


def cut(a: Array, tool: Array, round_edge: float = 0.5) -> Array:
    """``a`` without ``tool``; the new edge is broken by about ``round_edge``."""
    h = np.maximum(round_edge - np.abs(a + tool), 0.0)
    return np.asarray(np.maximum(a, -tool) + h * h / (4.0 * round_edge), np.float32)


def mirrored(x: Array, at: float) -> Array:
    """Coordinate relative to two places at once, ``+at`` and ``-at``."""
    return np.asarray(np.abs(x) - at, np.float32)


@dataclass(frozen=True, eq=False)
class Edge:
    """An edge where a burr can stand: dense points in order, and where the fin points to."""

    path: Array
    up: Array


@dataclass(frozen=True, eq=False)
class Corner:
    """A tip that can break off, and the direction from the material to it."""

    point: Array
    outward: Array


@dataclass(frozen=True)
class Pose:
    """How much the pose of a part varies between scans: yaw and tilt in degrees, shift in mm (all half ranges)."""

    yaw: float
    tilt: float
    shift: float


@dataclass(frozen=True, eq=False)
class Solid:
    """A part: its nominal surface, where it can burr and break, and how it lies under the scanner. mm."""

    name: str
    distance: Distance
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    edges: tuple[Edge, ...]
    corners: tuple[Corner, ...]
    pose: Pose


def line(start: tuple[float, float, float], end: tuple[float, float, float]) -> Array:
    """(M, 3) points along a straight edge, 0.25 mm apart."""
    a, b = np.asarray(start, np.float32), np.asarray(end, np.float32)
    count = max(2, int(np.linalg.norm(b - a) / 0.25))
    return (a + np.linspace(0, 1, count, dtype=np.float32)[:, None] * (b - a)).astype(np.float32)


def circle(center: tuple[float, float, float], radius: float, axis: int) -> Array:
    """(M, 3) points around a circular edge about a coordinate axis, 0.25 mm apart."""
    angle = np.linspace(0, 2 * np.pi, max(8, int(2 * np.pi * radius / 0.25)), endpoint=False, dtype=np.float32)
    points = np.tile(np.asarray(center, np.float32), (len(angle), 1))
    first, second = [i for i in range(3) if i != axis]
    points[:, first] += radius * np.cos(angle)
    points[:, second] += radius * np.sin(angle)
    return points


def edge(path: Array, *up: float) -> Edge:
    return Edge(path, np.asarray(up, np.float32) / np.float32(np.linalg.norm(up)))


def corner(point: tuple[float, float, float], outward: tuple[float, float, float]) -> Corner:
    direction = np.asarray(outward, np.float32)
    return Corner(np.asarray(point, np.float32), direction / np.linalg.norm(direction))
