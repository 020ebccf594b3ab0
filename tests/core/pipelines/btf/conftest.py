"""A small organised part with a photograph, on which colour and shape can be spoilt apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from core.scan import Scan


def wavy(seed: int, *, bulge: float = 0.0, stain: float = 0.0, turn: np.ndarray | None = None) -> Scan:
    """A wavy plate seen from above, 60 x 44 mm, its photograph grey with grain; bulge and stain lie at (8, 4)."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.linspace(22, -22, 56), np.linspace(-30, 30, 76), indexing="ij")
    near = np.exp(-((x - 8) ** 2 + (y - 4) ** 2) / 2.5**2)
    z = 3 * np.sin(x / 6) * np.cos(y / 9) + bulge * near + rng.normal(0, 0.02, x.shape)
    points = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    grain = 120 + 4 * rng.standard_normal((*x.shape, 3)) + stain * near[..., None]
    normals = None
    if turn is not None:  # normals say what is outside, whichever way the part lies
        normals = np.tile(turn[:, 2].astype(np.float32), (len(points), 1))
        points = points @ turn.T
    return Scan(
        points.astype(np.float32),
        normals=normals,
        grid=np.arange(len(points), dtype=np.int32).reshape(x.shape),
        image=np.clip(grain, 0, 255).astype(np.uint8),
        name=f"wavy {seed}",
    )


@pytest.fixture(scope="session")
def plate() -> Callable[..., Scan]:
    return wavy


@pytest.fixture(scope="session")
def spot() -> np.ndarray:
    """(N,) where bulge and stain are."""
    points = wavy(0).points
    return np.hypot(points[:, 0] - 8, points[:, 1] - 4) < 3
