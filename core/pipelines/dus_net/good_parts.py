"""What the good scans of a category have in common, as one surface, and without one of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.backbones.down_up.remembered import GoodSurface
from core.geometry.alignment import fullest
from core.geometry.neighbors import nearest
from core.geometry.orientation import oriented
from core.geometry.voxels import voxel_grid
from core.pipelines.dus_net.frame import Placed

Floats = NDArray[np.float32]


def common_surface(parts: Sequence[Placed], step: float) -> GoodSurface:
    """The good parts' mean surface, its normals outwards.

    Parameters
    ----------
    step : float
        Side of the voxels that it is thinned by, in part radii.
    """
    whole = GoodSurface.of(np.concatenate([_even(part, step) for part in parts]), step)
    normals = oriented(whole.points, whole.normals, hinted(parts, whole.points))
    return GoodSurface(whole.points, normals, step)


def without_each(parts: Sequence[Placed], step: float) -> list[GoodSurface]:
    """For each part the mean surface of the others."""
    clouds = [_even(part, step) for part in parts]
    return [
        GoodSurface.of(np.concatenate([cloud for j, cloud in enumerate(clouds) if j != i]), step)
        for i in range(len(clouds))
    ]


def hinted(parts: Sequence[Placed], points: Floats) -> Floats | None:
    """Rough outward directions at points, from the part that shows most; None where the scans do not tell."""
    part = parts[fullest([one.points for one in parts])]
    if part.hints is None:
        return None
    return part.hints[nearest(part.points, points, 1)[1][:, 0]]


def _even(part: Placed, step: float) -> Floats:
    """One point a voxel, so that every scan counts the same wherever it is dense."""
    return voxel_grid(part.cloud, step).points
