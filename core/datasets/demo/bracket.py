"""A flanged bracket: base with spot-faced holes and a slot, upright flange with a bored boss, gussets, fillets."""

from __future__ import annotations

import numpy as np

from core.datasets.demo import solids
from core.datasets.demo.solids import Array, Pose, Solid


def _distance(x: Array, y: Array, z: Array) -> Array:
    base = solids.extrude(solids.rectangle(x, y, 55.0, 35.0, 9.0), z, 0.0, 9.0, 0.8)
    wall = solids.extrude(solids.rectangle(x, z - 30.0, 36.0, 34.0, 22.0), y, 23.0, 33.0, 0.8)
    wall = np.maximum(wall, -z)
    part = solids.join(base, wall, 9.0)

    slope = (0.70711 * ((y + 12.0) * -1.0 + (z - 9.0))).astype(np.float32)  # the gusset's slanting face
    gusset = np.maximum(np.maximum(np.abs(np.abs(x) - 27.0) - 3.2, slope), np.maximum(y - 30.0, 2.0 - z))
    gusset = np.maximum(gusset, z - 46.0)
    part = solids.join(part, gusset, 4.0)

    around_bore = solids.disc(x, z - 40.0, 0.0)
    part = solids.join(part, solids.extrude(around_bore - 19.5, y, 14.0, 33.0, 1.0), 3.5)
    part = solids.cut(part, around_bore - 11.5, 1.0)
    part = solids.cut(part, solids.extrude(around_bore - 15.0, y, 5.0, 17.5), 0.6)

    for hole_y in (-23.0, 8.0):
        around = solids.disc(solids.mirrored(x, 44.0), y - hole_y, 0.0)
        part = solids.cut(part, around - 4.5, 0.8)
        part = solids.cut(part, solids.extrude(around - 8.0, z, 7.2, 20.0), 0.5)
    slot = solids.rectangle(x, y + 22.0, 15.0, 4.5, 4.4)
    return solids.cut(part, slot, 0.8)


BRACKET = Solid(
    name="bracket",
    distance=_distance,
    low=(-57.0, -37.0, -2.0),
    high=(57.0, 36.0, 66.0),
    edges=(
        solids.edge(solids.line((-40, -35, 8.9), (40, -35, 8.9)), 0, 0, 1),
        solids.edge(solids.circle((0, 14.0, 40), 15.2, 1), 0, -1, 0),
        solids.edge(solids.line((-11, -17.4, 8.9), (11, -17.4, 8.9)), 0, 0, 1),
        solids.edge(solids.line((54.8, -20, 8.9), (54.8, 20, 8.9)), 0, 0, 1),
    ),
    corners=(
        solids.corner((-52.4, -32.4, 9), (-1, -1, 0.5)),
        solids.corner((52.4, -32.4, 9), (1, -1, 0.5)),
        solids.corner((-52.4, 32.4, 9), (-1, 1, 0.5)),
        solids.corner((52.4, 32.4, 9), (1, 1, 0.5)),
        solids.corner((29.6, 23, 57.6), (1, -0.6, 1)),
        solids.corner((-29.6, 23, 57.6), (-1, -0.6, 1)),
    ),
    pose=Pose(yaw=1.5, tilt=0.4, shift=1.0),
)
