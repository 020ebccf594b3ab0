"""How far points lie off a surface that is given as a cloud with normals: signed, point to plane.

The surface is the zero set of a moving least squares function of the cloud's tangent planes (IMLS: R. Kolluri:
*Provably good moving least squares*, SODA 2005), weighted as in W. Shen, J. O'Brien, J. Shewchuk: *Interpolating and
approximating implicit surfaces from polygon soup*, SIGGRAPH 2004, eq. 7. Two refinements make it read as a gauge would:

- Planes are taken along the mean of their normal and of the normal of the surface below the query. A chord of a circle
  is at right angles to the mean of its ends' normals (S. Rusinkiewicz: *A symmetric objective function for ICP*,
  SIGGRAPH 2019), so that a curved surface is read without the bias of its tangent planes, of d² / 2R.
- Planes that face elsewhere count less (C. Öztireli, G. Guennebaud, M. Gross: *Feature preserving point set surfaces
  based on non-linear kernel regression*, Eurographics 2009, eq. 12), so that an edge stays sharp.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from core.geometry.checks import as_points
from core.geometry.neighbors import nearest

Floats = NDArray[np.float32]

GAP = 1.5
"""A point may lie this many steps aside of the nearest surface point and still be over the surface."""
_SOFT = 0.5
"""Weights are 1 / (d² + (this many steps)²): a query on a surface point still hears its neighbours."""
_FACING = 0.5
"""Spread of normals within which planes count as one surface: sigma_n of Öztireli et al., who advise 0.5 to 1.5."""
_AREA_POINTS, _SAMPLE = 8, 2000
_CHUNK = 1 << 16
"""Queries that are worked on at a time, so that memory does not grow with their number."""


@dataclass(frozen=True, eq=False)
class SurfaceDistance:
    """Where points lie of a surface, in the cloud's unit.

    Attributes
    ----------
    height : (N,) float32
        Signed distance along the surface's normal: positive where there is material in excess, negative where some is
        missing. The true distance, to first order, wherever the point lies over the surface.
    aside : (N,) float32
        How far the point lies beyond the surface's edge, along the surface, less ``GAP`` steps; 0 over the surface.
        Distance from the surface altogether: ``hypot(height, aside)``.
    near : (N, k) int64
        The surface points that were compared with, nearest first.
    """

    height: Floats
    aside: Floats
    near: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CloudSurface:
    """A surface given as a cloud.

    Attributes
    ----------
    points : (M, 3) float32
        At least one.
    normals : (M, 3) float32
        Unit length, all outward (``core.geometry.orientation``): their side is the positive one.
    step : float
        Distance of neighbouring points if they lay on a square grid, above 0.
    """

    points: Floats
    normals: Floats
    step: float

    def __post_init__(self) -> None:
        points = as_points(self.points, least=1)
        normals = as_points(self.normals, "normals")
        if normals.shape != points.shape or not self.step > 0:
            raise ValueError(f"{len(points)} points, {len(normals)} normals, step {self.step}")
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "normals", normals)

    @classmethod
    def of(cls, points: Floats, normals: Floats) -> CloudSurface:
        """The surface of a cloud whose density is not known: of the area that the nearest few of its points take."""
        points = as_points(points, least=1)
        count = min(_AREA_POINTS, len(points) - 1)
        some = points[np.unique(np.linspace(0, len(points) - 1, min(len(points), _SAMPLE)).astype(np.int64))]
        radius = float(np.median(nearest(points, some, count + 1)[0][:, -1]))
        return cls(points, normals, max(radius * float(np.sqrt(np.pi / max(count, 1))), 1e-12))

    @cached_property
    def tree(self) -> cKDTree:
        """Built once, searched by every scan."""
        return cKDTree(self.points)

    def distance(self, points: Floats, neighbours: int = 6, shift: Floats | None = None) -> SurfaceDistance:
        """Where points lie of the surface.

        Parameters
        ----------
        points : (N, 3) float32
            In the surface's frame and unit; may be empty.
        neighbours : int
            Surface points that each is compared with, at least 1: more smooth the noise of the cloud, and edges.
        shift : (M,) float32, optional
            Added to the heights over each surface point.

        Raises
        ------
        ValueError
            If ``neighbours`` is below 1.
        """
        points = as_points(points)
        if neighbours < 1:
            raise ValueError(f"{neighbours} neighbours were asked for")
        count = min(neighbours, len(self.points))
        height, aside = np.empty(len(points), np.float32), np.empty(len(points), np.float32)
        near = np.empty((len(points), count), np.int64)
        for start in range(0, len(points), _CHUNK):
            rows = slice(start, start + _CHUNK)
            distance, near[rows] = self.tree.query(points[rows], k=[*range(1, count + 1)], workers=-1)
            height[rows], aside[rows] = self._read(points[rows], distance, near[rows], shift)
        return SurfaceDistance(height, aside, near)

    def _read(
        self, points: Floats, distance: NDArray[np.float64], near: NDArray[np.int64], shift: Floats | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Height and aside of (N, 3) points with their (N, k) nearest."""
        normals = self.normals[near]
        gaps = (points[:, None] - self.points[near]).astype(np.float64)
        weight = 1.0 / (distance**2 + (_SOFT * self.step) ** 2)
        below = _unit(np.einsum("nk,nkc->nc", weight, normals))
        if near.shape[1] > 1:
            weight = weight * np.exp(-np.square(normals - normals[:, :1]).sum(axis=2) / _FACING**2)
            below = _unit(np.einsum("nk,nkc->nc", weight, normals))
        weight /= weight.sum(axis=1, keepdims=True)
        along = _unit(normals + below[:, None])
        heights = np.einsum("nkc,nkc->nk", gaps, along)
        away = np.sqrt(np.maximum(distance[:, 0] ** 2 - heights[:, 0] ** 2, 0.0))
        if shift is not None:
            heights = heights + shift[near]
        return np.einsum("nk,nk->n", weight, heights), np.maximum(away - GAP * self.step, 0.0)


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """``vectors`` at length 1; a vector without length stays 0."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: NDArray[np.float64] = vectors / np.maximum(lengths, 1e-12)
    return scaled
