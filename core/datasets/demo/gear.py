"""A spur gear: 26 teeth of module 3.5, hub with bore and keyway, recessed web with lightening holes."""

from __future__ import annotations

import numpy as np

from core.datasets.demo import solids
from core.datasets.demo.solids import Array, Pose, Solid

_TEETH, _MODULE = 26, 3.5
_PITCH_RADIUS = _TEETH * _MODULE / 2
_TIP, _ROOT = _PITCH_RADIUS + _MODULE, _PITCH_RADIUS - 1.25 * _MODULE
_WIDTH = 18.0


def _distance(x: Array, y: Array, z: Array) -> Array:
    radius = solids.disc(x, y, 0.0)
    pitch = 2 * np.pi / _TEETH
    angle = np.arctan2(y, x)
    angle = np.abs(angle - np.round(angle / pitch) * pitch)  # one flank stands for all
    across, out = radius * np.sin(angle), radius * np.cos(angle) - _PITCH_RADIUS
    half = np.pi * _MODULE / 4 - 0.36 * out - 0.025 * out * out  # pressure angle 20 degrees, flank slightly curved
    flank = np.asarray((across - half) * 0.94, np.float32)
    tooth = solids.cut(flank, np.asarray(_MODULE - out, np.float32), 0.8)
    rim = solids.join(radius - _ROOT, tooth, 1.2)
    part = solids.extrude(rim, z, 0.0, _WIDTH, 0.5)

    web = solids.extrude(np.abs(radius - 26.0) - 9.0, z, 13.5, 30.0)
    part = solids.cut(part, web, 1.6)
    hub = solids.extrude(radius - 17.0, z, 0.0, 25.0, 0.8)
    part = solids.join(part, hub, 2.0)
    bore = solids.join(radius - 10.0, solids.rectangle(x - 10.0, y, 3.4, 3.0, 0.3), 0.2)
    part = solids.cut(part, bore, 1.0)
    step = 2 * np.pi / 6
    angle = np.arctan2(y, x)
    center = (np.round(angle / step - 0.5) + 0.5) * step
    light_x, light_y = (26.0 * f(center).astype(np.float32) for f in (np.cos, np.sin))
    light = solids.disc(x - light_x, y - light_y, 5.5)
    return solids.cut(part, light, 0.8)


def _on_tooth(tooth: int) -> tuple[float, float]:
    angle = 2 * np.pi * tooth / _TEETH
    return float(np.cos(angle)), float(np.sin(angle))


GEAR = Solid(
    name="gear",
    distance=_distance,
    low=(-51.0, -51.0, -2.0),
    high=(51.0, 51.0, 27.0),
    edges=(
        solids.edge(solids.circle((0, 0, _WIDTH), 36.0, 2), 0, 0, 1),
        solids.edge(solids.circle((0, 0, 25.0), 16.7, 2), 0, 0, 1),
        solids.edge(solids.circle((0, 0, 25.0), 10.5, 2), 0, 0, 1),
        *(
            solids.edge(solids.line((c * _ROOT, s * _ROOT, _WIDTH), (c * _TIP, s * _TIP, _WIDTH)), 0, 0, 1)
            for c, s in (_on_tooth(3), _on_tooth(11), _on_tooth(17))
        ),
    ),
    corners=tuple(
        solids.corner((c * _TIP, s * _TIP, _WIDTH), (c, s, 0.7))
        for c, s in (_on_tooth(t) for t in (1, 5, 9, 14, 18, 23))
    ),
    pose=Pose(yaw=180.0, tilt=0.4, shift=2.0),
)
