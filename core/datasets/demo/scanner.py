"""The scanner of the solid demo parts: what it sees, how densely, and with what error.

A scan merges views of one sensor above and six around the part, which lies on a turntable: the underside is never
seen, undercuts are thin, shiny spots are missing, error grows at grazing angles, and the casting is slightly warped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from core.datasets.demo import surface
from core.datasets.demo.flaws import Flaw, make_flaw
from core.datasets.demo.solids import Solid
from core.scan import Scan

Array = NDArray[np.float32]

NOISE = 0.03
"""Standard deviation along the normal of a point seen straight on, in mm."""
VISIBLE = 4.0 * NOISE
"""A point that lies farther than this from the good surface is labelled, in mm."""
_DENSITY = 6.0
_CANDIDATES = 2.5
_FEWEST_LABELLED = 25
_TRIES = 20
_VIEWS = np.array(
    [[0.0, 0.0, 1.0]]
    + [[np.cos(a) * np.cos(0.6), np.sin(a) * np.cos(0.6), np.sin(0.6)] for a in np.arange(6) * np.pi / 3 + 0.3],
    dtype=np.float32,
)


@dataclass(frozen=True, eq=False)
class Surface:
    """A part's good surface, sampled once: points, normals, and how squarely each view sees each point (0 hidden)."""

    points: Array
    normals: Array
    seen: Array
    tree: cKDTree


@lru_cache(maxsize=4)
def good_surface(solid: Solid) -> Surface:
    """The dense surface from which scans of the part are drawn."""
    rng = np.random.default_rng(20_260_801)
    points, normals = surface.sample(
        lambda p: solid.distance(p[:, 0], p[:, 1], p[:, 2]), np.array(solid.low), np.array(solid.high), _DENSITY, rng
    )
    facing = points[:, 2] > 0.05  # the underside rests on the table
    points, normals = points[facing], normals[facing]
    seen = np.stack([_seen(points, normals, view) for view in _VIEWS], axis=1)
    kept = seen.max(axis=1) > 0
    return Surface(points[kept], normals[kept], seen[kept], cKDTree(points[kept]))


def _seen(points: Array, normals: Array, view: Array, cell: float = 0.9) -> Array:
    """(N,) cosine between normal and view, 0 where another part of the surface stands before the point (z-buffer)."""
    helper = np.array([0, 1, 0] if abs(view[2]) > 0.9 else [0, 0, 1], np.float32)
    right = np.cross(view, helper)
    right /= np.linalg.norm(right)
    across = np.stack([points @ right, points @ np.cross(view, right)], axis=1)
    pixel = ((across - across.min(axis=0)) / cell).astype(np.int64)
    shape = pixel.max(axis=0) + 1
    depth = -(points @ view)
    buffer = np.full(int(shape.prod()), np.inf, np.float32)
    flat = pixel[:, 0] * shape[1] + pixel[:, 1]
    order = np.argsort(-depth, kind="stable")
    buffer[flat[order]] = depth[order]  # the last write, the nearest, stays
    nearest = minimum_filter(buffer.reshape(shape), size=1).ravel()
    cosine = np.clip(normals @ view, 0.0, 1.0)
    slack = 0.6 + cell * 1.5 * np.sqrt(1 - cosine**2) / np.maximum(cosine, 0.15)
    return np.where((cosine > 0.12) & (depth < nearest[flat] + slack), cosine, 0.0).astype(np.float32)


def scan_solid(solid: Solid, defect: str | None, count: int, rng: np.random.Generator, name: str) -> Scan:
    """One scan of the part with ``count`` points, labelled where a defect shows."""
    part = good_surface(solid)
    exposure = rng.uniform(0.6, 1.4, len(_VIEWS)).astype(np.float32)
    draw, labels = _drawn(solid, part, exposure, defect, count, rng)
    for _ in range(_TRIES):  # a defect that hardly any point fell on is drawn again, elsewhere
        if defect is None or labels.sum() >= max(3, _FEWEST_LABELLED * min(1.0, count / 45_000)):
            break
        draw, labels = max((draw, labels), _drawn(solid, part, exposure, defect, count, rng), key=lambda d: d[1].sum())
    points, normals = draw.points, draw.normals
    measured = _measure(points + _warp(points, rng), normals, draw.seen.max(axis=1), rng)
    normals = normals + rng.normal(0.0, 0.03, normals.shape).astype(np.float32)  # a scanner fits its normals to noise
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    turn, shift = _pose(solid, rng)
    return Scan(
        points=(measured @ turn.T + shift).astype(np.float32),
        normals=(normals @ turn.T).astype(np.float32),
        labels=labels,
        unit="mm",
        name=name,
    )


def _drawn(
    solid: Solid, part: Surface, exposure: Array, defect: str | None, count: int, rng: np.random.Generator
) -> tuple[_Draw, NDArray[np.bool_]]:
    """``count`` points of the (flawed) surface before anything is measured, and which of them show the defect."""
    draw, flaw = _candidates(solid, part, part.seen @ exposure, defect, count, rng)
    weights = (draw.seen @ exposure) * _shiny_spots(draw.points, flaw, rng)
    draw = _settled(solid, draw.select(_choose(draw.points, weights, int(1.03 * count), rng)))
    draw = draw.select(np.sort(rng.permutation(len(draw.points))[:count]))
    if flaw is None:
        return draw, np.zeros(len(draw.points), bool)
    return draw, np.abs(solid.distance(*draw.points.T)) > VISIBLE


@dataclass(frozen=True, eq=False)
class _Draw:
    """Surface points (P, 3), normals (P, 3), how squarely each view sees them (P, views), and which are newly drawn."""

    points: Array
    normals: Array
    seen: Array
    fresh: NDArray[np.bool_]

    def select(self, keep: NDArray[Any]) -> _Draw:
        return _Draw(self.points[keep], self.normals[keep], self.seen[keep], self.fresh[keep])


def _candidates(
    solid: Solid, part: Surface, weights: Array, defect: str | None, count: int, rng: np.random.Generator
) -> tuple[_Draw, Flaw | None]:
    """Points to choose from; near a defect they are drawn from the flawed surface."""
    times = _CANDIDATES * count / len(part.points)
    chosen = np.repeat(np.arange(len(part.points)), (times + rng.random(len(part.points))).astype(np.int64))
    flaw = None if defect is None else make_flaw(solid, defect, part.points, part.normals, weights, rng)
    if flaw is not None:
        chosen = chosen[((part.points[chosen] - flaw.center) ** 2).sum(1) > flaw.reach**2]
    normals = part.normals[chosen]
    # moved aside, so that no two scans share a point; brought back onto the surface once they are chosen
    points = part.points[chosen] + _tangential(normals, 0.25, rng)
    if flaw is None:
        return _Draw(points, normals, part.seen[chosen], np.zeros(len(chosen), bool)), None
    made = flaw

    def level(p: Array) -> Array:
        return made.change(p, solid.distance(p[:, 0], p[:, 1], p[:, 2]))

    low, high = flaw.center - flaw.reach, flaw.center + flaw.reach
    fresh, fresh_normals = surface.sample(level, np.maximum(low, [-999, -999, 0.05]), high, _DENSITY * times, rng)
    inside = ((fresh - flaw.center) ** 2).sum(1) <= flaw.reach**2
    fresh, fresh_normals = fresh[inside], fresh_normals[inside]
    facing = np.clip(fresh_normals @ _VIEWS.T, 0.0, 1.0)
    facing[facing < 0.12] = 0.0
    hidden = part.seen[part.tree.query(fresh)[1]] == 0
    # a fracture faces other ways than what it replaced: a view that did not see that may see a little of it
    facing *= np.where(hidden, 0.5 * (np.abs(solid.distance(*fresh.T)) > VISIBLE)[:, None], 1.0)
    return _Draw(
        np.concatenate([points, fresh]),
        np.concatenate([normals, fresh_normals]),
        np.concatenate([part.seen[chosen], facing]).astype(np.float32),
        np.repeat([False, True], [len(chosen), len(fresh)]),
    ), flaw


def _settled(solid: Solid, draw: _Draw) -> _Draw:
    """Points that were moved aside, brought back onto the surface; those for which that fails are left out."""
    moves = ~draw.fresh
    normals, points = draw.normals[moves], draw.points[moves]
    for _ in range(2):
        points = points - solid.distance(*points.T)[:, None] * normals
    settled = draw.points.copy()
    settled[moves] = points
    keep = np.ones(len(settled), bool)
    keep[moves] = np.abs(solid.distance(*points.T)) < 0.02
    return replace(draw, points=settled).select(keep)


def _tangential(normals: Array, size: float, rng: np.random.Generator) -> Array:
    """(N, 3) random steps along the surface."""
    step = rng.normal(0.0, size, normals.shape).astype(np.float32)
    return step - (step * normals).sum(1, keepdims=True) * normals


def _shiny_spots(points: Array, flaw: Flaw | None, rng: np.random.Generator) -> Array:
    """(N,) share of points that survive: a few blotches with ragged edges are (almost) missing, never on the defect."""
    keep = np.ones(len(points), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        radius = rng.uniform(2.5, 6.0)
        center = points[rng.integers(len(points))]
        if flaw is not None and np.linalg.norm(center - flaw.center) < radius + flaw.reach + 2.0:
            continue
        far = np.linalg.norm((points - center) / np.array([1.0, rng.uniform(0.6, 1.6), 1.0], np.float32), axis=1)
        ragged = far + np.sin(points @ rng.normal(0, 1.2, 3).astype(np.float32)) * 0.25 * radius
        keep *= np.where(ragged < radius, rng.uniform(0.0, 0.15), 1.0).astype(np.float32)
    return keep


def _choose(points: Array, weights: Array, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """``count`` different indices: evenly spaced, as a scanner's thinning leaves them, fewer where it sees badly."""
    chance = np.minimum(weights / np.median(weights[weights > 0]), 1.0) ** 1.5
    alive = np.flatnonzero(rng.random(len(points)) < chance)
    alive = rng.permutation(alive)
    size = 0.9 / np.sqrt(_DENSITY * count / len(alive))
    chosen = alive
    for _ in range(4):
        chosen = alive[_first_in_voxel(points[alive], size)]
        if 1.0 <= len(chosen) / count <= 1.15:
            break
        size *= float(np.sqrt(len(chosen) / (1.07 * count)))
    if len(chosen) < count:
        chosen = np.concatenate([chosen, np.setdiff1d(alive, chosen)[: count - len(chosen)]])
    return np.sort(rng.permutation(chosen)[:count])


def _first_in_voxel(points: Array, size: float) -> NDArray[np.int64]:
    """The index of the first point in each cubic cell."""
    cell = ((points - points.min(axis=0)) / size).astype(np.int64)
    shape = cell.max(axis=0) + 1
    _, first = np.unique((cell[:, 0] * shape[1] + cell[:, 1]) * shape[2] + cell[:, 2], return_index=True)
    return first


def _warp(points: Array, rng: np.random.Generator) -> Array:
    """(N, 3) smooth form error of the part itself: about 0.1 mm over its size, and a shrinkage of up to 0.05 %."""
    moved = points * np.float32(rng.uniform(-0.0005, 0.0005))
    for axis in range(3):
        for _ in range(2):
            wave = (rng.normal(0.0, 1.0, 3) * 2 * np.pi / 160.0).astype(np.float32)
            moved[:, axis] += rng.uniform(0.02, 0.05) * np.sin(points @ wave + rng.uniform(0, 2 * np.pi))
    return moved


def _measure(points: Array, normals: Array, graze: Array, rng: np.random.Generator) -> Array:
    """The points as measured: noise along the normal, more at grazing angles, a little aside, few stray points."""
    sigma = NOISE * (1.0 + 0.8 * (1.0 - graze))
    error = rng.normal(0.0, 1.0, len(points)) * sigma
    stray = rng.random(len(points)) < 0.0002
    error[stray] += rng.uniform(-0.35, 0.35, int(stray.sum()))
    aside = rng.normal(0.0, 0.02, points.shape)
    return np.asarray(points + error[:, None] * normals + aside, np.float32)


def _pose(solid: Solid, rng: np.random.Generator) -> tuple[Array, Array]:
    """Rotation (3, 3) and shift (3,) of the part under the scanner."""
    pose = solid.pose
    angles = [rng.uniform(-pose.yaw, pose.yaw), *rng.uniform(-pose.tilt, pose.tilt, 2)]
    turn = Rotation.from_euler("zyx", angles, degrees=True).as_matrix().astype(np.float32)
    shift = np.array([*rng.uniform(-pose.shift, pose.shift, 2), rng.uniform(-0.3, 0.3) * pose.shift], np.float32)
    return turn, shift
