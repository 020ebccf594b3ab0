"""Procedural shapes: an endless supply of clouds to pretrain on and to probe with, made by formula on the fly.

Two groups of families. ``FAMILIES`` are what a backbone is pretrained on; ``HELD_OUT`` look like the parts of industry
(gears, bolts, brackets, ...) and are kept away from pretraining, so that a probe on them says how well the features
carry over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from core.synthesis.alterations import altered
from core.synthesis.surfaces import (
    Points,
    Profile,
    Solid,
    on_extrusion,
    on_grid,
    on_revolution,
    on_union,
    random_rotation,
)

Family = Callable[[np.random.Generator, int], Points]


def procedural_cloud(
    rng: np.random.Generator, points: int = 1024, family: str | None = None, *, alter: bool = True
) -> Points:
    """A random shape as a cloud in the unit sphere.

    Parameters
    ----------
    rng : numpy Generator
        The only source of chance: the same state gives the same cloud.
    points : int
        Size of the cloud.
    family : str, optional
        One of ``FAMILIES`` or ``HELD_OUT``; otherwise one of ``FAMILIES`` is drawn.
    alter : bool
        Whether cuts, bites, one-sided views and noise may happen to the shape, as they do to real scans.

    Returns
    -------
    (points, 3) float32 array
        Mean at the origin, farthest point at distance 1.
    """
    name = family if family is not None else _NAMES[rng.integers(len(_NAMES))]
    make = FAMILIES[name] if name in FAMILIES else HELD_OUT[name]
    cloud = make(rng, 2 * points)
    if alter:
        cloud = altered(rng, cloud, points)
    return unit_sphere(_exactly(rng, cloud, points))


def unit_sphere(points: NDArray[np.floating]) -> Points:
    """Shift the mean to the origin and scale the farthest point to distance 1, as Point-MAE's training data."""
    centred = points - points.mean(0, dtype=np.float64)
    radius = np.sqrt((centred * centred).sum(1).max())
    return (centred / max(radius, 1e-12)).astype(np.float32)


def _exactly(rng: np.random.Generator, cloud: Points, count: int) -> Points:
    if len(cloud) >= count:
        return cloud[rng.choice(len(cloud), count, replace=False)]
    return np.concatenate([cloud, cloud[rng.integers(len(cloud), size=count - len(cloud))]])


def _closed_star(rng: np.random.Generator) -> Profile:
    """A random star-shaped outline: a polygon, a rounded blob or a rounded rectangle."""
    kind = rng.integers(4)
    if kind == 0:
        n = int(rng.integers(3, 9))
        angle = (np.arange(n) + rng.uniform(-0.25, 0.25, n)) * 2 * np.pi / n
        radius = rng.uniform(0.6, 1.0, n) if rng.random() < 0.6 else np.ones(n)
    elif kind == 1:
        n, angle = 64, np.linspace(0, 2 * np.pi, 64, endpoint=False)
        radius = np.ones(n)
        for k in range(2, 6):
            radius += rng.uniform(-0.25, 0.25) / k * np.cos(k * angle + rng.uniform(0, 6.3))
    elif kind == 2:
        n, angle = 64, np.linspace(0, 2 * np.pi, 64, endpoint=False)
        power = rng.uniform(2, 10)
        radius = (np.abs(np.cos(angle)) ** power + np.abs(np.sin(angle)) ** power) ** (-1 / power)
    else:
        n = 2 * int(rng.integers(4, 12))
        angle = np.arange(n) * 2 * np.pi / n
        radius = np.where(np.arange(n) % 2 == 0, 1.0, rng.uniform(0.45, 0.9))
    return Profile.star(np.stack([radius * np.cos(angle) * rng.uniform(0.4, 1.0), radius * np.sin(angle)], 1))


def _angular(rng: np.random.Generator) -> Profile:
    """A random L, T, U, I or + section made of bars."""
    w, h, t = rng.uniform(0.7, 2.0), rng.uniform(0.7, 2.0), rng.uniform(0.12, 0.45)
    s = rng.uniform(0.12, 0.45)
    kind = rng.integers(4)
    outline: list[tuple[float, float]]
    boxes: list[tuple[float, float, float, float]]
    if kind == 0:
        outline = [(0, 0), (w, 0), (w, t), (s, t), (s, h), (0, h)]
        boxes = [(0, 0, w, t), (0, t, s, h)]
    elif kind == 1:
        a = rng.uniform(0.15, 0.85) * (w - s)
        outline = [(0, 0), (w, 0), (w, t), (a + s, t), (a + s, h), (a, h), (a, t), (0, t)]
        boxes = [(0, 0, w, t), (a, t, a + s, h)]
    elif kind == 2:
        outline = [(0, 0), (w, 0), (w, h), (w - s / 2, h), (w - s / 2, t), (s / 2, t), (s / 2, h), (0, h)]
        boxes = [(0, 0, w, t), (0, t, s / 2, h), (w - s / 2, t, w, h)]
    else:
        a, u = rng.uniform(0.2, 0.8) * (w - s), t / 2
        b = [(0, 0), (w, 0), (w, u), (a + s, u), (a + s, h - u), (w, h - u), (w, h), (0, h), (0, h - u), (a, h - u)]
        outline = [*b, (a, u), (0, u)]
        boxes = [(0, 0, w, u), (a, u, a + s, h - u), (0, h - u, w, h)]
    middle = np.array([w, h]) / 2
    return Profile.rectangles(
        [(x - middle[0], y - middle[1]) for x, y in outline], np.array(boxes, float) - np.tile(middle, 2)
    )


def _holes(rng: np.random.Generator, profile: Profile) -> list[tuple[float, float, float]]:
    low, high = profile.outline.min(0), profile.outline.max(0)
    number = int(rng.integers(0, 6))
    radius = rng.uniform(0.04, 0.3, number)
    return [(*(low + rng.random(2) * (high - low)), float(r)) for r in radius]


def _extrusion(rng: np.random.Generator, count: int) -> Points:
    profile = _closed_star(rng) if rng.random() < 0.55 else _angular(rng)
    height = float(np.exp(rng.uniform(np.log(0.08), np.log(3.0))))
    return on_extrusion(rng, profile, height, count, _holes(rng, profile), caps=rng.random() < 0.85)


def _profile_curve(rng: np.random.Generator) -> NDArray[np.float64]:
    """A turned part's contour (M, 2): steps, cones, grooves and curves from one end to the other."""
    radius, z = rng.uniform(0.1, 1.0), 0.0
    corners = [(0.0 if rng.random() < 0.8 else 0.6 * radius, z), (radius, z)]
    for _ in range(int(rng.integers(1, 7))):
        kind, length = rng.integers(4), rng.uniform(0.1, 1.0)
        if kind == 0:
            corners.append((radius, z + length))
        elif kind == 1:
            radius_next = rng.uniform(0.1, 1.0)
            corners.append((radius_next, z + length))
            radius = radius_next
        elif kind == 2:
            corners.append((radius, z + length))
            radius = rng.uniform(0.1, 1.0)
            corners.append((radius, z + length))
        else:
            t = np.linspace(0, 1, 12)[1:]
            bulge, radius_next = rng.uniform(-0.5, 0.5) * radius, rng.uniform(0.1, 1.0)
            curve = np.maximum(radius + t * (radius_next - radius) + bulge * np.sin(np.pi * t), 0.03)
            corners.extend(zip(curve, z + t * length, strict=True))
            radius = float(curve[-1])
        z += length
    if rng.random() < 0.8:
        bore = 0.0 if rng.random() < 0.6 else radius * rng.uniform(0.2, 0.8)
        corners.append((bore, z))
        if bore > 0 and rng.random() < 0.7:
            corners.append((bore, z - rng.uniform(0.1, 0.9) * z))
    return np.array(corners)


def _revolution(rng: np.random.Generator, count: int) -> Points:
    cloud = on_revolution(rng, _profile_curve(rng), count)
    if rng.random() < 0.2:
        angle = np.arctan2(cloud[:, 1], cloud[:, 0])
        cloud = cloud[angle < rng.uniform(-0.5, 2.8)]
    return cloud * np.array([1.0, rng.uniform(0.6, 1.0) if rng.random() < 0.2 else 1.0, 1.0], np.float32)


def _superquadric(rng: np.random.Generator, count: int) -> Points:
    """Barr 1981: signed powers of sine and cosine; with a tapering and a bend at times."""
    e1, e2 = rng.uniform(0.15, 2.2, 2)
    v, u = np.meshgrid(np.linspace(-np.pi / 2, np.pi / 2, 33), np.linspace(-np.pi, np.pi, 49))
    a, b, c = np.exp(rng.uniform(np.log(0.25), 0.0, 3))
    cos_v = _power(np.cos(v), e1)
    if rng.random() < 0.2:
        cos_v = cos_v + rng.uniform(1.3, 3.0)
    x, y, z = a * cos_v * _power(np.cos(u), e2), b * cos_v * _power(np.sin(u), e2), c * _power(np.sin(v), e1)
    if rng.random() < 0.4:
        scale = 1 + rng.uniform(-0.6, 0.6) * z / c
        x, y = x * scale, y * scale
    if rng.random() < 0.3:
        x = x + rng.uniform(-0.6, 0.6) * (z / c) ** 2
    return on_grid(rng, np.stack([x, y, z], -1), count)


def _power(value: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    return np.sign(value) * np.abs(value) ** exponent


def _blob(rng: np.random.Generator, count: int) -> Points:
    """A ball whose radius carries smooth waves and a few bumps or dents."""
    v, u = np.meshgrid(np.linspace(0, np.pi, 41), np.linspace(-np.pi, np.pi, 65))
    direction = np.stack([np.sin(v) * np.cos(u), np.sin(v) * np.sin(u), np.cos(v)], -1)
    radius = np.ones(v.shape)
    for _ in range(int(rng.integers(1, 5))):
        wave = rng.normal(size=3)
        wave *= rng.uniform(1.0, 7.0) / np.linalg.norm(wave)
        radius += rng.uniform(0.02, 0.22) * np.sin(direction @ wave + rng.uniform(0, 6.3))
    for _ in range(int(rng.integers(0, 5))):
        axis = rng.normal(size=3)
        away = 1 - direction @ (axis / np.linalg.norm(axis))
        radius += rng.uniform(-0.4, 0.4) * np.exp(-away / rng.uniform(0.01, 0.2))
    scale = np.exp(rng.uniform(np.log(0.35), 0.0, 3))
    return on_grid(rng, direction * np.maximum(radius, 0.15)[..., None] * scale, count)


def _sheet(rng: np.random.Generator, count: int) -> Points:
    """A stamped or cast surface seen from one side: waves, bumps, steps, ribs and pockets on a curved sheet."""
    x, y = np.meshgrid(np.linspace(-1, 1, 57), np.linspace(-1, 1, 57))
    y = y * rng.uniform(0.35, 1.0)
    z = rng.uniform(-0.5, 0.5) * x**2 + rng.uniform(-0.5, 0.5) * y**2 + rng.uniform(-0.3, 0.3) * x * y
    for _ in range(int(rng.integers(1, 7))):
        angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3)
        a, b = rng.uniform(-0.8, 0.8, 2)
        along = (x - a) * np.cos(angle) + (y - b) * np.sin(angle)
        across = (y - b) * np.cos(angle) - (x - a) * np.sin(angle)
        kind, width, sharp = rng.integers(5), rng.uniform(0.06, 0.4), rng.uniform(8, 60)
        if kind == 0:
            z += depth * np.exp(-(along**2 + across**2) / (2 * width**2))
        elif kind == 1:
            z += depth * 0.5 * (1 + np.tanh(sharp * along))
        elif kind == 2:
            z += depth * 0.5 * (1 + np.tanh(sharp * (width - np.abs(along))))
        elif kind == 3:
            z += depth * 0.5 * (1 + np.tanh(sharp * (width - np.hypot(along, across))))
        else:
            z += 0.25 * depth * np.sin(along * rng.uniform(4, 20))
    cloud = on_grid(rng, np.stack([x, y, z], -1), count)
    for _ in range(int(rng.integers(0, 4))):
        centre = cloud[rng.integers(len(cloud)), :2]
        cloud = cloud[np.hypot(*(cloud[:, :2] - centre).T) > rng.uniform(0.05, 0.25)]
    return cloud


def _sweep(
    curve: NDArray[np.float64], section: NDArray[np.float64], radius: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The grid (M, S, 3) that a closed section (S, 2) spans along a curve (M, 3), scaled by ``radius`` (M,).

    The frame turns as little as it can along the curve (parallel transport), so that no twist appears.
    """
    tangent = np.gradient(curve, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-12
    normal = np.empty_like(curve)
    first = np.cross(tangent[0], np.eye(3)[np.abs(tangent[0]).argmin()])
    normal[0] = first / np.linalg.norm(first)
    for i in range(1, len(curve)):
        moved = normal[i - 1] - (normal[i - 1] @ tangent[i]) * tangent[i]
        normal[i] = moved / np.sqrt(moved @ moved)
    binormal = np.cross(tangent, normal)
    a, b = section[None, :, :1] * normal[:, None], section[None, :, 1:] * binormal[:, None]
    return curve[:, None] + radius[:, None, None] * (a + b)


def _ring(corners: int, power: float = 2.0, ratio: float = 1.0) -> NDArray[np.float64]:
    angle = np.linspace(0, 2 * np.pi, corners + 1)
    radius = (np.abs(np.cos(angle)) ** power + np.abs(np.sin(angle)) ** power) ** (-1 / power)
    return np.stack([radius * np.cos(angle), ratio * radius * np.sin(angle)], 1)


def _pipe(rng: np.random.Generator, count: int) -> Points:
    """A tube or bar along a smooth random curve."""
    t = np.linspace(0, 1, 48)
    curve = np.zeros((48, 3))
    curve[:, 0] = rng.uniform(0.5, 2.0) * t
    for k in range(1, int(rng.integers(2, 5))):
        curve += rng.normal(size=3) * 0.5 / k * np.sin(k * np.pi * t[:, None] + rng.uniform(0, 6.3, 3))
    radius = np.full(48, rng.uniform(0.06, 0.35))
    if rng.random() < 0.5:
        radius = radius * (1 + rng.uniform(0, 0.5) * np.sin(rng.uniform(2, 30) * t + rng.uniform(0, 6.3)))
    corners = int(rng.choice([3, 4, 5, 6, 24]))
    section = _ring(24, rng.uniform(2, 8), rng.uniform(0.3, 1.0)) if corners == 24 else _ring(corners)
    return on_grid(rng, _sweep(curve, section, radius), count)


def _solid(rng: np.random.Generator, spread: float, turned: bool) -> Solid:
    kind = str(rng.choice(["box", "box", "frustum", "frustum", "ball", "torus"]))
    a, b, c = np.exp(rng.uniform(np.log(0.12), np.log(0.8), 3))
    if kind == "frustum" and rng.random() < 0.7:
        b = a
    if kind == "torus":
        a, b = 0.3 + 0.5 * rng.random(), 0.05 + 0.15 * rng.random()
    rotation = random_rotation(rng) if turned else np.eye(3)[rng.permutation(3)]
    return Solid(kind, (float(a), float(b), float(c)), rotation, rng.uniform(-spread, spread, 3))


def _composed(rng: np.random.Generator, count: int) -> Points:
    """Two to six boxes, cylinders, cones, balls and rings joined to one surface."""
    number, spread = int(rng.integers(1, 7)), rng.uniform(0.2, 0.8)
    turned = rng.random() < 0.5
    return on_union(rng, [_solid(rng, spread, turned) for _ in range(number)], int(1.5 * count))


def _assembly(rng: np.random.Generator, count: int) -> Points:
    """Several shapes of other families set beside and into one another."""
    number = int(rng.integers(2, 4))
    pieces = []
    for _ in range(number):
        make = _SINGLE[rng.integers(len(_SINGLE))]
        piece = unit_sphere(make(rng, count // number)) * rng.uniform(0.4, 1.0)
        pieces.append(piece @ random_rotation(rng) + rng.uniform(-0.7, 0.7, 3))
    return np.concatenate(pieces).astype(np.float32)


def _gear(rng: np.random.Generator, count: int) -> Points:
    teeth = int(rng.integers(8, 25))
    phase = np.array([0.0, 0.25, 0.5, 0.75]) + rng.uniform(-0.04, 0.04)
    angle = ((np.arange(teeth)[:, None] + phase) * 2 * np.pi / teeth).ravel()
    radius = np.tile([1.0, 1.0, rng.uniform(0.7, 0.88), 0.0], teeth)
    radius[3::4] = radius[2::4]
    profile = Profile.star(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1))
    return on_extrusion(rng, profile, rng.uniform(0.15, 0.8), count, [(0.0, 0.0, rng.uniform(0.12, 0.4))])


def _spring(rng: np.random.Generator, count: int) -> Points:
    turns = rng.uniform(3, 8)
    angle = np.linspace(0, 2 * np.pi * turns, int(20 * turns))
    radius = 1.0 + rng.uniform(-0.4, 0.0) * angle / angle[-1]
    height = np.linspace(0, rng.uniform(1.5, 4.0), len(angle))
    curve = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], 1)
    return on_grid(rng, _sweep(curve, _ring(10), np.full(len(angle), rng.uniform(0.08, 0.18))), count)


def _bolt(rng: np.random.Generator, count: int) -> Points:
    length, radius = rng.uniform(1.5, 4.0), rng.uniform(0.35, 0.55)
    angle, z = np.meshgrid(np.linspace(0, 2 * np.pi, 49), np.linspace(0, length, 81))
    thread = radius * (1 + 0.12 * np.sin(angle + 2 * np.pi * z / rng.uniform(0.2, 0.4)))
    shaft_grid = np.stack([thread * np.cos(angle), thread * np.sin(angle), z], -1)
    corner = np.arange(6) * np.pi / 3
    head = Profile.star(np.stack([np.cos(corner), np.sin(corner)], 1))
    share = int(count * length * radius / (length * radius + 2.0))
    top = on_extrusion(rng, head, rng.uniform(0.4, 0.8), count - share) + np.array([0, 0, length], np.float32)
    return np.concatenate([on_grid(rng, shaft_grid, share), top])


def _plate(rng: np.random.Generator, size: tuple[float, float], thick: float, holes: int, count: int) -> Points:
    a, b = size
    outline = [(-a, -b), (a, -b), (a, b), (-a, b)]
    bores = [(*(rng.uniform(-0.8, 0.8, 2) * size), rng.uniform(0.08, 0.25) * min(a, b)) for _ in range(holes)]
    return on_extrusion(rng, Profile.star(np.array(outline)), thick, count, bores)


def _bracket(rng: np.random.Generator, count: int) -> Points:
    width, thick = rng.uniform(0.4, 1.0), rng.uniform(0.06, 0.2)
    a, b = rng.uniform(0.6, 1.2, 2)
    share = int(count * a / (a + b))
    foot = _plate(rng, (a, width), thick, int(rng.integers(1, 5)), share)
    wall = _plate(rng, (b, width), thick, int(rng.integers(1, 5)), count - share)[:, [2, 1, 0]]
    return np.concatenate([foot, wall + np.array([-a, 0, b], np.float32)])


def _ribbed(rng: np.random.Generator, count: int) -> Points:
    a, b, thick = 1.0, rng.uniform(0.5, 1.0), rng.uniform(0.04, 0.1)
    solids = [Solid("box", (a, b, thick))]
    height = rng.uniform(0.1, 0.35)
    for x in np.linspace(-0.8, 0.8, int(rng.integers(3, 7))):
        solids.append(Solid("box", (0.04, b, height), center=np.array([x, 0.0, height])))
    if rng.random() < 0.5:
        solids.append(Solid("box", (a, 0.04, height), center=np.array([0.0, 0.0, height])))
    return on_union(rng, solids, int(1.3 * count))


def _flange(rng: np.random.Generator, count: int) -> Points:
    bore, number, height = rng.uniform(0.15, 0.35), int(rng.integers(4, 9)), rng.uniform(0.3, 1.2)
    circle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    disc = Profile.star(np.stack([np.cos(circle), np.sin(circle)], 1))
    around = np.arange(number) * 2 * np.pi / number
    holes = [(0.75 * np.cos(t), 0.75 * np.sin(t), 0.1) for t in around]
    hub = np.array([[bore, 0.0], [bore, height], [bore + 0.15, height], [bore + 0.15, 0.0]])
    share = int(count * 0.7)
    return np.concatenate(
        [
            on_extrusion(rng, disc, rng.uniform(0.08, 0.2), share, [(0.0, 0.0, bore), *holes]),
            on_revolution(rng, hub, count - share),
        ]
    )


def _elbow(rng: np.random.Generator, count: int) -> Points:
    bend, radius = rng.uniform(np.pi / 3, np.pi), rng.uniform(0.2, 0.45)
    t = np.linspace(0, bend, 40)
    arc = np.stack([np.cos(t), np.sin(t), np.zeros(40)], 1)
    swell = np.where((np.arange(40) < 4) | (np.arange(40) > 35), 1.5, 1.0) * radius
    return on_grid(rng, _sweep(arc, _ring(24), swell), count)


def _wheel(rng: np.random.Generator, count: int) -> Points:
    number, tube = int(rng.integers(3, 9)), rng.uniform(0.06, 0.16)
    solids = [Solid("torus", (1.0, tube, 0.0)), Solid("frustum", (0.22, 0.22, rng.uniform(0.1, 0.3)))]
    for angle in np.arange(number) * 2 * np.pi / number:
        c, s = np.cos(angle), np.sin(angle)
        turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        solids.append(Solid("box", (0.5, 0.06, 0.05), turn, np.array([0.5 * c, 0.5 * s, 0.0])))
    return on_union(rng, solids, int(1.3 * count))


_SINGLE: tuple[Family, ...] = (_composed, _extrusion, _revolution, _superquadric, _blob, _pipe)

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "composed": _composed,
        "extrusion": _extrusion,
        "revolution": _revolution,
        "superquadric": _superquadric,
        "blob": _blob,
        "sheet": _sheet,
        "pipe": _pipe,
        "assembly": _assembly,
    }
)
"""Families that a backbone is pretrained on."""

HELD_OUT: Mapping[str, Family] = MappingProxyType(
    {
        "gear": _gear,
        "spring": _spring,
        "bolt": _bolt,
        "bracket": _bracket,
        "ribbed plate": _ribbed,
        "flange": _flange,
        "elbow": _elbow,
        "spoked wheel": _wheel,
    }
)
"""Families that pretraining never sees; the probe tells them apart."""

_NAMES = tuple(FAMILIES)
