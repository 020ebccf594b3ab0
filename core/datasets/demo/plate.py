"""A stamped sheet-metal plate on a table, as an organised scan with registered RGB.

One structured-light sensor looks down from 420 mm: a pixel's ray meets the height field of plate and table, shadowed
and too steep places are missing, and the camera shades brushed metal under two lamps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.spatial.transform import Rotation

from core.datasets.demo import solids
from core.scan import Scan
from core.synthesis import defects
from core.synthesis.defects import Field, Site

Array = NDArray[np.float32]

KINDS = ("bulge", "dent", "scratch", "hole", "burr", "break", "contamination")
NOISE = 0.03
"""Standard deviation of a height, in mm."""
VISIBLE = 4.0 * NOISE
"""A height that differs by more from the good plate's is labelled, in mm."""
_CAMERA = 420.0
_FIELD = (152.0, 114.0)  # what the sensor sees at the table, in mm
_HALF = (60.0, 40.0)
_TOP = 5.0


def _height(x: Array, y: Array) -> Array:
    """Height of the good plate's surface over the table, 0 beside it and in its holes."""
    outline = solids.rectangle(x, y, *_HALF, 12.0)
    top = np.full_like(x, _TOP)

    bead = np.abs(solids.rectangle(x, y, 46.0, 27.0, 14.0))
    top += 1.6 * _rounded(bead, 3.2)
    dome = solids.disc(x, y, 0.0)
    top += 3.0 * _step(dome, 19.0, 11.5)
    for rib_y in (-13.5, 13.5):
        for rib_x in (-29.5, 29.5):
            top += 1.3 * _rounded(solids.rectangle(x - rib_x, y - rib_y, 9.0, 0.6, 0.5), 3.0)
    around = solids.disc(solids.mirrored(x, 50.5), solids.mirrored(y, 31.5), 0.0)
    top -= 1.1 * _step(around, 8.0, 6.0)
    bend = np.clip(-outline / 3.0, 0.0, 1.0)  # the rim is drawn down over a radius
    top *= np.sqrt(np.maximum(1.0 - (1.0 - bend) ** 2, 0.0))

    slot = solids.rectangle(solids.mirrored(x, 29.5), y, 1.6, 7.0, 1.5)
    opening = np.minimum(np.minimum(around - 3.3, dome - 7.0), slot)
    return np.where((outline > 0) | (opening < 0), 0.0, top).astype(np.float32)


def _step(distance: Array, start: float, end: float) -> Array:
    """0 beyond ``start``, 1 within ``end``, smooth between."""
    t = np.clip((start - distance) / (start - end), 0.0, 1.0)
    return (t * t * (3.0 - 2.0 * t)).astype(np.float32)


def _rounded(distance: Array, half_width: float) -> Array:
    """A rounded ridge of height 1 over the zero set of ``distance``."""
    return np.cos(np.clip(distance / half_width, -1.0, 1.0) * np.pi / 2).astype(np.float32) ** 2


@dataclass(frozen=True, eq=False)
class _Flaw:
    """What a defect does: a change of height, or a stain (center, radius, seed)."""

    field: Field | None = None
    stain: tuple[Array, float, int] | None = None
    center: Array | None = None
    reach: float = 0.0


def scan_plate(defect: str | None, count: int, rng: np.random.Generator, name: str) -> Scan:
    """One organised scan with about ``count`` pixels (3 rows to 4 columns), labelled where a defect shows."""
    rows = round(np.sqrt(count * 0.75))
    shape = (rows, round(rows * 4 / 3))
    scan = _scan(defect, shape, rng, name)
    for _ in range(20):  # a defect that hardly any pixel shows is made again, elsewhere
        if defect is None or _labelled(scan) >= max(3, 25 * min(1.0, count / 60_000)):
            break
        scan = max(scan, _scan(defect, shape, rng, name), key=_labelled)
    return scan


def _labelled(scan: Scan) -> int:
    return 0 if scan.labels is None else int(scan.labels.sum())


def _scan(defect: str | None, shape: tuple[int, int], rng: np.random.Generator, name: str) -> Scan:
    flaw = _make_flaw(defect, rng)
    yaw, shift = np.deg2rad(rng.uniform(-2.0, 2.0)), rng.uniform(-1.5, 1.5, 2)
    spring = rng.uniform(-0.05, 0.05, 5)  # springback: the plate is never quite flat

    column = ((np.arange(shape[1]) + 0.5) / shape[1] - 0.5) * _FIELD[0]
    row = (0.5 - (np.arange(shape[0]) + 0.5) / shape[0]) * _FIELD[1]
    ray_x, ray_y = (a.astype(np.float32) for a in np.meshgrid(column, row))

    def on_part(height: Array) -> tuple[Array, Array]:
        share = 1.0 - height / _CAMERA
        x, y = ray_x * share - shift[0], ray_y * share - shift[1]
        return (
            (np.cos(yaw) * x + np.sin(yaw) * y).astype(np.float32),
            (-np.sin(yaw) * x + np.cos(yaw) * y).astype(np.float32),
        )

    def good(x: Array, y: Array) -> Array:
        return _height(x, y)

    def flawed(x: Array, y: Array) -> Array:
        height = good(x, y)
        if flaw.field is None:
            return height
        points = np.stack([x, y, np.full_like(x, _TOP)], axis=-1).reshape(-1, 3)
        changed = height + flaw.field(points).reshape(height.shape)
        return np.where(height > 0.05, np.maximum(changed, 0.0), height).astype(np.float32)

    height = np.full(shape, _TOP, np.float32)
    before = height
    for _ in range(5):  # fixed point: where the ray, at that height, meets the surface
        before, height = height, flawed(*on_part(height))
    x, y = on_part(height)
    nominal = good(x, y)
    on_plate = nominal > 0.05
    labels = (np.abs(height - nominal) > VISIBLE) if flaw.field is not None else np.zeros(shape, bool)
    stain = np.zeros(shape, np.float32)
    if flaw.stain is not None:
        stain = _stain(x, y, *flaw.stain) * on_plate
        labels = stain > 0.3

    pitch = _FIELD[0] / shape[1]
    slope_y, slope_x = np.gradient(height, -pitch, pitch)
    normal = np.stack([-slope_x, -slope_y, np.ones_like(height)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    missing = (np.abs(height - before) > 0.05) | (normal[..., 2] < 0.30) | _shadow(height, pitch)
    missing |= rng.random(shape) < 0.002
    missing |= _glare(x, y, on_plate, flaw, rng)

    form = spring[0] + spring[1] * x / 30 + spring[2] * y / 30 + spring[3] * (x / 50) ** 2 + spring[4] * x * y / 2500
    image = _photograph(x, y, height, normal, on_plate, stain, yaw, rng)
    measured = height + np.where(on_plate, form, 0.0) + _error(shape, normal, rng)
    share = 1.0 - measured / _CAMERA
    points = np.stack([ray_x * share, ray_y * share, measured], axis=-1)[~missing]
    turn = Rotation.from_euler("xy", [0.8, -0.5], degrees=True).as_matrix()  # the sensor hangs slightly askew
    grid = np.full(shape, -1, np.int32)
    grid[~missing] = np.arange(len(points))
    return Scan(
        points=(points @ turn.T).astype(np.float32),
        colors=image[~missing],
        grid=grid,
        image=image,
        labels=labels[~missing],
        unit="mm",
        name=name,
    )


def _make_flaw(defect: str | None, rng: np.random.Generator) -> _Flaw:
    if defect is None:
        return _Flaw()
    up = (0.0, 0.0, 1.0)
    while True:  # a place on the sheet, away from rim and openings
        place = np.array([rng.uniform(-0.85, 0.85) * _HALF[0], rng.uniform(-0.8, 0.8) * _HALF[1], _TOP], np.float32)
        ring = place[:2] + 5.0 * np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], 1)
        if (_height(ring[:, 0].astype(np.float32), ring[:, 1].astype(np.float32)) > 3.0).all():
            break
    site = Site.at(place, up, rng.uniform(0, 2 * np.pi))
    if defect in ("bulge", "dent"):
        radius, stretch = rng.uniform(3.5, 7.5), rng.uniform(1.0, 1.5)
        height = np.exp(rng.uniform(np.log(0.3), np.log(1.3)))
        sign = 1.0 if defect == "bulge" else -1.0
        field = defects.bulge(site, radius, sign * height, elongation=stretch)
        return _Flaw(field, center=place, reach=radius * stretch)
    if defect == "scratch":
        length = rng.uniform(12.0, 28.0)
        field = defects.scratch(site, length, rng.uniform(1.2, 2.2), rng.uniform(0.25, 0.7), bend=rng.uniform(-2, 2))
        return _Flaw(field, center=place, reach=length / 2)
    if defect == "hole":  # pierced: pushed in, with a torn bottom
        radius, seed = rng.uniform(1.6, 3.2), int(rng.integers(2**31))
        pit = defects.hole(site, radius, rng.uniform(2.0, 3.2), wall=0.6)
        return _Flaw(lambda p: pit(p) * (1.0 + defects.roughness(p, 0.15, 2.0, seed)), center=place, reach=radius)
    if defect == "burr":
        middles, radii = [(0.0, 0.0)] + [(50.5 * i, 31.5 * j) for i in (-1, 1) for j in (-1, 1)], [7.0] + [3.3] * 4
        which = int(rng.integers(5))
        radius = radii[which] + 0.55
        rim = solids.circle((*middles[which], _TOP), radius, 2)
        count = min(len(rim), int(rng.uniform(8.0, 16.0) / 0.25))
        path = rim[(int(rng.integers(len(rim))) + np.arange(count)) % len(rim)]
        field = defects.burr(path, up, rng.uniform(0.7, 1.5), rng.uniform(1.4, 2.0), seed=int(rng.integers(2**31)))
        return _Flaw(field, center=path.mean(axis=0), reach=radius + 2.0)
    if defect == "break":  # a cracked corner hangs down
        side = rng.choice([-1.0, 1.0], 2)
        aim = side * rng.uniform(0.7, 1.0, 2)
        outward = (aim / np.linalg.norm(aim)).astype(np.float32)
        tip = np.array([side[0] * (_HALF[0] - 3.5), side[1] * (_HALF[1] - 3.5), _TOP], np.float32)
        deep, drop, seed = rng.uniform(5.0, 10.0), rng.uniform(0.8, 1.6), int(rng.integers(2**31))

        def cracked(p: Array) -> Array:
            beyond = (p[:, :2] - tip[:2]) @ outward + deep + defects.roughness(p, 0.5, 5.0, seed)
            beyond = np.maximum(beyond, 0.0)
            return np.asarray(-drop * np.clip(2.0 * beyond, 0.0, 1.0) - 0.12 * beyond, np.float32)

        return _Flaw(cracked, center=tip, reach=deep + 6.0)
    radius = rng.uniform(3.0, 7.0)
    return _Flaw(stain=(place, radius, int(rng.integers(2**31))), center=place, reach=radius)


def _stain(x: Array, y: Array, center: Array, radius: float, seed: int) -> Array:
    """(H, W) how strongly an oil stain with a ragged edge covers each pixel, 0..1."""
    points = np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3)
    far = np.hypot(x - center[0], y - center[1]) + defects.roughness(points, 0.22 * radius, radius, seed).reshape(
        x.shape
    )
    return np.clip((radius - far) / (0.25 * radius), 0.0, 1.0).astype(np.float32)


def _shadow(height: Array, pitch: float) -> NDArray[np.bool_]:
    """(H, W) True where the projector, 25 degrees aside of the camera, is hidden by something higher."""
    dark = np.zeros(height.shape, bool)
    for k in range(1, int(4.5 / pitch) + 1):
        other = np.roll(height, k, axis=1)
        other[:, :k] = 0.0
        dark |= other > height + k * pitch / np.tan(np.deg2rad(25.0)) + 0.3
    return dark


def _glare(x: Array, y: Array, on_plate: NDArray[np.bool_], flaw: _Flaw, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(H, W) True where a highlight blinds the sensor: a few ragged blotches on the metal, never on the defect."""
    blind = np.zeros(x.shape, bool)
    for _ in range(int(rng.integers(1, 4))):
        center, radius = rng.uniform(-0.9, 0.9, 2) * _HALF, rng.uniform(1.0, 3.0)
        if flaw.center is not None and np.hypot(*(center - flaw.center[:2])) < radius * 2 + flaw.reach + 2.0:
            continue
        blind |= np.hypot((x - center[0]) / rng.uniform(0.7, 2.0), y - center[1]) < radius
    return blind & on_plate & (rng.random(x.shape) < 0.85)


def _error(shape: tuple[int, int], normal: Array, rng: np.random.Generator) -> Array:
    """(H, W) error of a height: white noise, fringes' ripple, more on slopes."""
    white = rng.normal(0.0, 0.8 * NOISE, shape)
    smooth = gaussian_filter(rng.normal(0.0, 1.0, shape), 2.0) * 2.0 * np.sqrt(np.pi) * 2.0 * 0.4 * NOISE
    ripple = 0.2 * NOISE * np.sin(np.arange(shape[1]) * 0.9 + rng.uniform(0, 2 * np.pi))
    return np.asarray((white + smooth) * (2.0 - normal[..., 2]) + ripple, np.float32)


def _photograph(
    x: Array,
    y: Array,
    height: Array,
    normal: Array,
    on_plate: NDArray[np.bool_],
    stain: Array,
    yaw: float,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """(H, W, 3) the camera's picture: brushed steel with an etched mark on a dark mat, under two lamps."""
    shape = x.shape
    grain = gaussian_filter1d(gaussian_filter1d(rng.normal(size=shape), 9.0, axis=1), 0.5, axis=0)
    grain /= grain.std()
    light = np.zeros(shape)
    for lamp, power, shine in (((-0.5, 0.35, 0.8), 0.55, 0.5), ((0.6, 0.2, 0.77), 0.35, 0.3)):
        way = np.asarray(lamp) / np.linalg.norm(lamp) + rng.uniform(-0.02, 0.02, 3)
        half = way + np.array([0.0, 0.0, 1.0])
        half /= np.linalg.norm(half)
        light += power * np.clip(normal @ way, 0, 1) + shine * np.clip(normal @ half, 0, 1) ** 40
    metal = np.clip(0.16 + 0.62 * light, 0, 1) * (1.0 + 0.035 * grain)
    metal = metal[..., None] * np.array([0.90, 0.93, 0.96])
    mark = _etching(x, y)
    metal *= 1.0 - 0.45 * mark[..., None]
    oil = np.array([0.42, 0.27, 0.12]) * (0.55 + 0.45 * metal.mean(axis=-1, keepdims=True))
    alpha = 0.75 * stain[..., None]
    metal = metal * (1 - alpha) + oil * alpha
    weave = gaussian_filter(rng.normal(size=shape), 0.8)
    mat = (0.13 + 0.02 * weave / weave.std())[..., None] * np.array([0.9, 1.0, 1.15])
    edge = np.clip((gaussian_filter(on_plate.astype(np.float32), 2.5) - 0.0), 0, 1)[..., None]
    mat = mat * (1.0 - 0.6 * edge)  # contact shadow
    picture = np.where(on_plate[..., None], metal, mat) * rng.uniform(0.95, 1.05)
    picture += rng.normal(0.0, 0.008, (*shape, 3))
    return (np.clip(picture, 0, 1) ** (1 / 1.6) * 255).astype(np.uint8)


def _etching(x: Array, y: Array) -> Array:
    """(H, W) the laser mark: a fixed data-matrix square and two lines of bars beside it, 0..1."""
    code = np.random.default_rng(7).random((12, 12)) < 0.5
    code[:, 0] = code[-1, :] = True
    column, row = np.floor((x + 8.0) / 0.7).astype(int), np.floor((-20.5 - y) / 0.7).astype(int)
    inside = (column >= 0) & (column < 12) & (row >= 0) & (row < 12)
    mark = np.zeros(x.shape, np.float32)
    mark[inside] = code[row[inside], column[inside]]
    bars = (x > 2.5) & (x < 14.0) & ((np.abs(y + 22.6) < 0.8) | (np.abs(y + 26.2) < 0.8)) & (np.sin(x * 5.1) > -0.3)
    return np.maximum(mark, bars.astype(np.float32))
