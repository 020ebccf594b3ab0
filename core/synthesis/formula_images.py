"""Images made by formula: classes without a photograph, to pretrain an image network on.

Formula-driven supervised learning: H. Kataoka et al., *Pre-training without Natural Images*, ACCV 2020 (fractals), and
*Replacing Labeled Real-image Datasets with Auto-generated Contours*, CVPR 2022 (radial contours). A class is a set of
parameters drawn from its number; an image of it is one draw of what the parameters leave open: phases, places, views,
lights, colours. Beside the published two kinds, there are random fields with a class's spectrum, warped lattices,
shaded reliefs of machined features and shaded clouds of the procedural shapes, which look like what the network will
be asked about.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from core.geometry.normals import estimate_normals
from core.synthesis.shapes import FAMILIES, procedural_cloud
from core.synthesis.surfaces import random_rotation

Image = NDArray[np.float32]
Kind = Callable[[np.random.Generator, np.random.Generator, int], Image]
"""(class's draws, image's draws, size) to a field (size, size) or a coloured image (size, size, 3), in [0, 1]."""

_CLASS_SEED = 40_961  # classes are the same in every run, whatever its seed
_SHAPE_POINTS = 12_000


def formula_image(label: int, rng: np.random.Generator, size: int = 128) -> Image:
    """One image of a class.

    Parameters
    ----------
    label : int
        The class, >= 0. Its kind is ``label`` modulo the number of kinds.
    rng : numpy Generator
        What differs between images of one class; the same state gives the same image.
    size : int
        Pixels on a side.

    Returns
    -------
    (size, size, 3) float32 array
        RGB in [0, 1].
    """
    of_class = np.random.default_rng([_CLASS_SEED, label])
    return _colored(KINDS[label % len(KINDS)](of_class, rng, size), rng)


def _colored(field: Image, rng: np.random.Generator) -> Image:
    """A field through a palette of two to four colours; little colour half of the time, as in a plant."""
    if field.ndim == 3:
        return field
    stops = np.sort(rng.random(rng.integers(2, 5)))
    stops[0], stops[-1] = 0.0, 1.0
    colors = rng.random((len(stops), 3))
    if rng.random() < 0.5:
        colors = colors.mean(1, keepdims=True) + 0.15 * (colors - colors.mean(1, keepdims=True))
    if np.ptp(colors.mean(1)) < 0.3:  # too flat to see
        colors[0], colors[-1] = 0.15 * colors[0], 0.85 + 0.15 * colors[-1]
    return np.stack([np.interp(field, stops, channel) for channel in colors.T], -1).astype(np.float32)


def _stretched(field: NDArray[np.floating]) -> Image:
    """To [0, 1], by the first and last percent of the values."""
    low, high = np.quantile(field.ravel()[::7], (0.01, 0.99))
    return np.clip((field - low) / max(high - low, 1e-9), 0, 1).astype(np.float32)


def _axes(size: int) -> tuple[Image, Image]:
    line = np.linspace(-1, 1, size, dtype=np.float32)
    return line[None, :], line[:, None]


@lru_cache(maxsize=4)
def _frequencies(size: int) -> tuple[Image, Image]:
    along = np.fft.rfftfreq(size, 1 / size).astype(np.float32)[None, :]
    down = np.fft.fftfreq(size, 1 / size).astype(np.float32)[:, None]
    return np.hypot(along, down), np.arctan2(down, along)


def _field_with(amplitude: Image, rng: np.random.Generator, size: int) -> Image:
    """A random field with that spectrum."""
    phases = np.exp(2j * np.pi * rng.random(amplitude.shape, dtype=np.float32))
    return np.fft.irfft2(amplitude * phases, s=(size, size)).astype(np.float32)


def _smooth(rng: np.random.Generator, size: int, cutoff: float) -> Image:
    """A smooth random field with unit deviation and no finer detail than ``cutoff`` waves across."""
    radius, _ = _frequencies(size)
    made = _field_with(np.exp(-((radius / cutoff) ** 2)) * (radius > 0), rng, size)
    return made / max(float(made.std()), 1e-9)


def _bent(field: Image, of_class: np.random.Generator) -> Image:
    """One of the ways a class has of making something else of a field."""
    way, strength = of_class.integers(4), of_class.uniform(1.0, 3.0)
    field = field / max(float(field.std()), 1e-9)
    if way == 1:
        field = np.abs(field)
    elif way == 2:
        field = np.tanh(3 * strength * (field - of_class.uniform(-0.7, 0.7)))
    elif way == 3:
        field = np.sin(strength * 2 * field)
    return _stretched(field)


def _spectral(of_class: np.random.Generator, rng: np.random.Generator, size: int) -> Image:
    """A random field: a few bands of the class's frequencies and directions over a falling spectrum."""
    radius, angle = _frequencies(size)
    amplitude = of_class.uniform(0, 0.4) / np.maximum(radius, 1) ** of_class.uniform(0.7, 2.0)
    for _ in range(of_class.integers(1, 4)):
        middle, wide = 3 * 13 ** of_class.random(), of_class.uniform(0.08, 0.4)
        band = np.exp(-0.5 * (np.log(np.maximum(radius, 0.5) / middle) / wide) ** 2)
        if of_class.random() < 0.7:
            off = np.sin(angle - of_class.uniform(0, np.pi) - rng.normal(0, 0.05))
            band = band * np.exp(-((off / of_class.uniform(0.1, 0.5)) ** 2))
        amplitude = amplitude + of_class.uniform(0.3, 1) * band / middle
    return _bent(_field_with((amplitude * (radius > 0)).astype(np.float32), rng, size), of_class)


def _lattice(of_class: np.random.Generator, rng: np.random.Generator, size: int) -> Image:
    """Waves in the class's directions over a place that is warped: stripes, grids, honeycombs, weaves."""
    x, y = _axes(size)
    warp = rng.uniform(0, 0.08)
    x, y = x + warp * _smooth(rng, size, 3), y + warp * _smooth(rng, size, 3)
    base, count = of_class.uniform(0, np.pi) + rng.normal(0, 0.05), of_class.integers(1, 5)
    frequency = np.pi * 3 * 8 ** of_class.random() * rng.uniform(0.9, 1.1)
    field = np.zeros((size, size), np.float32)
    for i in range(count):
        turn = base + np.pi * i / count
        wave = np.cos(
            frequency * of_class.uniform(0.8, 1.25) * (np.cos(turn) * x + np.sin(turn) * y) + rng.uniform(0, 6.3)
        )
        field = np.maximum(field, wave) if of_class.random() < 0.3 else field + wave
    return _bent(field, of_class)


def _fractal(of_class: np.random.Generator, rng: np.random.Generator, size: int) -> Image:
    """An iterated function system, played as a game of chance."""
    count = int(of_class.integers(2, 7))
    maps, shifts = np.empty((count, 2, 2)), of_class.uniform(-1, 1, (count, 2))
    for i in range(count):
        a, b = of_class.uniform(0, 2 * np.pi, 2)
        large = of_class.uniform(0.4, 0.85)
        small = large * of_class.uniform(0.3, 1.0)
        turn, back = (np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]]) for t in (a, b))
        maps[i] = turn @ np.diag([large, small * of_class.choice([-1, 1])]) @ back
    maps = maps * rng.uniform(0.94, 1.06, (count, 1, 1))
    weights = np.abs(np.linalg.det(maps)) + 0.02
    steps, players = 60, 400
    choices = rng.choice(count, (steps, players), p=weights / weights.sum())
    places, seen = np.zeros((players, 2)), np.empty((steps, players, 2))
    for step in range(steps):
        chosen = choices[step]
        places = np.einsum("nij,nj->ni", maps[chosen], places) + shifts[chosen]
        seen[step] = places
    cloud = seen[10:].reshape(-1, 2)
    low, high = np.quantile(cloud, (0.01, 0.99), axis=0)
    pixels = ((cloud - low) / np.maximum(high - low, 1e-6) * 0.9 + 0.05) * size
    inside = ((pixels >= 0) & (pixels < size)).all(1)
    column, row = pixels[inside].astype(np.int64).T
    hits = np.bincount(row * size + column, minlength=size * size).reshape(size, size)
    if of_class.random() < 0.5:
        hits = maximum_filter(hits, 3)
    return np.clip(np.log1p(hits.astype(np.float32)) / np.log(8.0), 0, 1)


def _contours(of_class: np.random.Generator, rng: np.random.Generator, size: int) -> Image:
    """Closed curves about a centre, one in another, each a radius that waves with the angle."""
    x, y = _axes(size)
    cx, cy = rng.uniform(-0.2, 0.2, 2)
    x, y = (x - cx) * of_class.uniform(0.7, 1.4), y - cy
    angle, radius = np.arctan2(y, x) + rng.uniform(0, 2 * np.pi), np.hypot(x, y)
    shape = np.ones((size, size), np.float32)
    for _ in range(of_class.integers(1, 4)):
        waves, depth = of_class.integers(2, 20), of_class.uniform(0.02, 0.25)
        shape = shape + depth * np.cos(waves * angle + of_class.uniform(0, 2 * np.pi))
    if of_class.random() < 0.3:  # polygons have corners
        sides = of_class.integers(3, 9)
        shape = shape * np.cos(np.pi / sides) / np.cos((angle % (2 * np.pi / sides)) - np.pi / sides)
    scaled = radius / np.maximum(shape * rng.uniform(0.6, 0.8), 0.05)
    lines, thick = of_class.integers(1, 12), of_class.uniform(0.1, 0.6)
    drawn = np.clip((np.cos(2 * np.pi * lines * scaled) - 1 + 2 * thick) * 3, 0, 1) * (scaled < 1)
    return (drawn if of_class.random() < 0.7 else drawn + 0.4 * (scaled < 1)).clip(0, 1).astype(np.float32)


def _relief(of_class: np.random.Generator, rng: np.random.Generator, size: int) -> Image:
    """Bosses, pockets, ribs, domes, steps, threads and knurls on a plate, under a light from somewhere."""
    x, y = _axes(size)
    turn = rng.normal(0, 0.15)
    x, y = np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y
    height, soft = np.zeros((size, size), np.float32), of_class.uniform(0.01, 0.05)

    def edge(distance: Image) -> Image:  # 1 inside, 0 outside, a chamfer between
        return np.clip(0.5 - distance / soft, 0, 1)

    for _ in range(of_class.integers(2, 7)):
        kind, (cx, cy), r = of_class.integers(7), of_class.uniform(-0.7, 0.7, 2), of_class.uniform(0.12, 0.5)
        level = of_class.choice([-1, 1]) * of_class.uniform(0.04, 0.2)
        cx, cy, r = cx + rng.normal(0, 0.04), cy + rng.normal(0, 0.04), r * rng.uniform(0.92, 1.08)
        a = of_class.uniform(0, np.pi)
        u, v = np.cos(a) * (x - cx) + np.sin(a) * (y - cy), np.cos(a) * (y - cy) - np.sin(a) * (x - cx)
        if kind == 0:
            height += level * edge(np.hypot(u, v) - r)
        elif kind == 1:
            height += level * edge(np.maximum(np.abs(u) - r, np.abs(v) - r * of_class.uniform(0.2, 0.9)))
        elif kind == 2:
            height += level * edge(np.abs(np.abs(v) - r) - r * 0.15)
        elif kind == 3:
            height += np.sign(level) * 0.5 * np.sqrt(np.maximum(r**2 - u**2 - v**2, 0))
        elif kind == 4:
            height += level * edge(v)
        elif kind == 5:
            height += 0.15 * abs(level) * np.abs(u * of_class.uniform(8, 40) % 2 - 1) * edge(np.abs(v) - r)
        else:
            height += level * edge(np.abs(np.hypot(u, v) - r) - 0.25 * r)
    height += rng.uniform(0, 0.004) * _smooth(rng, size, size / 4)
    dy, dx = np.gradient(height, 2 / size)
    normals = np.stack([-dx, -dy, np.ones_like(dx)], -1)
    return _shaded(normals / np.linalg.norm(normals, axis=-1, keepdims=True), rng)


def _shaded(normals: NDArray[np.floating], rng: np.random.Generator) -> Image:
    """Phong's shading of a normal map (S, S, 3), eye at +z, one or two lights, an even albedo."""
    image = np.full(normals.shape[:2], rng.uniform(0, 0.25), np.float32)
    for _ in range(rng.integers(1, 3)):
        tilt, around = rng.uniform(0, 1.1), rng.uniform(0, 2 * np.pi)
        light = np.array([np.sin(tilt) * np.cos(around), np.sin(tilt) * np.sin(around), np.cos(tilt)])
        facing = normals @ light
        mirrored = 2 * facing * normals[..., 2] - light[2]
        image += rng.uniform(0.4, 0.8) * np.maximum(facing, 0)
        image += rng.uniform(0, 0.5) * np.maximum(mirrored, 0) ** rng.uniform(5, 80)
    albedo = 0.75 + 0.25 * rng.random(3) if rng.random() < 0.6 else rng.uniform(0.2, 1, 3)
    return np.clip(image[..., None] * albedo, 0, 1).astype(np.float32)


@lru_cache(maxsize=512)
def _shape(seed: int) -> tuple[Image, Image]:
    """Points and normals of the class's shape."""
    rng = np.random.default_rng([_CLASS_SEED, 1, seed])
    names = sorted(FAMILIES)
    points = procedural_cloud(rng, _SHAPE_POINTS, names[rng.integers(len(names))], alter=False)
    return points, estimate_normals(points, k=20)


def _solid(of_class: np.random.Generator, rng: np.random.Generator, size: int) -> Image:
    """The class's procedural shape from some side: its normals under lights, over a plain ground."""
    points, normals = _shape(int(of_class.integers(2**31)))
    turn = random_rotation(rng).T.astype(np.float32)
    points, normals = points @ turn, normals @ turn
    normals = normals * np.where(normals[:, 2:] < 0, -1, 1)  # towards the eye
    half = 1.08 * np.abs(points[:, :2]).max()
    coarse = size // 2  # as fine as the points lie
    column, row = (((points[:, :2] / half) * 0.5 + 0.5) * coarse).astype(np.int64).clip(0, coarse - 1).T
    nearest = np.full(coarse * coarse, -1, np.int64)
    order = np.argsort(points[:, 2], kind="stable")
    pixel = row[order] * coarse + column[order]
    nearest[pixel] = order  # the last one written lies in front
    padded = np.full((coarse + 2, coarse + 2), -np.inf, np.float32)
    depth = np.where(nearest >= 0, points[nearest, 2], -np.inf).astype(np.float32).reshape(coarse, coarse)
    padded[1:-1, 1:-1] = depth
    # A pixel shows the frontmost of its neighbourhood, so that walls behind do not shine through between points.
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).reshape(coarse, coarse, 9)
    best = windows.argmax(-1)
    rows = np.arange(coarse)[:, None] + best // 3 - 1
    columns = np.arange(coarse)[None, :] + best % 3 - 1
    shown = nearest.reshape(coarse, coarse)[rows.clip(0, coarse - 1), columns.clip(0, coarse - 1)]
    image = np.where((shown >= 0)[..., None], _shaded(normals[shown], rng), rng.random() * np.ones(3))
    return image.astype(np.float32).repeat(2, 0).repeat(2, 1)


KINDS: tuple[Kind, ...] = (_spectral, _lattice, _fractal, _contours, _relief, _solid)
"""The kinds of classes, in the order of their labels."""
