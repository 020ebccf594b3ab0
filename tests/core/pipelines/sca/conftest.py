"""Small parts and untrained weights: what the mechanics of the pipeline are tested on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.backbones.checkpoints import save_weights
from core.backbones.point_mae import PointMAE
from core.pipelines.sca.config import ScaConfig
from core.pipelines.sca.pipeline import ScaPipeline
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan

SMALL = {
    "weights": "point_mae-untrained",
    "patches": 96,
    "patch_points": 16,
    "voxel_points": 1000,
    "epochs": 12,
    "batch": 4,
    "anchors": 256,
    "feature_width": 8,
}


@pytest.fixture(scope="session")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with random weights of the right shape."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    network = PointMAE()
    save_weights(
        folder / "point_mae-untrained.safetensors",
        dict(network.state_dict()),
        {"title": "untrained", "architecture": "point_mae", "licence": "none", "source": "test"},
    )
    return folder


@pytest.fixture(autouse=True)
def untrained(weights_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOMINAL_WEIGHTS", str(weights_file))


def bump(seed: int, height: float = 0.0, count: int = 3000) -> Scan:
    """A lopsided dome about 40 mm across, with noise; with ``height`` a bulge of 5 mm radius at (8, 4), labelled."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-20, 20, (count, 2)) * np.array([1.0, 0.6])
    z = 10.0 * np.exp(-(((xy[:, 0] + 8) / 9) ** 2) - (xy[:, 1] / 7) ** 2) + 0.05 * xy[:, 0]
    distance = np.hypot(xy[:, 0] - 8, xy[:, 1] - 4)
    raised = height * np.exp(-((distance / 2.5) ** 2))
    points = np.column_stack([xy, z + raised + rng.normal(0, 0.03, count)])
    return Scan(points.astype(np.float32), labels=np.abs(raised) > 0.2, name=f"bump {seed}")


@pytest.fixture
def part() -> Callable[..., Scan]:
    return bump


@pytest.fixture(scope="session")
def good() -> list[Scan]:
    return [bump(seed) for seed in range(5)]


def make(preset: str = "fast", seed: int = 0, **changes: object) -> ScaPipeline:
    return ScaPipeline(ScaConfig.preset(preset, **{**SMALL, **changes}), Runtime.choose("cpu", seed=seed))


@pytest.fixture
def pipeline() -> Callable[..., ScaPipeline]:
    return make


@pytest.fixture(scope="session")
def fitted_state(weights_file: Path, good: list[Scan]) -> dict[str, NDArray[Any]]:
    """The state of a pipeline fitted on ``good``, made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOMINAL_WEIGHTS", str(weights_file))
        model = make()
        model.fit(good, Progress())
        return model.state()
