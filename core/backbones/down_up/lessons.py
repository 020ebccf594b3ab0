"""What DUS-Net's pretraining sees: shapes with swellings, what they should be, and what is remembered of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.backbones.down_up.groups import Groups
from core.backbones.down_up.remembered import GoodSurface
from core.backbones.down_up.swelling import Swelling
from core.backbones.pretrain_point_data import real_shapes
from core.geometry.neighbors import nearest
from core.geometry.normals import estimate_normals
from core.geometry.patches import make_patches
from core.synthesis.alterations import altered
from core.synthesis.shapes import procedural_cloud, unit_sphere
from core.synthesis.surfaces import random_rotation

Floats = NDArray[np.float32]

_POINTS = 5000
"""Points of a shape that the network sees; as many others are remembered of it, and all are the truth."""
_GROUPS = (192, 384)
_SIZES = (16, 48)
"""Fewest and most groups of a shape, and points of a group."""
_BLUR = 0.004
"""Largest standard deviation of a sensor's noise, in the shape's radius."""
_TURN, _SHIFT, _WARP = 0.003, 0.003, 0.004
"""Standard deviations of what lies between a part and what is remembered of its kind: a pose that is a little off (in
radians and radii), and smooth differences of form."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """One step's clouds, each in the unit sphere.

    Attributes
    ----------
    groups : Groups
        Cut from the swollen shapes; without Noise-Gen's noise.
    wanted : (B, G, 3) float tensor
        Where the centres would be on the shapes as they should be.
    surfaces : list of GoodSurface
        What is remembered of each shape's kind.
    dense : (B, N, 3) float tensor
        The shapes as they should be.
    """

    groups: Groups
    wanted: Tensor
    surfaces: list[GoodSurface]
    dense: Tensor


@dataclass(frozen=True)
class LessonSource:
    """Lessons, each a pure function of seed and step.

    Attributes
    ----------
    seed, batch : int
        ``batch`` shapes a lesson.
    mix : Path, optional
        File of real shapes, see ``real_shapes``.
    mix_share : float
        Share of the shapes that come from it.
    """

    seed: int
    batch: int
    mix: Path | None = None
    mix_share: float = 0.3
    swelling: Swelling = field(default_factory=Swelling)

    def __call__(self, step: int) -> Lesson:
        rng = np.random.default_rng([self.seed, step])
        groups, k = int(rng.integers(*_GROUPS)), int(np.exp(rng.uniform(*np.log(_SIZES))))
        made = [self._one(np.random.default_rng([self.seed, step, i]), groups, k) for i in range(self.batch)]
        return Lesson(
            Groups.stacked([m[0] for m in made]),
            torch.from_numpy(np.stack([m[1] for m in made])),
            [m[2] for m in made],
            torch.from_numpy(np.stack([m[3] for m in made])),
        )

    def _one(self, rng: np.random.Generator, groups: int, k: int) -> tuple[Groups, Floats, GoodSurface, Floats]:
        cloud = self._shape(rng)
        seen = np.arange(_POINTS)
        normals = estimate_normals(cloud, k=12)[seen]
        swollen = self.swelling(rng, cloud[seen], normals)
        swollen += (_BLUR * rng.random() ** 2 * rng.standard_normal(swollen.shape)).astype(np.float32)
        cut = make_patches(swollen, groups, k)
        kind = unlike(rng, cloud[_POINTS:])
        surface = GoodSurface.of(kind, 0.9 * _typical_gap(len(kind)))
        return Groups.of(swollen, cut), cloud[cut.centers_index], surface, cloud

    def _shape(self, rng: np.random.Generator) -> Floats:
        if self.mix is not None and rng.random() < self.mix_share:
            shapes = real_shapes(self.mix)
            chosen = rng.choice(np.flatnonzero(~shapes.held_out))
            cloud = altered(rng, shapes.points[chosen].astype(np.float32), shapes.points.shape[1] // 2)
            cloud = _denser(rng, cloud, 2 * _POINTS)
        else:
            cloud = procedural_cloud(rng, 2 * _POINTS)
        return unit_sphere((cloud @ random_rotation(rng).T) * rng.uniform(0.7, 1.4, 3))


def unlike(rng: np.random.Generator, cloud: Floats) -> Floats:
    """A cloud (N, 3) in the unit sphere as another part of its kind would be: warped and posed a little otherwise."""
    moved = cloud.astype(np.float64)
    for _ in range(3):
        wave = rng.standard_normal(3) * 1.5
        moved += np.outer(np.sin(cloud @ wave + rng.uniform(0, 6.3)), _WARP * rng.standard_normal(3))
    moved += np.cross(rng.normal(0, _TURN, 3), moved) + rng.normal(0, _SHIFT, 3)
    return moved.astype(np.float32)


def _typical_gap(count: int) -> float:
    """Spacing of that many points on a surface of radius 1."""
    return float(np.sqrt(2 * np.pi / count))


def _denser(rng: np.random.Generator, cloud: Floats, count: int) -> Floats:
    """As many points as are wanted, the new ones half-way between neighbours."""
    while len(cloud) < count:
        near = nearest(cloud, cloud, min(4, len(cloud)))[1]
        partner = near[np.arange(len(cloud)), rng.integers(1, near.shape[1], len(cloud))]
        cloud = np.concatenate([cloud, 0.5 * (cloud + cloud[partner])]).astype(np.float32)
    return cloud[rng.choice(len(cloud), count, replace=False)]
