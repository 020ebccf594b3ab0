"""A small organised part with a photograph, on which colour and shape can be spoilt apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from core.pipelines.cmdr_iad.config import CmdrIadConfig
from core.pipelines.cmdr_iad.pipeline import CmdrIadPipeline
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan

SMALL = {
    "background": "none",
    "image_features": "oriented_energy",
    "features": "fpfh",
    "side": 28,
    "views_side": 32,
    "voxel_points": 2500,
    "patches": 600,
    "decoder2d_width": 24,
    "decoder3d_width": 0.1,
    "epochs": 12,
    "normalise": "none",
    "normalise_part": False,
}


def wavy(seed: int, *, bulge: float = 0.0, stain: float = 0.0) -> Scan:
    """A wavy plate seen from above, 60 x 44 mm, its photograph shaded by its slope; bulge and stain lie at (8, 4)."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.linspace(22, -22, 56), np.linspace(-30, 30, 76), indexing="ij")
    near = np.exp(-((x - 8) ** 2 + (y - 4) ** 2) / 2.5**2)
    z = 3 * np.sin(x / 6) * np.cos(y / 9) + rng.normal(0, 0.02, x.shape)
    shade = 130 + 60 * np.cos(x / 6) * np.cos(y / 9)
    points = np.stack([x, y, z + bulge * near], axis=-1).reshape(-1, 3)
    photo = (shade + stain * near)[..., None] + 3 * rng.standard_normal((*x.shape, 3))
    return Scan(
        points.astype(np.float32),
        grid=np.arange(len(points), dtype=np.int32).reshape(x.shape),
        image=np.clip(photo, 0, 255).astype(np.uint8),
        name=f"wavy {seed}",
    )


def fitted(scans: Sequence[Scan] | None = None, **settings: Any) -> CmdrIadPipeline:
    model = CmdrIadPipeline(CmdrIadConfig.preset("fast", **{**SMALL, **settings}), Runtime(torch.device("cpu"), seed=1))
    model.fit([wavy(seed) for seed in range(5)] if scans is None else scans, Progress())
    return model


@pytest.fixture(scope="session")
def plate() -> Callable[..., Scan]:
    return wavy


@pytest.fixture(scope="session")
def spot() -> np.ndarray:
    """(N,) where bulge and stain are."""
    points = wavy(0).points
    return np.hypot(points[:, 0] - 8, points[:, 1] - 4) < 3


@pytest.fixture(scope="session")
def made() -> Callable[..., CmdrIadPipeline]:
    """Fits a pipeline with these settings on these scans, or on a few good plates."""
    return fitted


@pytest.fixture(scope="session")
def both() -> CmdrIadPipeline:
    """Fitted on surface and photograph."""
    return fitted()
