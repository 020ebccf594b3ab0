"""Points drawn evenly over surfaces that are given by formula.

Every function draws with a density proportional to area, from a numpy generator, so that the same seed gives the same
points. A closed solid also knows which points lie inside it, so that solids can be joined without inner walls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
_EDGE = 1e-12


def pick(rng: np.random.Generator, areas: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """Indices of ``count`` pieces, each drawn in proportion to its area.

    Parameters
    ----------
    areas : (n,) array
        Area of each piece, >= 0, with a positive sum.
    """
    total = np.cumsum(areas, dtype=np.float64)
    return np.searchsorted(total, rng.random(count) * total[-1], side="right").clip(0, len(areas) - 1)


def on_grid(rng: np.random.Generator, grid: NDArray[np.floating], count: int) -> Points:
    """Draw points on the surface that a grid of points spans.

    Parameters
    ----------
    grid : (U, V, 3) array
        Corners of (U - 1) x (V - 1) cells. A cell is drawn by its area, half the cross product of its diagonals, and a
        place in it by bilinear interpolation.
    """
    a, b, c, d = grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]
    areas = np.linalg.norm(np.cross(c - a, d - b), axis=-1).ravel()
    cells = pick(rng, areas, count)
    s, t = rng.random((2, count, 1))
    a, b, c, d = (corner.reshape(-1, 3)[cells] for corner in (a, b, c, d))
    return ((1 - s) * ((1 - t) * a + t * d) + s * ((1 - t) * b + t * c)).astype(np.float32)


def on_triangles(rng: np.random.Generator, triangles: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """Draw points on triangles (T, 3, D), evenly over their area; D is 2 or 3."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    chosen = pick(rng, triangle_areas(triangles), count)
    root, v = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
    return (1 - root) * a[chosen] + root * (1 - v) * b[chosen] + root * v * c[chosen]


def triangle_areas(triangles: NDArray[np.floating]) -> NDArray[np.float64]:
    """Areas of triangles (T, 3, D), D 2 or 3."""
    u, v = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    # Lagrange's identity, |u x v|^2 = |u|^2 |v|^2 - (u.v)^2, holds in the plane and in space alike.
    square = (u * u).sum(-1) * (v * v).sum(-1) - (u * v).sum(-1) ** 2
    return 0.5 * np.sqrt(np.maximum(square, 0.0))


def on_revolution(rng: np.random.Generator, profile: NDArray[np.floating], count: int) -> Points:
    """Draw points on the surface that a polyline sweeps when it turns about the z axis.

    Parameters
    ----------
    profile : (M, 2) array
        Radius >= 0 and height of each corner. A segment sweeps a conical band of area pi (r1 + r2) length, and the
        place along it is drawn with a density proportional to the radius there.
    """
    (r1, z1), (r2, z2) = profile[:-1].T, profile[1:].T
    chosen = pick(rng, (r1 + r2) * np.hypot(r2 - r1, z2 - z1), count)
    r1, r2, z1, z2 = r1[chosen], r2[chosen], z1[chosen], z2[chosen]
    u, angle = rng.random(count), rng.random(count) * 2 * np.pi
    # Inverse of the share of a cone's area: r(t)^2 = r1^2 + u (r2^2 - r1^2).
    difference = r2 - r1
    straight = np.abs(difference) < 1e-6
    radius = np.sqrt(r1**2 + u * (r2**2 - r1**2))
    t = np.where(straight, u, (radius - r1) / np.where(straight, 1.0, difference))
    radius = r1 + t * difference
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z1 + t * (z2 - z1)], 1).astype(np.float32)


@dataclass(frozen=True)
class Profile:
    """An area in the plane: its closed outline and triangles that fill it.

    Attributes
    ----------
    outline : (M, 2) array
        Corners in order; the last joins the first.
    triangles : (T, 3, 2) array
        They cover the area once.
    """

    outline: NDArray[np.float64]
    triangles: NDArray[np.float64]

    @classmethod
    def star(cls, outline: NDArray[np.floating]) -> Profile:
        """The area of an outline that the origin sees whole."""
        corners = np.asarray(outline, np.float64)
        following = np.roll(corners, -1, axis=0)
        return cls(corners, np.stack([np.zeros_like(corners), corners, following], 1))

    @classmethod
    def rectangles(cls, outline: Sequence[tuple[float, float]], boxes: NDArray[np.floating]) -> Profile:
        """The area of boxes (B, 4) that do not overlap, each x0, y0, x1, y1, with the outline of their union."""
        x0, y0, x1, y1 = boxes.T
        corners = np.stack([x0, y0, x1, y0, x1, y1, x0, y1], 1).reshape(-1, 4, 2)
        return cls(np.asarray(outline, np.float64), np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]]))

    def contains(self, points: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Which of the points (n, 2) lie inside, by the crossing rule."""
        x, y = points[:, :1], points[:, 1:]
        (x1, y1), (x2, y2) = self.outline.T, np.roll(self.outline, -1, axis=0).T
        crosses = (y1 > y) != (y2 > y)
        rise = np.where(np.abs(y2 - y1) < _EDGE, 1.0, y2 - y1)
        return ((crosses & (x < (x2 - x1) * (y - y1) / rise + x1)).sum(1) % 2).astype(bool)


def on_extrusion(
    rng: np.random.Generator,
    profile: Profile,
    height: float,
    count: int,
    holes: Sequence[tuple[float, float, float]] = (),
    caps: bool = True,
) -> Points:
    """Draw points on a profile drawn out along z, from -height / 2 to height / 2.

    Parameters
    ----------
    holes : sequence of (x, y, radius)
        Round holes through the solid; those that do not lie wholly inside the profile, or that meet an earlier one, are
        left out.
    caps : bool
        Whether both ends are closed.
    """
    kept: list[tuple[float, float, float]] = []
    ring = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    for x, y, radius in holes:
        rim = np.stack([x + 1.1 * radius * np.cos(ring), y + 1.1 * radius * np.sin(ring)], 1)
        apart = all(np.hypot(x - a, y - b) > 1.1 * (radius + c) for a, b, c in kept)
        if apart and profile.contains(rim).all():
            kept.append((x, y, radius))
    start, end = profile.outline, np.roll(profile.outline, -1, axis=0)
    lengths = np.linalg.norm(end - start, axis=1)
    walls = [lengths.sum() * height] + [2 * np.pi * radius * height for _, _, radius in kept]
    cap_area = triangle_areas(profile.triangles).sum() if caps else 0.0
    share = rng.multinomial(count, np.array([*walls, 2 * cap_area]) / (sum(walls) + 2 * cap_area))

    edge, t = pick(rng, lengths, share[0]), rng.random((share[0], 1))
    flat = [start[edge] + t * (end[edge] - start[edge])]
    for (x, y, radius), number in zip(kept, share[1:-1], strict=True):
        angle = rng.random(number) * 2 * np.pi
        flat.append(np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], 1))
    side = np.concatenate(flat)
    side = np.column_stack([side, (rng.random(len(side)) - 0.5) * height])
    cap = on_triangles(rng, profile.triangles, share[-1])
    for x, y, radius in kept:
        cap = cap[np.hypot(cap[:, 0] - x, cap[:, 1] - y) > radius]
    cap = np.column_stack([cap, np.where(rng.random(len(cap)) < 0.5, -height / 2, height / 2)])
    return np.concatenate([side, cap]).astype(np.float32)


@dataclass(frozen=True)
class Solid:
    """A box, cylinder, frustum, ball or torus at some place, in some pose.

    Attributes
    ----------
    kind : str
        ``box``, ``frustum`` (a cylinder where both radii are equal), ``ball`` or ``torus``.
    size : tuple of 3 float
        Box: half extents. Frustum: radius below, radius above, half height. Ball: radius, unused, unused.
        Torus: radius of the ring, of the tube, unused.
    rotation : (3, 3) array
    center : (3,) array
    """

    kind: str
    size: tuple[float, float, float]
    rotation: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    center: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))

    @property
    def area(self) -> float:
        a, b, c = self.size
        if self.kind == "box":
            return 8 * (a * b + b * c + c * a)
        if self.kind == "frustum":
            return float(np.pi * (a**2 + b**2 + (a + b) * np.hypot(a - b, 2 * c)))
        return float(4 * np.pi * a**2 if self.kind == "ball" else 4 * np.pi**2 * a * b)

    def sample(self, rng: np.random.Generator, count: int) -> Points:
        """Points (count, 3) drawn evenly over the surface."""
        return (self._local(rng, count) @ self.rotation.T + self.center).astype(np.float32)

    def _local(self, rng: np.random.Generator, count: int) -> NDArray[np.floating]:
        a, b, c = self.size
        if self.kind == "box":
            axis = pick(rng, np.array([b * c, c * a, a * b]), count)
            unit = rng.random((count, 3)) * 2 - 1
            unit[np.arange(count), axis] = np.where(rng.random(count) < 0.5, -1.0, 1.0)
            return unit * np.array(self.size)
        if self.kind == "frustum":
            return on_revolution(rng, np.array([[0.0, -c], [a, -c], [b, c], [0.0, c]]), count)
        if self.kind == "ball":
            direction = rng.normal(size=(count, 3))
            return a * direction / np.linalg.norm(direction, axis=1, keepdims=True)
        tube = np.linspace(0, 2 * np.pi, 33)
        return on_revolution(rng, np.stack([a + b * np.cos(tube), b * np.sin(tube)], 1), count)

    def inside(self, points: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Which of the points (n, 3) lie strictly inside."""
        x, y, z = ((points - self.center) @ self.rotation).T
        a, b, c = self.size
        if self.kind == "box":
            return (np.abs(x) < a) & (np.abs(y) < b) & (np.abs(z) < c)
        if self.kind == "frustum":
            radius = a + (b - a) * (z + c) / (2 * c)
            return (np.abs(z) < c) & (x * x + y * y < np.maximum(radius, 0) ** 2)
        if self.kind == "ball":
            return x * x + y * y + z * z < a * a
        return (np.hypot(x, y) - a) ** 2 + z * z < b * b


def on_union(rng: np.random.Generator, solids: Sequence[Solid], count: int) -> Points:
    """Draw points on the joined surface of solids; the walls inside another solid are left out.

    Returns
    -------
    (n, 3) array
        n <= count: what lay inside was dropped.
    """
    areas = np.array([solid.area for solid in solids])
    share = rng.multinomial(count, areas / areas.sum())
    pieces = []
    for i, (solid, number) in enumerate(zip(solids, share, strict=True)):
        points = solid.sample(rng, number)
        hidden = np.zeros(len(points), bool)
        for j, other in enumerate(solids):
            if j != i:
                hidden |= other.inside(points)
        pieces.append(points[~hidden])
    return np.concatenate(pieces)


def random_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """A rotation (3, 3) drawn evenly from all rotations (a random unit quaternion)."""
    w, x, y, z = (q := rng.normal(size=4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
