"""Small parts for DUS-Net, and a model fitted on four of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from core.pipelines.dus_net.config import DusNetConfig
from core.pipelines.dus_net.pipeline import DusNetPipeline
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan

Part = Callable[..., Scan]
DENT = np.array([8.0, 4.0])
DEPTH, RADIUS = 1.2, 4.0
SMALL = {"voxel_points": 2500, "patches": 300, "patch_points": 16, "steps": 20, "up_steps": 4, "train_patches": 200}


@pytest.fixture(scope="session")
def part() -> Part:
    """A lopsided dome 40 mm across with 0.02 mm of noise, measured from above, and a dent where one is asked for."""

    def made(seed: int, depth: float = 0.0, count: int = 5000, half: bool = False) -> Scan:
        rng = np.random.default_rng(seed)
        x, y = rng.uniform(-20, 0.0 if half else 20, count), rng.uniform(-12, 12, count)
        z = 10 * np.exp(-(((x + 8) / 9) ** 2) - (y / 7) ** 2) + 0.05 * x
        q = np.hypot(x - DENT[0], y - DENT[1]) / RADIUS
        dent = depth * np.maximum(1 - q**2, 0) ** 2
        points = np.column_stack([x, y, z - dent + rng.normal(0, 0.02, count)]).astype(np.float32)
        normals = np.tile(np.array([0, 0, 1], np.float32), (count, 1))
        return Scan(points, normals=normals, labels=dent > 0.1, name=f"dome {seed}")

    return made


@pytest.fixture(scope="session")
def fitted(part: Part) -> Callable[..., DusNetPipeline]:
    """A pipeline fitted with the preset ``fast`` made small; with settings changed, it judges by these."""
    runtime = Runtime(torch.device("cpu"), seed=1)
    model = DusNetPipeline(DusNetConfig.preset("fast", **SMALL), runtime)
    model.fit([part(seed) for seed in range(4)], Progress())

    def fit(**changes: object) -> DusNetPipeline:
        if not changes:
            return model
        other = DusNetPipeline(DusNetConfig.preset("fast", **{**SMALL, **changes}), runtime)
        other.load_state(model.state())
        return other

    return fit
