"""The real scans of MVTec 3D-AD, where they are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from core.datasets.category import recognise, scan_paths

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("NOMINAL_SAMPLE_DATA", ROOT.parent / "shared" / "data"))
GLAND = DATA / "mvtec3d_sample" / "cable_gland"

pytestmark = [
    pytest.mark.sample,
    pytest.mark.skipif(not GLAND.is_dir(), reason=f"no sample scans at {GLAND}"),
]


def test_cable_gland_is_recognised() -> None:
    category = recognise(GLAND, unit="m")
    assert (category.name, category.layout, category.warnings) == ("cable_gland", "mvtec3d", ())
    assert [len(category.split(s)) for s in ("train", "validation", "test")] == [20, 5, 12]
    assert {entry.defect for entry in category.split("test")} == {"", "bent", "cut", "hole", "thread"}
    assert category.labelled


def test_a_bent_gland() -> None:
    category = recognise(GLAND, unit="m")
    entry = next(entry for entry in category.entries if entry.key == "bent/002")
    scan = category.load(entry)
    assert scan.grid is not None
    assert scan.grid.shape == (400, 400)
    assert len(scan) == 160_000 - 71_977  # pixels that are not (0, 0, 0)
    assert scan.image is not None
    assert scan.image.shape == (400, 400, 3)
    assert scan.labels is not None
    assert 0 < scan.labels.sum() < 2000
    assert 0.05 < scan.diagonal < 0.5
    np.testing.assert_array_equal(scan.colors[scan.grid[200, 200]], scan.image[200, 200])


def test_the_wrong_unit_is_doubted() -> None:
    assert any("is mm its unit?" in warning for warning in recognise(GLAND, unit="mm").warnings)


def test_results_are_named_without_the_xyz_level() -> None:
    found = {key: path for path, key in scan_paths(GLAND / "test")}
    assert found["bent/002"] == GLAND / "test" / "bent" / "xyz" / "002.tiff"
    assert len(found) == 12
