"""What features say of a part: of the shape around its patches, and of its photograph."""

from __future__ import annotations

from math import pi

import numpy as np
import torch
from torch import Tensor

from core.backbones.image_features import ImageFeatures, image_features
from core.backbones.pictures import described
from core.backbones.point_features import FPFH, PointFeatures, point_features
from core.geometry.patches import Patches
from core.pipelines.btf.config import BtfConfig
from core.pipelines.btf.parts import Frame, Part
from core.pipelines.btf.surface import pooled
from core.runtime import Runtime


class Describer:
    """The extractors of a model.

    Parameters
    ----------
    point_name, image_name : str, optional
        Concrete names that a model stores; the config's if not given.

    Raises
    ------
    WeightsError
        If features are unknown or their weights missing.
    """

    def __init__(
        self, frame: Frame, config: BtfConfig, runtime: Runtime, point_name: str = "", image_name: str = ""
    ) -> None:
        self._config, self._runtime, self._scale = config, runtime, frame.radius
        self.points: PointFeatures = point_features(
            point_name or config.features, runtime, fpfh_radius=config.fpfh_radius * frame.voxel
        )
        self.images: ImageFeatures | None = None
        if frame.photographs:
            layers = tuple(layer.strip() for layer in config.image_layers.split(",") if layer.strip())
            self.images = image_features(image_name or config.image_features, runtime, layers=layers)

    def shape(self, part: Part) -> Tensor:
        """(G, C) descriptions of the shape around the centres of a part's patches.

        They are means over ``pooling``: a formula is taken at every thinned point within, a network, which is dear, at
        the centres within.
        """
        thinned = part.thinned
        area = pi * self._config.pooling**2
        if self.points.name == FPFH and area >= 2:
            every = np.arange(len(thinned.points))
            tokens = self._tokens(part, Patches(every, every[:, None]))
            return pooled(tokens, thinned.points, thinned.centers, round(area), self._runtime)
        tokens = self._tokens(part, thinned.patches)
        count = round(area * len(thinned.centers) / len(thinned.points))
        return pooled(tokens, thinned.centers, thinned.centers, count, self._runtime) if count >= 2 else tokens

    def colour(self, part: Part) -> tuple[Tensor, Tensor]:
        """(n, C) descriptions of the cells of a part's photograph that show it, and (1, h, w) bool which these are."""
        assert self.images is not None
        assert part.pictures is not None
        maps, cells = described(self.images(part.pictures.network_input()), part.pictures)
        return maps[cells.to(maps.device)], cells

    def _tokens(self, part: Part, patches: Patches) -> Tensor:
        with torch.no_grad():
            return self.points(part.thinned.points, patches, normals=part.thinned.normals, scale=self._scale).tokens
