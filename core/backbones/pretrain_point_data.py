"""What pretraining sees: batches of procedural and, where given, real shapes, each a pure function of seed and step."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.backbones.masked_autoencoder import GROUP_SIZE, GROUPS
from core.errors import ConfigError
from core.geometry.sampling import farthest_points_batch
from core.synthesis.alterations import altered
from core.synthesis.shapes import procedural_cloud, unit_sphere
from core.synthesis.surfaces import random_rotation

POINTS = 1024
_HELD_OUT_SHARE = 5  # one real shape in five is kept for the probe


@dataclass(frozen=True, eq=False)
class RealShapes:
    """Clouds from a file.

    Attributes
    ----------
    points : (n, P, 3) float array
    sources : (n,) array of str
        Where each comes from; empty texts where the file does not say.
    held_out : (n,) bool array
        Kept away from pretraining, for the probe.
    """

    points: NDArray[np.floating]
    sources: NDArray[np.str_]
    held_out: NDArray[np.bool_]


@lru_cache(maxsize=2)
def real_shapes(path: Path) -> RealShapes:
    """Read an ``.npz`` file of clouds: ``points`` (n, P, 3) and, where known, ``source`` and ``path`` (n,).

    Raises
    ------
    ConfigError
        If the file is none, or its clouds are too small.
    """
    remedy = f"Give an .npz file with an array 'points' of shape (shapes, at least {POINTS}, 3)"
    try:
        with np.load(path, allow_pickle=False) as file:
            points = file["points"]
            sources = file["source"] if "source" in file else np.full(len(points), "")
            paths = file["path"] if "path" in file else np.arange(len(points)).astype(str)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise ConfigError(f"{path} holds no shapes that can be read ({error})", remedy) from error
    if points.ndim != 3 or points.shape[1] < POINTS or points.shape[2] != 3 or points.dtype.kind != "f":
        raise ConfigError(f"{path}: 'points' has shape {points.shape} and type {points.dtype}", remedy)
    if not len(points) == len(sources) == len(paths) or not np.isfinite(points).all():
        raise ConfigError(f"{path}: its arrays differ in length, or 'points' holds values that are not finite", remedy)
    names = [f"{source}/{name}" for source, name in zip(sources, paths, strict=True)]
    held_out = np.array([zlib.crc32(name.encode()) % _HELD_OUT_SHARE == 0 for name in names], bool)
    if held_out.all():
        raise ConfigError(f"{path} holds too few shapes", remedy)
    return RealShapes(points, sources, held_out)


@dataclass(frozen=True)
class ShapeSource:
    """Batches for pretraining.

    Attributes
    ----------
    seed : int
    batch : int
        Clouds a batch.
    mix : Path, optional
        File of real shapes.
    mix_share : float
        Share of the clouds that come from it, 0 to 1.
    """

    seed: int
    batch: int
    mix: Path | None = None
    mix_share: float = 0.3

    def points(self, step: int) -> NDArray[np.float32]:
        """The clouds (batch, 1024, 3) of a step, augmented."""
        return np.stack([self._cloud(np.random.default_rng([self.seed, step, i])) for i in range(self.batch)])

    def grouped(self, step: int) -> tuple[Tensor, Tensor]:
        """The groups and centres of a step's clouds."""
        return group(torch.from_numpy(self.points(step)))

    def _cloud(self, rng: np.random.Generator) -> NDArray[np.float32]:
        if self.mix is not None and rng.random() < self.mix_share:
            shapes = real_shapes(self.mix)
            chosen = rng.choice(np.flatnonzero(~shapes.held_out))
            cloud = altered(rng, shapes.points[chosen].astype(np.float32), POINTS)
            cloud = unit_sphere(cloud[rng.choice(len(cloud), POINTS, replace=len(cloud) < POINTS)])
        else:
            cloud = procedural_cloud(rng, POINTS)
        # A part may lie in any pose, so it is turned; then scaled by axis and shifted as published.
        turned = cloud @ random_rotation(rng).T
        return (turned * rng.uniform(2 / 3, 3 / 2, 3) + rng.uniform(-0.2, 0.2, 3)).astype(np.float32)


def group(points: Tensor, count: int = GROUPS, size: int = GROUP_SIZE) -> tuple[Tensor, Tensor]:
    """Farthest-point centres (B, count, 3) and their nearest points (B, count, size, 3) minus the centre.

    Returns
    -------
    groups, centers
    """
    rows = torch.arange(len(points), device=points.device)[:, None]
    centers = points[rows, farthest_points_batch(points, count)]
    nearest = (
        torch.cdist(centers, points, compute_mode="donot_use_mm_for_euclid_dist")
        .topk(size, largest=False, sorted=False)
        .indices
    )
    return points[rows[..., None], nearest] - centers[:, :, None], centers


def sources_of(mix: Path | None) -> Sequence[str]:
    """The names of the collections that a file's shapes come from, for the card."""
    return [] if mix is None else sorted({str(name) for name in real_shapes(mix).sources if name})
