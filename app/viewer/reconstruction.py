"""What the part should have been, and the measured part on its way there.

A blend moves each measured point towards its place on the reconstruction and leaves it its colour, so that a bump sinks
and a dent rises; where nothing was measured the reconstruction appears. At the end only the reconstruction is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.viewer.cloud import Cloud
from app.viewer.colormaps import Theme
from app.viewer.detail import display_order, surface_spacing

if TYPE_CHECKING:  # torch comes with it
    from core.geometry.carrying import Carried


class Reconstruction:
    """The reconstructed cloud of a scene.

    Parameters
    ----------
    cloud : Cloud
    limit : int
        Most points that are ever drawn.

    Attributes
    ----------
    share : float
        0 the measured part, 1 the reconstructed.
    targets : (N, 3) float32, or None
        Where the measured points move to, in the scan's order; None while that is not known.
    """

    def __init__(self, cloud: Cloud, limit: int) -> None:
        self._cloud, self._limit = cloud, limit
        self._bare = 0
        self.targets: NDArray[np.float32] | None = None
        self.share = 0.0
        self.spacing = 0.0

    def set_points(self, points: NDArray[np.float32] | None, carried: Carried | None, theme: Theme) -> None:
        """Show these points, (M, 3); None for none. ``carried`` says where measured points lie on them."""
        self._cloud.clear()
        self.spacing, self._bare, self.targets = 0.0, 0, None
        if points is None or not len(points):
            return
        order = display_order(len(points), self._limit)
        normals = None
        if carried is not None:
            bare = carried.bare[order]
            order = np.concatenate([order[bare], order[~bare]])
            self._bare, self.targets = int(bare.sum()), carried.targets
            normals = np.ascontiguousarray(carried.normals[order])
        chosen = np.ascontiguousarray(points[order], dtype=np.float32)
        self.spacing = surface_spacing(chosen)
        self._cloud.set_points(chosen, normals)
        self.paint(theme)

    def paint(self, theme: Theme) -> None:
        """Colour it for a theme."""
        if self._cloud.count:
            self._cloud.set_color(theme.reference)

    @property
    def shown(self) -> bool:
        """Whether it has any influence on the picture."""
        return bool(self._cloud.count) and self.share > 0.0

    @property
    def alone(self) -> bool:
        """Whether none of the measured part is left."""
        return self.shown and self.share >= 1.0

    def draw(self, detail: float) -> None:
        """Draw all of it at the end, before that its part without a counterpart, as far as the blend is."""
        if self.alone:
            self._cloud.draw(max(1, round(self._cloud.count * min(detail, 1.0))))
        else:
            self._cloud.draw(round(self._bare * self.share))
        self._cloud.show(self.shown)
