"""Small inspections to report on."""

from __future__ import annotations

import numpy as np
import pytest

from core.inspection.calibration import Calibration, calibrate
from core.inspection.thresholds import Thresholds
from core.inspection.verdict import Inspection, judge
from core.scan import Scan
from core.scores import ScoreMap, Scores
from core.store.model_file import ModelCard

ROWS, COLUMNS = 24, 32


def scores_of(count: int) -> Scores:
    """Low everywhere, a patch of high ones at the start, some NaN at the end; three maps."""
    rng = np.random.default_rng(0)
    points = rng.uniform(0.0, 0.4, count).astype(np.float32)
    points[:40] = 0.9
    points[-17:] = np.nan
    heights = np.where(np.isnan(points), np.nan, np.linspace(-1, 1, count)).astype(np.float32)
    return Scores(
        points,
        0.93,
        {
            "filtered": ScoreMap(points * 2, "Filtered"),
            "height": ScoreMap(heights, "Deviation", "height"),
            "label": ScoreMap(np.arange(count) % 5, "Group", "label"),
        },
    )


@pytest.fixture
def inspection() -> Inspection:
    """An unorganised scan with normals and two holes in its file's rows."""
    x, y = np.meshgrid(np.arange(COLUMNS), np.arange(ROWS))
    points = np.stack([x, y, 0.1 * np.sin(x)], axis=-1).reshape(-1, 3).astype(np.float32)
    rows = np.delete(np.arange(len(points) + 2), [5, 100])
    scan = Scan(
        points,
        normals=np.tile(np.array([0, 0, 1], np.float32), (len(points), 1)),
        rows=rows,
        file_points=len(points) + 2,
        name="Gehäuse 7",
    )
    return judge(scan, scores_of(len(points)), Thresholds(0.5, 0.7, 0.05), model_name="test model", seconds=1.25)


@pytest.fixture
def organised() -> Inspection:
    """An organised scan with missing pixels and ground truth."""
    grid = np.full((ROWS, COLUMNS), -1, np.int32)
    measured = np.random.default_rng(1).random(grid.shape) < 0.8
    grid[measured] = np.arange(measured.sum())
    rows, columns = np.nonzero(measured)
    points = np.stack([columns, rows, np.zeros(len(rows))], axis=1).astype(np.float32)
    labels = np.arange(len(points)) < 40
    scan = Scan(points, grid=grid, labels=labels, name="plate")
    return judge(scan, scores_of(len(points)), Thresholds(0.5, 2.0))


@pytest.fixture
def card() -> ModelCard:
    return ModelCard(
        name="Gehäuse SCA",
        pipeline="sca",
        preset="fast",
        config={"k": 32},
        category="Gehäuse",
        unit="mm",
        scan_count=20,
        created="2026-01-02T03:04:05+01:00",
        program_version="0.1.0",
        weights={"procedural": "ab" * 32},
        seed=3,
    )


@pytest.fixture
def calibration() -> Calibration:
    rng = np.random.default_rng(2)
    good = [Scores(rng.uniform(0, 0.5, 400).astype(np.float32), float(0.4 + 0.01 * i)) for i in range(20)]
    return calibrate(good, method="held-out")
