"""Where the view looks from: standard views, framing, flights, and the way from points to pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.scan import Scan

VIEW_ANGLE = 30.0  # degrees, vertical

# Direction from the part to the eye, and what is up. Front looks along +Y, as drawings of parts do.
STANDARD_VIEWS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "front": ((0, -1, 0), (0, 0, 1)),
    "back": ((0, 1, 0), (0, 0, 1)),
    "left": ((-1, 0, 0), (0, 0, 1)),
    "right": ((1, 0, 0), (0, 0, 1)),
    "top": ((0, 0, 1), (0, 1, 0)),
    "bottom": ((0, 0, -1), (0, 1, 0)),
    "iso": ((0.62, -0.78, 0.62), (0, 0, 1)),
}

Vector = NDArray[np.float64]


def unit(vector: Any) -> Vector:
    """``vector`` (3,) scaled to length 1."""
    array = np.asarray(vector, dtype=np.float64)
    return array / max(float(np.linalg.norm(array)), 1e-12)


@dataclass(frozen=True, eq=False)
class Pose:
    """A camera: it looks at ``focal`` from ``distance`` along ``direction`` (from the focal point to the eye)."""

    focal: Vector
    direction: Vector
    up: Vector
    distance: float

    @property
    def eye(self) -> Vector:
        return self.focal + self.direction * self.distance

    def axes(self) -> tuple[Vector, Vector, Vector]:
        """Right, up and backward of the picture, in the world."""
        right = np.cross(self.up, self.direction)
        if np.linalg.norm(right) < 1e-6:  # looking along up
            right = np.cross([0.0, 1.0, 0.0] if abs(self.direction[1]) < 0.9 else [1.0, 0.0, 0.0], self.direction)
        right = unit(right)
        return right, np.cross(self.direction, right), self.direction

    def towards(self, other: Pose, share: float) -> Pose:
        """The pose at ``share`` (0..1) of the flight from here to ``other``: turning evenly, zooming evenly."""
        direction = unit((1 - share) * self.direction + share * other.direction + 1e-9)
        cosine = float(np.clip(self.direction @ other.direction, -1.0, 1.0))
        angle = np.arccos(cosine)
        if 1e-3 < angle < np.pi - 1e-3:
            direction = (
                np.sin((1 - share) * angle) * self.direction + np.sin(share * angle) * other.direction
            ) / np.sin(angle)
        elif angle >= np.pi - 1e-3:  # opposite views: turn about up
            turn = share * np.pi
            direction = np.cos(turn) * self.direction + np.sin(turn) * self.axes()[0]
        return Pose(
            focal=(1 - share) * self.focal + share * other.focal,
            direction=unit(direction),
            up=unit((1 - share) * self.up + share * other.up + 1e-9),
            distance=float(self.distance ** (1 - share) * other.distance**share),
        )


def read_pose(camera: Any) -> Pose:
    """The pose of a vtkCamera."""
    focal, eye = np.array(camera.GetFocalPoint()), np.array(camera.GetPosition())
    distance = max(float(np.linalg.norm(eye - focal)), 1e-9)
    return Pose(focal, (eye - focal) / distance, unit(camera.GetViewUp()), distance)


def apply_pose(camera: Any, pose: Pose) -> None:
    """Put a vtkCamera at ``pose``. A parallel view shows the same width at the focal point as a perspective one."""
    camera.SetFocalPoint(*pose.focal)
    camera.SetPosition(*pose.eye)
    camera.SetViewUp(*pose.axes()[1])
    camera.SetViewAngle(VIEW_ANGLE)
    camera.SetParallelScale(pose.distance * np.tan(np.radians(VIEW_ANGLE / 2)))


def framing(points: NDArray[np.float32], pose: Pose, aspect: float, *, margin: float = 1.08) -> Pose:
    """``pose`` moved so that ``points``, (n, 3), fill the picture.

    Parameters
    ----------
    aspect : float
        Width over height of the part of the picture that may be filled.
    """
    right, up, back = pose.axes()
    centre = (points.min(axis=0).astype(np.float64) + points.max(axis=0)) / 2
    basis = np.stack([right, up, back], axis=1)
    local = (points.astype(np.float64) - centre) @ basis
    middle = (local.min(axis=0) + local.max(axis=0)) / 2
    middle[2] = 0.0
    local -= middle
    tangent = np.tan(np.radians(VIEW_ANGLE / 2))
    needed = np.maximum(np.abs(local[:, 0]) / (tangent * aspect), np.abs(local[:, 1]) / tangent) + local[:, 2]
    distance = max(float(needed.max()) * margin, float(np.ptp(local, axis=0).max()) * 0.05, 1e-6)
    return Pose(centre + basis @ middle, pose.direction, pose.up, distance)


def first_view(scan: Scan) -> tuple[Vector, Vector]:
    """Direction to the eye and up for a part that is seen for the first time.

    An organised scan is seen as its sensor saw it, tilted so that relief shows; others in isometric view.
    """
    direction, up = STANDARD_VIEWS["iso"]
    if scan.grid is None:
        return unit(direction), unit(up)
    rows, columns = np.nonzero(scan.grid >= 0)
    step = max(1, len(rows) // 5_000)
    rows, columns = rows[::step], columns[::step]
    design = np.stack([columns, rows, np.ones(len(rows))], axis=1).astype(np.float64)
    slopes = np.linalg.lstsq(design, scan.points[scan.grid[rows, columns]].astype(np.float64), rcond=None)[0]
    if min(np.linalg.norm(slopes[0]), np.linalg.norm(slopes[1])) < 1e-12:
        return unit(direction), unit(up)
    right, down = unit(slopes[0]), unit(slopes[1])
    backward = unit(-np.cross(right, down))
    return unit(backward + 0.45 * down), -down


def facing(points: NDArray[np.float32], centre: Vector, size: float, present: Vector) -> Vector:
    """A direction to an eye that sees the surface at ``centre``: the present one if it serves, else turned to it.

    Parameters
    ----------
    points : (n, 3) float32
        The part, or a sample of it.
    centre : (3,) float64
    size : float
        Of what is to be seen.
    present : (3,) float64
        The direction that the view has now.
    """
    offsets = points.astype(np.float64) - centre
    away = np.linalg.norm(offsets, axis=1)
    radius = max(0.6 * size, 0.03 * float(np.linalg.norm(np.ptp(offsets, axis=0))))
    around = offsets[away < radius]
    if len(around) < 10:
        return present
    # the surface's normal is the direction in which the points around vary least
    normal = np.linalg.svd(around - around.mean(axis=0), full_matrices=False)[2][2]
    normal = normal if normal @ present >= 0 else -normal
    sides = [present]
    for side in (normal, -normal):
        lateral = unit(present - (present @ side) * side + 1e-6)
        sides += [unit(side + lean * lateral) for lean in (0.5, 0.0, -0.5)]
    outside = offsets[away > radius]

    def cost(direction: Vector) -> float:
        along = outside @ direction
        beside = np.linalg.norm(outside - along[:, None] * direction, axis=1)
        covered = np.count_nonzero((along > 0) & (beside < 0.5 * radius)) / len(around)
        slanted = max(0.0, 0.45 - abs(float(normal @ direction)))
        return 4.0 * min(covered, 1.0) + 2.0 * slanted + 0.2 * float(1.0 - direction @ present)

    return min(sides, key=cost)


@dataclass(frozen=True, eq=False)
class Projection:
    """From the world to the picture, in the widget's pixels.

    Attributes
    ----------
    matrix : (4, 4) float64
        World to clip space.
    width, height : float
    """

    matrix: NDArray[np.float64]
    width: float
    height: float

    @classmethod
    def of(cls, camera: Any, width: float, height: float) -> Projection:
        """The projection of a vtkCamera into a picture of this size."""
        matrix = camera.GetCompositeProjectionTransformMatrix(width / max(height, 1.0), -1.0, 1.0)
        return cls(np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)]), width, height)

    def __call__(self, points: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Pixels (n, 2) and depths (n,) of ``points``, (n, 3).

        Depth grows away from the eye, -1..1 between the clipping planes. Points behind the eye lie at NaN.
        """
        m = self.matrix.astype(np.float32)
        points = np.asarray(points, dtype=np.float32)
        clip = points @ m[:, :3].T + m[:, 3]
        w = np.where(clip[:, 3] > 0, clip[:, 3], np.float32(np.nan))
        pixels = np.empty((len(points), 2), dtype=np.float32)
        pixels[:, 0] = (clip[:, 0] / w + 1.0) * (0.5 * self.width)
        pixels[:, 1] = (1.0 - clip[:, 1] / w) * (0.5 * self.height)
        return pixels, (clip[:, 2] / w).astype(np.float32)


def pixels_per_unit(camera: Any, height: float) -> float:
    """How many pixels one unit of length covers at the focal point."""
    if camera.GetParallelProjection():
        half = camera.GetParallelScale()
    else:
        half = camera.GetDistance() * np.tan(np.radians(camera.GetViewAngle() / 2))
    return float(height / 2 / max(half, 1e-12))
