"""The pictures that the 2D expert looks at, and which point of the part each pixel shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from core.errors import ScanError
from core.geometry.shading import DISTANCE, Camera, render_normals
from core.geometry.views import closing_splat, covering_views, sensor_view, whole_extent
from core.pipelines.iaenet.config import IaenetConfig
from core.pipelines.iaenet.frame import Prepared

Floats = NDArray[np.float32]

SIZE = 224
"""Pixels of a picture a side (paper)."""
_ROOM = 1.4
"""Side of the square that an RGB image is cut to, in longer sides of the part: as much room as the camera leaves."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of a part.

    Attributes
    ----------
    image : (3, 224, 224) float32
        In [0, 1].
    index : (224, 224) int32
        The point of ``Prepared.cloud``, and after these of ``Prepared.filling``, in each pixel, -1 where there is none.
    pixels : (V, 2) int64
        Row and column of each point, within the picture.
    visible : (V,) bool
        Points that the picture shows.
    dense_pixels : (M, 2) int64
        Row and column of each of ``Prepared.dense``.
    dense_visible : (M,) bool
    towards : (3,) float64
        Unit direction to the eye, in the category's frame.
    """

    image: Floats
    index: NDArray[np.int32]
    pixels: NDArray[np.int64]
    visible: NDArray[np.bool_]
    dense_pixels: NDArray[np.int64]
    dense_visible: NDArray[np.bool_]
    towards: NDArray[np.float64]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(224, 224) pixels that show the part."""
        return self.index >= 0

    def heights(self, dense: Floats) -> Floats:
        """(224, 224) how far the surface in each pixel lies towards the eye, NaN off the part.

        Seen points are averaged with a Gaussian of one and a half pixels, so that the squares that a sparse cloud is
        drawn with leave no steps.
        """
        seen = np.flatnonzero(self.dense_visible)
        at = self.dense_pixels[seen, 0] * SIZE + self.dense_pixels[seen, 1]
        along = dense[seen].astype(np.float64) @ self.towards
        middle = along.mean() if len(seen) else 0.0
        total = np.bincount(at, along - middle, minlength=SIZE * SIZE).reshape(SIZE, SIZE)
        count = np.bincount(at, minlength=SIZE * SIZE).reshape(SIZE, SIZE).astype(np.float64)
        result = np.full((SIZE, SIZE), np.nan, np.float32)
        for sigma in (1.5, 4.0):  # the wider one reaches where squares have closed gaps
            weight = gaussian_filter(count, sigma)
            filled = self.mask & np.isnan(result) & (weight > 1e-3)
            result[filled] = (gaussian_filter(total, sigma)[filled] / weight[filled] + middle).astype(np.float32)
        return result


@dataclass(frozen=True, eq=False)
class Photographer:
    """Takes the same pictures of every scan of a category.

    Attributes
    ----------
    rgb : bool
        Whether the scan's own RGB image is the picture (paper, section 4.3.8).
    views : (K, 3, 3) float64
        Rotations of the renderings; one that says nothing where the picture is the RGB image.
    extent : float
        Of every camera, in millimetres.
    center : (3,) float64, or None where scans are not aligned: each is then looked at about its own box's centre
    """

    rgb: bool
    views: NDArray[np.float64]
    extent: float
    center: NDArray[np.float64] | None

    @classmethod
    def learn(cls, prepared: Sequence[Prepared], first: int, aligned: bool, config: IaenetConfig) -> Photographer:
        """Decide on the good scans; ``first`` is the one whose pose is the category's.

        Raises
        ------
        ScanError
            If RGB images are asked for and a scan has none.
        """
        rgb = config.image == "rgb" or (config.image == "auto" and all(p.scan.image is not None for p in prepared))
        one = prepared[first]
        whole = [whole_extent(p.cloud) for p in prepared]
        middle = (one.cloud.min(axis=0) + one.cloud.max(axis=0)).astype(np.float64) / 2
        center = middle if aligned else None
        if rgb:
            for p in prepared:
                _image_of(p.scan)
        if one.scan.organised:
            view = sensor_view(one.scan) @ one.transform[:3, :3].T
            extent = max(float(np.ptp(p.cloud @ view.T, axis=0).max()) for p in prepared)
            return cls(rgb, view[None], extent, center)
        extent = float(np.max(whole))
        found = covering_views(one.cloud, one.normals, config.views, center=middle, extent=extent)
        return cls(rgb, found.views, extent, center)

    @property
    def count(self) -> int:
        """Pictures of a scan."""
        return len(self.views)

    @property
    def pixel(self) -> float:
        """Millimetres that a pixel spans at the part's centre."""
        return DISTANCE * self.extent / Camera(np.eye(3), np.zeros(3), self.extent, SIZE).focal

    def take(self, prepared: Prepared) -> list[Picture]:
        """The pictures of a scan, in the order of ``views``.

        Raises
        ------
        ScanError
            If RGB images are asked for and the scan has none.
        """
        return [self._photo(prepared)] if self.rgb else [self._rendered(prepared, view) for view in self.views]

    def again(self, prepared: Prepared, before: Sequence[Picture], image: Floats | None = None) -> list[Picture]:
        """The pictures after the points have moved; an RGB image is the earlier one or ``image``."""
        if not self.rgb:
            return self.take(prepared)
        old = before[0]
        shown = old.image if image is None else image
        return [Picture(shown, old.index, old.pixels, old.visible, old.dense_pixels, old.dense_visible, old.towards)]

    def _rendered(self, prepared: Prepared, view: NDArray[np.float64]) -> Picture:
        dense, cloud = prepared.dense, prepared.cloud
        center = self.center
        if center is None:
            turned = cloud @ view.T
            center = (turned.min(axis=0) + turned.max(axis=0)) / 2 @ view
        splat = closing_splat(dense, self.extent, SIZE)
        shown = np.concatenate([dense, prepared.filling])
        normals = np.concatenate([prepared.normals[prepared.inverse], prepared.filling_normals])
        number = np.concatenate([prepared.inverse, len(cloud) + np.arange(len(prepared.filling))])
        drawn = render_normals(
            shown, normals, view=view, size=SIZE, splat=splat, center=center, extent=self.extent,
        )  # fmt: skip
        measured = slice(len(dense))
        camera = Camera(view, np.asarray(center, np.float64), self.extent, SIZE)
        row, column, _ = camera.project(camera.turned(cloud))
        visible = np.bincount(prepared.inverse, drawn.visible[measured], minlength=len(cloud)) > 0
        return Picture(
            np.repeat(drawn.image[None], 3, axis=0),
            np.where(drawn.index >= 0, number[drawn.index], -1).astype(np.int32),
            _whole(np.stack([row, column], axis=1)),
            visible,
            np.clip(drawn.pixels[measured].astype(np.int64), 0, SIZE - 1),
            drawn.visible[measured],
            view[2],
        )

    def _photo(self, prepared: Prepared) -> Picture:
        scan = prepared.scan
        image, grid = _image_of(scan), scan.grid
        assert grid is not None
        of_point = np.full(len(scan) + 1, -1, np.int64)
        of_point[prepared.rows] = prepared.inverse
        shown = of_point[grid]  # the last entry stands for pixels without a measurement
        rows, columns = np.nonzero(shown >= 0)
        low, high = np.array([rows.min(), columns.min()]), np.array([rows.max(), columns.max()]) + 1
        side = max(_ROOM * float((high - low).max()), 2.0)
        corner = (low + high) / 2 - side / 2
        centers = (np.arange(SIZE) + 0.5) * (side / SIZE)
        at = [np.floor(corner[axis] + centers).astype(np.int64) for axis in range(2)]
        inside = [(a >= 0) & (a < n) for a, n in zip(at, grid.shape, strict=True)]
        near = shown[np.ix_(*(np.clip(a, 0, n - 1) for a, n in zip(at, grid.shape, strict=True)))]
        index = np.where(inside[0][:, None] & inside[1][None], near, -1).astype(np.int32)
        lookup = np.stack(
            np.broadcast_arrays(
                ((corner[1] + centers) * (2 / grid.shape[1]) - 1)[None, :],
                ((corner[0] + centers) * (2 / grid.shape[0]) - 1)[:, None],
            ),
            axis=-1,
        ).astype(np.float32)
        whole = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float()[None] / 255
        shrink = side / SIZE
        if shrink > 1.5:  # averaged first, so that fine texture does not alias
            size = (max(1, round(grid.shape[0] / shrink)), max(1, round(grid.shape[1] / shrink)))
            whole = torch.nn.functional.adaptive_avg_pool2d(whole, size)
        picture = torch.nn.functional.grid_sample(
            whole, torch.from_numpy(lookup)[None], mode="bilinear", padding_mode="border", align_corners=False
        )[0].numpy()
        place = np.empty((len(scan), 2))
        cells = np.argwhere(grid >= 0)
        place[grid[grid >= 0]] = (cells + 0.5 - corner) * (SIZE / side) - 0.5
        dense_pixels = _whole(place[prepared.rows])
        pixels = np.zeros((len(prepared.cloud), 2), np.int64)
        pixels[prepared.inverse[::-1]] = dense_pixels[::-1]
        towards = prepared.transform[:3, :3] @ sensor_view(scan)[2]
        return Picture(
            picture, index, pixels, np.ones(len(prepared.cloud), bool), dense_pixels,
            np.ones(len(dense_pixels), bool), towards,
        )  # fmt: skip

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        state: dict[str, NDArray[Any]] = {
            "rgb": np.array(self.rgb),
            "views": self.views,
            "extent": np.array(self.extent),
        }
        return state if self.center is None else state | {"center": self.center}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Photographer:
        """What ``state`` gave."""
        center = state.get("center")
        return cls(
            bool(state["rgb"]),
            np.asarray(state["views"], np.float64),
            float(state["extent"]),
            None if center is None else np.asarray(center, np.float64),
        )


def _whole(places: NDArray[np.float64]) -> NDArray[np.int64]:
    """Truncated, as CPMF does, and within the picture."""
    return np.clip(np.trunc(np.nan_to_num(places)), 0, SIZE - 1).astype(np.int64)


def _image_of(scan: Any) -> NDArray[np.uint8]:
    if scan.image is None:
        raise ScanError(
            f"Scan {scan.source or scan.name} has no RGB image",
            "Use scans with images, or train with the setting image = render",
        )
    image: NDArray[np.uint8] = scan.image
    return image
