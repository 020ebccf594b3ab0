"""Defects of the solid demo parts, as changes of their signed distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from core.datasets.demo import solids
from core.datasets.demo.solids import Solid
from core.synthesis import defects
from core.synthesis.defects import Site

Array = NDArray[np.float32]

KINDS = ("bulge", "dent", "scratch", "hole", "burr", "break")


@dataclass(frozen=True, eq=False)
class Flaw:
    """One defect: where it is, how far it reaches, and how it changes the signed distances of points."""

    center: Array
    reach: float
    change: Callable[[Array, Array], Array]
    """(N, 3) points and their (N,) distances to the good surface, to distances to the flawed surface."""


def make_flaw(solid: Solid, kind: str, points: Array, normals: Array, weights: Array, rng: np.random.Generator) -> Flaw:
    """A defect of this kind at a drawn place of the part, from subtle to clear.

    Parameters
    ----------
    points, normals : (P, 3) float32
        The part's surface.
    weights : (P,) float32
        How well the scanner sees each point; defects are put where it looks.
    """
    if kind == "burr":
        return _burr(solid, rng)
    if kind == "break":
        return _break(solid, rng)
    if kind in ("bulge", "dent"):
        radius, height = rng.uniform(4.0, 8.0), np.exp(rng.uniform(np.log(0.3), np.log(1.5)))
        stretch = rng.uniform(1.0, 1.5)
        site = _flat_site(points, normals, weights, radius, rng)
        field = defects.bulge(site, radius, height if kind == "bulge" else -height, elongation=stretch)
        return Flaw(site.center, radius * stretch + 1.5, lambda p, d: d - field(p))
    if kind == "scratch":
        length, width, depth = rng.uniform(14.0, 30.0), rng.uniform(1.8, 2.8), rng.uniform(0.25, 0.8)
        site = _flat_site(points, normals, weights, 6.0, rng)
        field = defects.scratch(site, length, width, depth, bend=rng.uniform(-2.0, 2.0))
        return Flaw(site.center, length / 2 + 2.5, lambda p, d: d - field(p))
    radius, depth = rng.uniform(1.6, 3.2), rng.uniform(2.5, 4.5)
    site = _flat_site(points, normals, weights, radius + 1.5, rng)

    def drilled(p: Array, d: Array) -> Array:
        u, v, w = site.local(p).T
        tool = solids.extrude(np.hypot(u, v) - radius, w, -depth, 6.0, 0.3)
        return solids.cut(d, tool, 0.3)

    return Flaw(site.center, max(radius, depth) + 1.5, drilled)


def _flat_site(points: Array, normals: Array, weights: Array, radius: float, rng: np.random.Generator) -> Site:
    """A well seen place whose surroundings of ``radius`` are about flat."""
    thin = rng.permutation(len(points))[:20_000]
    seen = thin[weights[thin] > 0.45 * np.quantile(weights, 0.9)]
    tree = cKDTree(points[thin])
    best, most = int(seen[0]), -1.0
    for candidate in rng.permutation(seen)[:60]:
        around = thin[tree.query_ball_point(points[candidate], radius)]
        if len(around) < 5:
            continue
        close = np.abs((points[around] - points[candidate]) @ normals[candidate]) < 0.12 * radius
        expected = np.pi * radius**2 * 20_000 / len(points)  # only to prefer full discs over narrow webs
        flat = float((close & (normals[around] @ normals[candidate] > 0.85)).mean()) + 1e-6 * min(len(around), expected)
        if flat > most:
            best, most = int(candidate), flat
        if flat > 0.93:
            break
    return Site.at(points[best], normals[best], rng.uniform(0, 2 * np.pi))


def _burr(solid: Solid, rng: np.random.Generator) -> Flaw:
    chosen = solid.edges[rng.integers(len(solid.edges))]
    count = min(len(chosen.path), int(rng.uniform(8.0, 18.0) / 0.25))
    closed = np.linalg.norm(chosen.path[0] - chosen.path[-1]) < 1.0
    start = int(rng.integers(len(chosen.path))) if closed else int(rng.integers(len(chosen.path) - count + 1))
    path = chosen.path[np.arange(start, start + count) % len(chosen.path)]
    height, width = rng.uniform(0.7, 1.7), rng.uniform(0.8, 1.1)
    heights = height * defects.ragged(count, int(rng.integers(2**31)))
    center = path.mean(axis=0)

    def torn(p: Array, d: Array) -> Array:
        lateral, raised, nearest = defects.across_path(p, path, chosen.up)
        half = 0.5 * width * (1.0 - 0.35 * np.clip(raised / height, 0.0, 1.0))
        fin = np.maximum(np.maximum(lateral - half, raised - heights[nearest]), -raised - 1.5)
        return solids.join(d, fin.astype(np.float32), 0.3)

    return Flaw(center, float(np.linalg.norm(path - center, axis=1).max()) + 3.0, torn)


def _break(solid: Solid, rng: np.random.Generator) -> Flaw:
    chosen = solid.corners[rng.integers(len(solid.corners))]
    direction = chosen.outward + rng.uniform(-0.25, 0.25, 3).astype(np.float32)
    direction /= np.linalg.norm(direction)
    depth, seed = rng.uniform(2.0, 5.0), int(rng.integers(2**31))
    reach = 2.5 * depth + 4.0

    def fractured(p: Array, d: Array) -> Array:
        beyond = (p - chosen.point) @ direction + depth + defects.roughness(p, 0.35, 5.0, seed)
        inside = reach - 2.0 - np.linalg.norm(p - chosen.point, axis=1)
        return np.asarray(np.maximum(d, np.minimum(beyond, inside)), np.float32)

    return Flaw(chosen.point, reach, fractured)
