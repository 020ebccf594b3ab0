"""Pictures of a cloud shaded by its normals, as mathematics: what CPMF and IAENet see of a part, without a window.

Cao et al. (*Complementary Pseudo Multimodal Feature*, 2023) photograph a grey cloud in Open3D's viewer; IAENet keeps
the first of their views. The viewer's camera, its square points with a depth test and its Phong light are closed
formulas, so that the picture is computed here: the same on every computer, in a few milliseconds, on any thread.

The picture is a shading image: it encodes how the surface is turned, not how far away it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import minimum_filter

from core.geometry.checks import as_points

Floats = NDArray[np.float64]

FIELD_OF_VIEW = 60.0
"""Degrees, across the whole picture."""
_ZOOM = 0.7
DISTANCE = _ZOOM / math.tan(math.radians(FIELD_OF_VIEW / 2))
"""Of the camera from the centre of the part in extents, 1.212436: there one extent spans 5/7 of the picture."""
_LIGHT = 2.0
"""Of the lamps from the centre towards the eye, in extents."""
_LAMPS = 2
_COLOR, _DIFFUSE, _SPECULAR, _SHININESS = 0.5, 0.66, 0.2, 100
"""Open3D's uniform grey and its viewer's defaults (RenderOption.h)."""
_STEEPEST = 3.0
"""Tangent of the tilt beyond which a point is no longer given more room for being seen."""


@dataclass(frozen=True, eq=False)
class Rendering:
    """A picture of a cloud, and which of its points show in it.

    Attributes
    ----------
    image : (H, W) float32
        Grey values in [0, 1]; the background is white.
    index : (H, W) int32
        The point seen in each pixel, -1 on the background.
    pixels : (N, 2) int32
        Row and column of each point, truncated as CPMF does; outside of the picture where the point is.
    visible : (N,) bool
        Points inside of the picture that no other surface hides.
    """

    image: NDArray[np.float32]
    index: NDArray[np.int32]
    pixels: NDArray[np.int32]
    visible: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Camera:
    """Open3D's default camera over a cloud.

    Attributes
    ----------
    rotation : (3, 3) float64
        Takes the cloud's directions to the picture's: x to the right, y up, z to the eye.
    center : (3,) float64
        What the camera looks at.
    extent : float
        E, what spans 5/7 of the picture at the centre; above 0.
    size : int
        Pixels of the square picture a side.
    """

    rotation: Floats
    center: Floats
    extent: float
    size: int = 224

    @classmethod
    def over(
        cls,
        points: NDArray[np.float32],
        view: ArrayLike | None = None,
        size: int = 224,
        center: ArrayLike | None = None,
        extent: float | None = None,
    ) -> Camera:
        """The camera that looks at ``points``.

        Parameters
        ----------
        points : (N, 3) float32
            At least one.
        view : (3, 3), optional
            Rotation about the centre; the cloud as it lies if not given.
        center : (3,), optional
            In the cloud's own frame; the centre of the turned cloud's bounding box if not given.
        extent : float, optional
            The longest side of that box if not given.

        Raises
        ------
        ValueError
            If ``view`` is no rotation, or ``extent`` is given and not above 0.
        """
        rotation = np.eye(3) if view is None else np.asarray(view, np.float64)
        if rotation.shape != (3, 3) or not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-5):
            raise ValueError("view is not a (3, 3) rotation")
        if extent is not None and not extent > 0:
            raise ValueError(f"extent {extent} must be above 0")
        if center is None or extent is None:
            turned = points @ rotation.T
            low, high = turned.min(axis=0), turned.max(axis=0)
            if center is None:
                center = (low + high) / 2 @ rotation
            if extent is None:
                extent = max(float((high - low).max()), 1e-12)
        return cls(rotation, np.asarray(center, np.float64), float(extent), size)

    @property
    def focal(self) -> float:
        """Focal length in pixels: 193.989690 at 224."""
        return self.size / 2 / math.tan(math.radians(FIELD_OF_VIEW / 2))

    @property
    def middle(self) -> float:
        """Row and column of the optical axis where pixels have whole numbers in their middles: 111.5 at 224."""
        return self.size / 2 - 0.5

    @property
    def eye(self) -> Floats:
        """(3,) where the camera is, in the turned cloud's frame about the centre."""
        return np.array([0.0, 0.0, DISTANCE * self.extent])

    def turned(self, points: NDArray[np.float32]) -> Floats:
        """(N, 3) points in the picture's directions, about the centre."""
        return (points.astype(np.float64) - self.center) @ self.rotation.T

    def project(self, turned: Floats) -> tuple[Floats, Floats, Floats]:
        """Row, column and depth (N,) of turned points; rows and columns are whole in the middle of a pixel.

        A point beside or behind the eye has no place: its row and column are NaN.
        """
        depth = self.eye[2] - turned[:, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(depth > 1e-6 * self.extent, self.focal / depth, np.nan)
        return self.middle - turned[:, 1] * factor, self.middle + turned[:, 0] * factor, depth


def render_normals(
    points: NDArray[np.float32],
    normals: NDArray[np.float32],
    *,
    view: ArrayLike | None = None,
    size: int = 224,
    splat: int = 5,
    center: ArrayLike | None = None,
    extent: float | None = None,
) -> Rendering:
    """A cloud as Open3D's viewer draws it in plain grey: square points, nearest first, lit from the eye.

    Parameters
    ----------
    points : (N, 3) float32
        The part without its background.
    normals : (N, 3) float32
        Unit length; their signs do not matter, as each is turned to face the eye.
    view : (3, 3), optional
        Rotation about the cloud's centre that makes x point right, y up and z to the eye. For scans of a camera whose
        z points away from it (MVTec 3D-AD) this is diag(1, -1, -1); see ``core.geometry.views.sensor_view``.
    size : int
        Pixels of the square picture a side.
    splat : int
        Side of a point's square in pixels; odd.
    center, extent : (3,) and float, optional
        What the camera looks at and how much it takes in, see ``Camera``: give them where pictures of several scans
        or views are compared, so that a broken-off piece does not move the picture.

    Returns
    -------
    Rendering
        Deterministic; among points equally near the lowest index is seen.

    Raises
    ------
    ValueError
        If shapes or parameters are out of range.
    """
    points, normals = as_points(points, least=1), as_points(normals, "normals")
    if len(points) != len(normals):
        raise ValueError(f"{len(points)} points, but {len(normals)} normals")
    if size < 1 or splat < 1 or splat % 2 == 0:
        raise ValueError(f"size {size} must be at least 1, splat {splat} odd")
    camera = Camera.over(points, view, size, center, extent)
    turned = camera.turned(points)
    row, column, depth = camera.project(turned)
    with np.errstate(invalid="ignore"):
        inside = (row >= -0.5) & (row < size - 0.5) & (column >= -0.5) & (column < size - 0.5)
    placed = np.flatnonzero(inside)
    nearest = _splatted(row[placed], column[placed], depth[placed], size, splat)
    index = np.where(nearest >= 0, placed[nearest] if len(placed) else -1, -1).astype(np.int32)

    image = np.ones((size, size), np.float32)
    shown, where = np.unique(index[index >= 0], return_inverse=True)
    if len(shown):
        image[index >= 0] = _shaded(turned[shown], normals[shown] @ camera.rotation.T, camera)[where]
    places = np.nan_to_num(np.clip(np.stack([row, column], axis=1), -1e9, 1e9), nan=-1e9)
    pixels = np.trunc(places).astype(np.int32)
    visible = np.zeros(len(points), bool)
    if len(placed):
        visible[placed] = _unhidden(
            turned[placed], normals[placed], row[placed], column[placed], depth, index, camera, splat
        )
    return Rendering(image, index, pixels, visible)


def phong(to_light: Floats, to_eye: Floats, normals: Floats) -> Floats:
    """Brightness (N,) of grey points under Open3D's two lamps at the eye's side, 0 to 1.

    I = clip(2 (0.5 · 0.66 max(n·l, 0) + 0.2 max(r·e, 0)^100), 0, 1) with r the reflection of l about n. The viewer's
    other two lamps stand behind the part and light nothing that faces the eye.

    Parameters
    ----------
    to_light, to_eye, normals : (N, 3)
        Unit vectors; normals face the eye.
    """
    lit = np.einsum("ij,ij->i", normals, to_light)
    reflected = 2.0 * lit[:, None] * normals - to_light
    mirror = np.maximum(np.einsum("ij,ij->i", reflected, to_eye), 0.0)
    return np.clip(_LAMPS * (_COLOR * _DIFFUSE * np.maximum(lit, 0.0) + _SPECULAR * mirror**_SHININESS), 0.0, 1.0)


def _shaded(turned: Floats, normals: Floats, camera: Camera) -> NDArray[np.float32]:
    to_eye = _unit(camera.eye - turned)
    to_light = _unit(np.array([0.0, 0.0, _LIGHT * camera.extent]) - turned)
    away = np.einsum("ij,ij->i", normals, to_eye) < 0
    return phong(to_light, to_eye, np.where(away[:, None], -normals, normals)).astype(np.float32)


def _splatted(row: Floats, column: Floats, depth: Floats, size: int, splat: int) -> NDArray[np.int64]:
    """(size, size) which of the points is seen in each pixel, -1 for none.

    Of points in one pixel only the nearest can win anywhere, as their squares are the same; after that a square is a
    minimum filter over the order of depth.
    """
    cell = _cell(row, column, size)
    closest = np.full(size * size, np.inf)
    np.minimum.at(closest, cell, depth)
    best = np.flatnonzero(depth == closest[cell])
    best = best[np.argsort(depth[best], kind="stable")]  # by depth, then by index
    none = len(best)
    order = np.full(size * size, none, np.int32)
    order[cell[best][::-1]] = np.arange(none, dtype=np.int32)[::-1]  # the last write, the nearest, stays
    seen = minimum_filter(order.reshape(size, size), size=splat, mode="constant", cval=none)
    return np.append(best, -1)[seen]


def _cell(row: Floats, column: Floats, size: int) -> NDArray[np.int64]:
    """The pixel that holds each point; clipped, as rounding may step over the edge."""
    whole = [np.clip(np.floor(part + 0.5), 0, size - 1).astype(np.int64) for part in (row, column)]
    return whole[0] * size + whole[1]


def _unhidden(
    turned: Floats,
    normals: NDArray[np.float32],
    row: Floats,
    column: Floats,
    depth: Floats,
    index: NDArray[np.int32],
    camera: Camera,
    splat: int,
) -> NDArray[np.bool_]:
    """Whether each placed point lies on the surface that is seen in its pixel.

    The seen point may be a square's half diagonal aside, and by the surface's tilt that much nearer.
    """
    own = camera.eye[2] - turned[:, 2]
    front = depth[index.ravel()[_cell(row, column, camera.size)]]  # its own square covers its pixel: never -1
    cosine = np.abs(np.einsum("ij,ij->i", normals @ camera.rotation.T, _unit(camera.eye - turned)))
    tilt = np.minimum(np.sqrt(np.maximum(1.0 - cosine**2, 0.0)) / np.maximum(cosine, 1e-6), _STEEPEST)
    reach = (splat + 1) / 2 * math.sqrt(2.0)
    return np.asarray(own - front <= own / camera.focal * (1.0 + reach * tilt))


def _unit(vectors: Floats) -> Floats:
    return vectors / np.maximum(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)), 1e-300)[:, None]
