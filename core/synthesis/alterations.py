"""What happens to a shape before a sensor's points of it arrive: cuts, bites, one-sided views, noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.synthesis.surfaces import Points, random_rotation

CUT, BITE, ONE_SIDED, NOISE = 0.2, 0.25, 0.3, 0.3
"""How often each alteration happens."""


def altered(rng: np.random.Generator, cloud: Points, at_least: int) -> Points:
    """Let chance cut, bite, hide and blur a cloud.

    Parameters
    ----------
    cloud : (n, 3) array
    at_least : int
        An alteration that would leave fewer than half of this many points is not made.
    """
    for chance, keep in ((CUT, _cut), (BITE, _bite), (ONE_SIDED, seen_from)):
        if rng.random() < chance:
            kept = cloud[keep(rng, cloud)]
            cloud = kept if 2 * len(kept) >= at_least else cloud
    if rng.random() < NOISE:
        spread = float(cloud.std()) * np.exp(rng.uniform(np.log(0.002), np.log(0.02)))
        cloud = cloud + (spread * rng.standard_normal(cloud.shape)).astype(np.float32)
    return cloud


def _cut(rng: np.random.Generator, cloud: Points) -> NDArray[np.bool_]:
    """Keep one side of a plane through the outer part of the cloud."""
    along = cloud @ random_rotation(rng)[0].astype(np.float32)
    return along < np.quantile(along, rng.uniform(0.5, 0.95))


def _bite(rng: np.random.Generator, cloud: Points) -> NDArray[np.bool_]:
    """Drop the points inside one to three balls or slots about points of the cloud."""
    keep = np.ones(len(cloud), bool)
    extent = float(np.linalg.norm(cloud.max(0) - cloud.min(0)))
    for _ in range(int(rng.integers(1, 4))):
        away = cloud - cloud[rng.integers(len(cloud))]
        if rng.random() < 0.4:
            away = away @ random_rotation(rng).astype(np.float32)[:, :2]
        keep &= (away * away).sum(1) > (extent * rng.uniform(0.03, 0.15)) ** 2
    return keep


def seen_from(rng: np.random.Generator, cloud: Points, cells: int = 24) -> NDArray[np.bool_]:
    """Which points a depth camera at a random side would measure: per cell of its image, those near the frontmost.

    Parameters
    ----------
    cells : int
        Cells along each side of the image. Points within 1.5 cell widths behind the frontmost one count as seen.
    """
    turned = cloud @ random_rotation(rng).astype(np.float32)
    low = turned.min(0)
    size = max(float((turned[:, :2].max(0) - low[:2]).max()), 1e-9) / cells
    column = ((turned[:, :2] - low[:2]) / size).astype(np.int64).clip(0, cells - 1)
    cell = column[:, 0] * cells + column[:, 1]
    front = np.full(cells * cells, -np.inf, np.float32)
    np.maximum.at(front, cell, turned[:, 2])
    return turned[:, 2] > front[cell] - 1.5 * size
