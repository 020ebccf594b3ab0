"""The layout of Eyecandies: all files of a split in one folder, depth as an image with its range beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.datasets.category import recognise
from core.errors import ScanError
from core.formats.depth_image import is_depth_image
from core.formats.reader import read_scan

SIDE = 32


def candy(folder: Path, name: str, defect: str = "", *, masks: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    depth = np.full((SIDE, SIDE), 32768, np.uint16)
    depth[0, :5] = 0
    Image.fromarray(depth).save(folder / f"{name}_depth.png")
    (folder / f"{name}_info_depth.yaml").write_text("normalization:\n  max: 3.0\n  min: 0.0\n")
    Image.fromarray(np.full((SIDE, SIDE, 3), 90, np.uint8)).save(folder / f"{name}_image_0.png")
    if masks:
        for kind in ("bumps", "dents", "colors", "normals", ""):
            mask = np.zeros((SIDE, SIDE), np.uint8)
            if defect and kind in ("", defect):
                mask[10:14, 10:14] = 255
            Image.fromarray(mask).save(folder / f"{name}_{kind}_mask.png".replace("__", "_"))
    return folder / f"{name}_depth.png"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "CandyCane"
    for i in range(6):
        candy(root / "train" / "data", f"{i:03}")
    candy(root / "val" / "data", "000")
    candy(root / "test_public" / "data", "00", masks=True)
    candy(root / "test_public" / "data", "01", "dents", masks=True)
    candy(root / "test_private" / "data", "00")
    return root


def test_entries_of_each_split(folder: Path) -> None:
    category = recognise(folder, unit="m")
    assert category.layout == "eyecandies"
    assert [len(category.split(split)) for split in ("train", "validation", "test")] == [6, 1, 2]
    assert [(entry.key, entry.defect) for entry in category.split("test")] == [("00", ""), ("01", "dents")]
    assert any("test_private" in warning for warning in category.warnings)


def test_a_scan_has_points_picture_and_labels(folder: Path) -> None:
    category = recognise(folder, unit="m")
    scan = category.load(category.split("test")[1])
    assert scan.grid is not None
    assert scan.image is not None
    assert len(scan) == SIDE * SIDE - 5
    assert scan.labels is not None
    assert int(scan.labels.sum()) == 16
    z = 32768 / 65535 * 3.0  # the middle pixel looks along the axis, its neighbour z / focal length beside it
    middle = scan.points[scan.grid[SIDE // 2, SIDE // 2]]
    np.testing.assert_allclose(middle, [0, 0, z], atol=1e-6)
    right = scan.points[scan.grid[SIDE // 2, SIDE // 2 + 1]]
    np.testing.assert_allclose(right, [z / (711.11 * SIDE / 512), 0, z], rtol=1e-5, atol=1e-6)


def test_a_depth_image_without_its_range_is_no_scan(folder: Path) -> None:
    path = folder / "train" / "data" / "000_depth.png"
    (folder / "train" / "data" / "000_info_depth.yaml").unlink()
    assert not is_depth_image(path)


def test_a_range_that_cannot_be_read_is_said(folder: Path) -> None:
    (folder / "train" / "data" / "000_info_depth.yaml").write_text("normalization: none")
    with pytest.raises(ScanError, match="range"):
        read_scan(folder / "train" / "data" / "000_depth.png", unit="m")
