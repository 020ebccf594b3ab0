"""Methods that take no time, in the registry in the place of the others; parts with and without a bump."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.errors import ScanError
from core.pipelines.base import Pipeline
from core.pipelines.config import Config, setting
from core.pipelines.explanation import Explanation
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan
from core.scores import ScoreMap, Scores


@dataclass(frozen=True)
class PlainConfig(Config):
    gain: float = setting(1.0, "Multiplies the scores", low=0.1, high=1000.0)


class Heights(Pipeline):
    """Scores a point by its height above the plane; judges no point at the left edge."""

    id, title, paper, summary = "heights", "Heights", "for tests", "Heights."
    Config = PlainConfig

    def fit(self, scans: Sequence[Scan], progress: Progress) -> None:
        self.level = float(np.mean([scan.points[:, 2].mean() for scan in scans]))

    def score(self, scan: Scan, progress: Progress) -> Scores:
        if "broken" in scan.name:
            raise ScanError(f"{scan.name} has no heights", "Scan it again")
        height = scan.points[:, 2] - np.float32(self.level)
        points = np.abs(height) * np.float32(self.config.gain)
        points[scan.points[:, 0] < 1] = np.nan
        maps = {"height": ScoreMap(height, "Height", "height")}
        return Scores(points, float(np.nanmax(points)), maps, reconstruction=scan.points[:5])

    def state(self) -> dict[str, NDArray[Any]]:
        return {"own/level": np.array(self.level)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.level = float(state["own/level"])


class Slopes(Heights):
    """Scores a point by how far it is from its neighbour's height; can explain, and refuses what is named "odd"."""

    id, title = "slopes", "Slopes"
    explains = True

    def score(self, scan: Scan, progress: Progress) -> Scores:
        if "odd" in scan.name or "broken" in scan.name:
            raise ScanError(f"{scan.name} has no slopes", "Scan it again")
        points = np.abs(np.diff(scan.points[:, 2], prepend=scan.points[0, 2])) * np.float32(self.config.gain)
        return Scores(points, float(np.sort(points)[-5:].mean()))

    def explain(self, scan: Scan, point: int, progress: Progress) -> Explanation | None:
        near = scan.points[:3]
        return Explanation("A slope", "Like this.", "good/000", near, near, 1.0)


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only these two methods."""
    from core.pipelines import registry

    names = {cls.id: f"{__name__}:{cls.__name__}" for cls in (Heights, Slopes)}
    monkeypatch.setattr(registry, "_PIPELINES", names)


@pytest.fixture(scope="session")
def runtime() -> Runtime:
    return Runtime(torch.device("cpu"), seed=3)


@pytest.fixture(scope="session")
def plate() -> Callable[..., Scan]:
    """Makes a noisy plate of 400 points with a bump of that height."""

    def make(seed: int, bump: float = 0.0, name: str = "") -> Scan:
        rng = np.random.default_rng(seed)
        x, y = np.meshgrid(np.arange(20.0), np.arange(20.0))
        z = rng.normal(0, 0.02, x.shape) + bump * np.exp(-((x - 12) ** 2 + (y - 8) ** 2) / 4)
        points = np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float32)
        return Scan(points, name=name or f"plate {seed}")

    return make


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory, plate: Callable[..., Scan]) -> Path:
    """A category of 24 good plates."""
    from core.formats.ply_writer import write_ply

    root = tmp_path_factory.mktemp("parts") / "plate"
    for i in range(24):
        write_ply(root / "train" / "good" / f"{i:03}.ply", plate(i).points)
    return root
