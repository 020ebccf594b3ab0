"""Pictures drawn of a cloud that has no photograph: its views, shaded by how its surface is turned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.backbones.pictures import SIZE
from core.geometry.shading import render_normals
from core.geometry.views import closing_splat, whole_extent

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Drawing:
    """How the parts of a category are drawn, decided on its good ones.

    Attributes
    ----------
    views : (K, 3, 3) float64
        As those of the raster.
    center : (3,) float64
        What every camera looks at, in the category's pose.
    extent : float
        Of every camera, in millimetres, so that all pictures have one scale and none is cut.
    """

    views: NDArray[np.float64]
    center: NDArray[np.float64]
    extent: float

    @classmethod
    def over(cls, parts: Sequence[Floats], views: NDArray[np.float64]) -> Drawing:
        """Cameras that hold all ``parts`` (M, 3)."""
        low = np.min([part.min(axis=0) for part in parts], axis=0).astype(np.float64)
        high = np.max([part.max(axis=0) for part in parts], axis=0).astype(np.float64)
        extent = whole_extent(np.stack([low, high]).astype(np.float32))
        return cls(np.asarray(views, np.float64), (low + high) / 2, extent)

    def __call__(self, points: Floats, normals: Floats) -> tuple[Floats, list[Floats]]:
        """The pictures of a part.

        Parameters
        ----------
        points, normals : (P, 3) float32

        Returns
        -------
        images : (K, 3, S, S) float32
            In [0, 1].
        pixels : list of K (P, 2) float32
            Row and column of each point in each picture, also of those that it does not show.
        """
        splat = closing_splat(points, self.extent, SIZE)
        drawn = [
            render_normals(points, normals, view=view, size=SIZE, splat=splat, center=self.center, extent=self.extent)
            for view in self.views
        ]
        images = np.stack([np.repeat(one.image[None], 3, axis=0) for one in drawn])
        return images, [one.pixels.astype(np.float32) for one in drawn]

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        return {"views": self.views, "center": self.center, "extent": np.array(self.extent)}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Drawing:
        """What ``state`` gave."""
        return cls(np.asarray(state["views"]), np.asarray(state["center"]), float(state["extent"]))
