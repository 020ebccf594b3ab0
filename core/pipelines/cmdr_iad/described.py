"""What the frozen networks say of a part, kept compactly: tokens and small maps, not a feature for every cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from core.backbones.image_features import ImageFeatures, image_features
from core.backbones.pictures import SIZE
from core.backbones.point_features import PointFeatures, point_features
from core.geometry.normals import estimate_normals
from core.geometry.orientation import oriented
from core.geometry.patches import make_patches
from core.geometry.voxels import voxel_grid
from core.pipelines.cmdr_iad.config import CmdrIadConfig, Mode
from core.pipelines.cmdr_iad.frame import Frame, Part
from core.pipelines.cmdr_iad.spread import Spread, bilinear, by_distance, pooled
from core.runtime import Runtime

Floats = NDArray[np.float32]

_METRE = 1000.0
"""Of millimetres: the unit of the published coordinates, where the cloud's own statistics normalise."""


@dataclass(frozen=True, eq=False)
class Features:
    """One modality's features of a part.

    Attributes
    ----------
    sources : (S, C) float32 Tensor
        Tokens of patches, or cells of an image network's map.
    spread : Spread
        From these to the valid cells.
    everywhere : Spread, or None
        From these to all cells of the raster; of images alone, which show the background too.
    """

    sources: Tensor
    spread: Spread
    everywhere: Spread | None = None

    @property
    def at_cells(self) -> Tensor:
        """(n, C) at the valid cells."""
        return self.spread(self.sources)

    def at(self, among: NDArray[np.int64] | None) -> Tensor:
        """(m, C) at these of the valid cells, all of them if None; no gradient passes to the sources."""
        return self.at_cells if among is None else self.spread.some(self.sources, among)

    def replaced(self, sources: Tensor) -> Features:
        """The same places with other features."""
        return Features(sources, self.spread, self.everywhere)


@dataclass(frozen=True, eq=False)
class Described:
    """A part's features.

    Attributes
    ----------
    shape : (int, int, int)
        Of the raster.
    cells : (n,) int64 Tensor
        The valid cells: those that hold a feature of the surface.
    surface, image : Features, or None where the mode does not look at it
    """

    shape: tuple[int, int, int]
    cells: Tensor
    surface: Features | None
    image: Features | None

    @property
    def length(self) -> int:
        """Cells of the raster."""
        return self.shape[0] * self.shape[1] * self.shape[2]


@dataclass(frozen=True, eq=False)
class _Cut:
    """The points of a part that features are taken of: thinned, or those that cells show.

    Attributes
    ----------
    cloud, normals : (M, 3) float32
    of : (P,) int64, or None
        The thinned point that stands for each point of the part; None where the points are those of the cells.
    """

    cloud: Floats
    normals: Floats
    of: NDArray[np.int64] | None


class Describer:
    """The extractors of a model.

    Parameters
    ----------
    frame : Frame
    config : CmdrIadConfig
    runtime : Runtime
    point_name, image_name : str, optional
        Concrete names that a model stores; the config's if not given.

    Raises
    ------
    WeightsError
        If features are unknown or their weights missing.
    """

    def __init__(
        self, frame: Frame, config: CmdrIadConfig, runtime: Runtime, point_name: str = "", image_name: str = ""
    ) -> None:
        self._frame, self._config, self._runtime = frame, config, runtime
        self.images: ImageFeatures | None = None
        self.points: PointFeatures | None = None
        if frame.mode != "2d":
            self.points = point_features(
                point_name or config.features,
                runtime,
                normalisation=config.normalisation,
                fpfh_radius=config.fpfh_radius * max(frame.spacing, 1e-9),
            )
        if frame.mode != "3d":
            layers = tuple(layer.strip() for layer in config.image_layers.split(",") if layer.strip())
            named = config.named_features(images=frame.drawing is None)["image_features"]
            self.images = image_features(image_name or named, runtime, layers=layers)

    def __call__(self, part: Part, mode: Mode) -> Described:
        """The features of a part that ``mode`` looks at."""
        raster, device = part.raster, self._runtime.device
        length = int(np.prod(raster.shape))
        own = _placed(raster.cells, length)
        pool = sparse.block_diag([pooled(raster.shape[1:])] * raster.shape[0], format="csr")
        valid = raster.cells
        lay = own[valid]
        if self._config.pooling:
            spreading = (pool @ own).tocsr()
            if self._frame.layout is None:  # the sensor's image has features beside the part too
                valid = np.flatnonzero(np.diff(spreading.indptr))
            lay = spreading[valid]
        cells = torch.from_numpy(valid).to(device)
        drawn = mode != "3d" and self._frame.drawing is not None
        cut = self._cut(part) if mode != "2d" or drawn else None
        surface = image = None
        if cut is not None and mode != "2d":
            surface = self._surface(part, cut, lay)
        if cut is not None and drawn:
            image = self._drawn(part, cut, valid, length)
        elif mode != "3d":
            image = self._image(part, valid, length)
        return Described(raster.shape, cells, surface, image)

    def _surface(self, part: Part, cut: _Cut, lay: sparse.csr_matrix) -> Features:
        assert self.points is not None
        count, config = len(cut.cloud), self._config
        wanted = min(config.patches or count, count)
        patches = make_patches(cut.cloud, wanted, min(config.patch_points, count), runtime=self._runtime)
        scale = _METRE if self._config.normalisation == "cloud_statistics" else self._frame.radius
        with torch.no_grad():
            found = self.points(cut.cloud, patches, normals=cut.normals, scale=scale)
        places = part.points[part.raster.shown]
        near = by_distance(found.centers, places, self._frame.radius, self._runtime)
        return Features(found.tokens, Spread(lay @ near, self._runtime.device))

    def _cut(self, part: Part) -> _Cut:
        """The points that features are taken of."""
        config, voxel = self._config, self._frame.voxel
        if voxel > 0:
            grid = voxel_grid(part.points, voxel)
            cloud, inverse = grid.points, grid.inverse
            hints = None if part.outwards is None else grid.summed(part.outwards)
        else:
            chosen = np.unique(part.raster.shown)
            cloud, inverse = part.points[chosen], None
            hints = None if part.outwards is None else part.outwards[chosen]
        normals = estimate_normals(cloud, k=max(3, min(config.normal_neighbors, len(cloud))), runtime=self._runtime)
        return _Cut(cloud, oriented(cloud, normals, hints), inverse)

    def _drawn(self, part: Part, cut: _Cut, valid: NDArray[np.int64], length: int) -> Features:
        assert self.images is not None
        assert self._frame.drawing is not None
        points, normals = (cut.cloud, cut.normals) if cut.of is None else (part.points, cut.normals[cut.of])
        images, pixels = self._frame.drawing(points, normals)
        maps = self.images(torch.from_numpy(images))
        raster, cells = part.raster, (maps.shape[2], maps.shape[3])
        view = raster.cells // (raster.shape[1] * raster.shape[2])
        shown = raster.shown if cut.of is not None else np.unique(raster.shown, return_inverse=True)[1]
        asked = [bilinear(at[shown[view == k]], (SIZE, SIZE), cells) for k, at in enumerate(pixels)]
        every = (_placed(raster.cells, length) @ sparse.block_diag(asked, format="csr")).tocsr()
        sources = maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])
        device = self._runtime.device
        return Features(sources, Spread(every[valid], device), Spread(every, device))

    def _image(self, part: Part, valid: NDArray[np.int64], length: int) -> Features:
        assert self.images is not None
        assert part.picture is not None
        assert part.pixels is not None
        maps = self.images(part.picture.network_input())[0]
        cells = (maps.shape[1], maps.shape[2])
        sources = maps.permute(1, 2, 0).reshape(-1, maps.shape[0])
        raster, device = part.raster, self._runtime.device
        if self._frame.layout is None:
            rows, columns = np.divmod(np.arange(length), raster.shape[2])
            middles = np.stack([rows, columns], axis=1)
            every = bilinear(middles, (raster.shape[1], raster.shape[2]), cells)
        else:
            asked = bilinear(part.pixels[raster.shown], (SIZE, SIZE), cells)
            every = (_placed(raster.cells, length) @ asked).tocsr()
        return Features(sources, Spread(every[valid], device), Spread(every, device))


def _placed(cells: NDArray[np.int64], length: int) -> sparse.csr_matrix:
    """(length, n): puts n values at these cells."""
    return sparse.csr_matrix((np.ones(len(cells)), (cells, np.arange(len(cells)))), shape=(length, len(cells)))
