"""A die-cast housing: drafted box on a bolted flange, cooling fins, a bored boss, a side port, stiffening ribs."""

from __future__ import annotations

import numpy as np

from core.datasets.demo import solids
from core.datasets.demo.solids import Array, Pose, Solid


def _distance(x: Array, y: Array, z: Array) -> Array:
    flange = solids.extrude(solids.rectangle(x, y, 60.0, 48.0, 12.0), z, 0.0, 7.0, 0.8)
    draft = (0.05 * (z - 7.0)).astype(np.float32)
    body = solids.extrude(solids.rectangle(x, y, 47.0 - draft, 35.0 - draft, 9.0), z, 0.0, 36.0, 2.5)
    part = solids.join(flange, body, 5.0)

    rib = np.maximum(np.abs(np.abs(np.abs(x) - 20.0) - 10.0) - 1.8, z - 30.0)
    rib = np.maximum(np.maximum(rib, np.abs(y) - 40.0 + 0.05 * z), 33.0 - np.abs(y))
    part = solids.join(part, rib, 2.0)

    nearest_fin = np.clip(np.round((y + 5.0) / 10.0), -2, 3) * 10.0 - 5.0
    fin_half = 1.6 - 0.03 * (z - 36.0)
    fin = solids.rectangle(x + 19.0, (y - nearest_fin).astype(np.float32), 21.0, fin_half, 1.2)
    fin = solids.extrude(fin, z, 33.0, 44.0, 0.5)
    part = solids.join(part, fin, 1.6)

    around_boss = solids.disc(x - 25.0, y, 0.0)
    part = solids.join(part, solids.extrude(around_boss - 16.0, z, 30.0, 46.0, 1.0), 3.0)
    part = solids.cut(part, solids.extrude(around_boss - 9.5, z, 26.0, 60.0), 1.0)
    angle = np.arctan2(y, x - 25.0)
    sector = np.round((angle - np.pi / 4) / (np.pi / 2)) * (np.pi / 2) + np.pi / 4
    screw = solids.disc(x - 25.0 - 12.8 * np.cos(sector), y - 12.8 * np.sin(sector), 1.4).astype(np.float32)
    part = solids.cut(part, solids.extrude(screw, z, 39.0, 60.0), 0.4)

    around_port = solids.disc(y, z - 20.0, 0.0)
    part = solids.join(part, solids.extrude(around_port - 10.5, x, 40.0, 57.0, 0.8), 2.5)
    part = solids.cut(part, solids.extrude(around_port - 7.0, x, 42.0, 70.0), 0.6)

    bolt = solids.disc(solids.mirrored(x, 51.5), solids.mirrored(y, 39.5), 0.0)
    part = solids.join(part, solids.extrude(bolt - 7.5, z, 0.0, 9.0, 0.6), 2.0)
    return solids.cut(part, bolt - 3.6, 0.6)


HOUSING = Solid(
    name="housing",
    distance=_distance,
    low=(-62.0, -50.0, -2.0),
    high=(62.0, 50.0, 48.0),
    edges=(
        solids.edge(solids.line((-45, -48, 6.9), (45, -48, 6.9)), 0, 0, 1),
        solids.edge(solids.line((-45, 48, 6.9), (45, 48, 6.9)), 0, 0, 1),
        solids.edge(solids.circle((25, 0, 46), 10.0, 2), 0, 0, 1),
        solids.edge(solids.line((-60, -30, 6.9), (-60, 30, 6.9)), 0, 0, 1),
        solids.edge(solids.circle((57, 0, 20), 7.4, 0), 1, 0, 0),
    ),
    corners=(
        solids.corner((-56.5, -44.5, 8.5), (-1, -1, 0.5)),
        solids.corner((56.5, -44.5, 8.5), (1, -1, 0.5)),
        solids.corner((-56.5, 44.5, 8.5), (-1, 1, 0.5)),
        solids.corner((-40, -25, 44), (-1, 0, 1)),
        solids.corner((-40, 15, 44), (-1, 0, 1)),
        solids.corner((2, 5, 44), (1, 0, 1)),
    ),
    pose=Pose(yaw=1.5, tilt=0.4, shift=1.0),
)
