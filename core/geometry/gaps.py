"""Places of a part that a scan did not measure, filled from good scans so that pictures show no holes there.

Sensors leave patches out: glare, shadows, the edges between two shots. A picture shows such a patch as a hole, through
which the part's far side is seen, and what describes the points at its rim sees an edge; nothing that good scans show
looks like it. What was not measured says nothing of the part, so there the usual surface stands for it. Missing
material is another matter: a break or a hole bares a surface where good parts have none, and a gap at which such a
surface was measured stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from core.geometry.neighbors import nearest, spacing
from core.geometry.voxels import voxel_grid

Floats = NDArray[np.float32]

_SUPPORT = 0.5
"""Share of the good scans that must have measured a place for it to belong to the usual surface."""
_COMMON = 0.02
"""Usual ``common``."""
_GAP, _RIM = 1.5, 0.8
"""Distance from the nearest measured point at which a place is missing, and at which one beside a gap is filled too."""
_JOINED = 2.0
"""Missing places nearer than this to one another are one gap."""
_FOREIGN, _BESIDE = 1.0, 3.0
"""Measured points farther than the first from the usual surface are foreign to it; nearer than the second to a gap, two
of them are the surface that was bared there."""


@dataclass(frozen=True, eq=False)
class GoodSurface:
    """The surface that most good scans of a category measured, in its common pose.

    Attributes
    ----------
    points : (S, 3) float32
        In millimetres, about ``spacing`` apart.
    spacing : float
        Side of the voxels that clouds are thinned with; all distances of this module are shares of it.
    outwards : (S, 3) float32, or None
        A rough outward direction at each point, where all good scans tell it. In a gap as wide as a wall is thick the
        nearest measured point lies on the wall's other side, and its direction is the wrong one.
    """

    points: Floats
    spacing: float
    outwards: Floats | None = None

    @classmethod
    def learn(
        cls,
        clouds: Sequence[Floats],
        voxel: float,
        outwards: Sequence[Floats] | None = None,
        *,
        common: float = _COMMON,
    ) -> GoodSurface | None:
        """From the good scans' aligned clouds.

        Parameters
        ----------
        clouds : sequence of (V, 3) float32
        voxel : float
            What they were thinned with, 0 if they were not.
        outwards : sequence of (V, 3) float32, optional
            A rough outward direction at each point of each cloud.
        common : float
            Largest share of a good scan's points that its gaps may take, in the median scan.

        Returns
        -------
        GoodSurface or None
            None where good scans lack more of one another's surface than patches: they are then seen from different
            sides, or the part has another shape each time, and what one of them lacks is no gap.
        """
        side = voxel if voxel > 0 else 2.0 * float(np.median([spacing(cloud) for cloud in clouds]))
        grid = voxel_grid(np.concatenate(clouds), side)
        support = np.zeros(len(grid.points), np.int64)
        for cloud in clouds:
            support += nearest(cloud, grid.points, 1)[0][:, 0] < _GAP * side
        usual = support >= _SUPPORT * len(clouds)
        hints = None if outwards is None else grid.summed(np.concatenate(outwards))[usual]
        found = cls(grid.points[usual], side, hints)
        lacking = float(np.median([len(found.lacking(cloud)) / len(cloud) for cloud in clouds]))
        return found if lacking <= common else None

    def lacking(self, cloud: Floats) -> NDArray[np.int64]:
        """(F,) which points of this surface stand for what ``cloud`` (V, 3) lacks; F may be 0."""
        nothing = np.empty(0, np.int64)
        if len(self.points) == 0:
            return nothing
        apart = nearest(cloud, self.points, 1)[0][:, 0]
        missing = self.points[apart > _GAP * self.spacing]
        if len(missing) == 0:
            return nothing
        tree = cKDTree(missing)
        near = tree.sparse_distance_matrix(tree, _JOINED * self.spacing, output_type="coo_matrix")
        gap = connected_components(near, directed=False)[1]
        foreign = cloud[nearest(self.points, cloud, 1)[0][:, 0] > _FOREIGN * self.spacing]
        bared = np.zeros(int(gap.max()) + 1, np.int64)
        if len(foreign):
            beside = cKDTree(foreign).query_ball_point(missing, _BESIDE * self.spacing, return_length=True)
            np.maximum.at(bared, gap, beside)
        unmeasured = missing[bared[gap] < 2]
        if len(unmeasured) == 0:
            return nothing
        around = nearest(unmeasured, self.points, 1)[0][:, 0] < _GAP * self.spacing
        return np.flatnonzero(around & (apart > _RIM * self.spacing))

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        known = {} if self.outwards is None else {"outwards": self.outwards}
        return {"points": self.points, "spacing": np.array(self.spacing), **known}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> GoodSurface:
        """What ``state`` gave."""
        outwards = np.asarray(state["outwards"], np.float32) if "outwards" in state else None
        return cls(np.asarray(state["points"], np.float32), float(state["spacing"]), outwards)
