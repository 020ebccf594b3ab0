"""Organised XYZ TIFF, with the image and mask beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from core.errors import ScanError
from core.formats.reader import read_scan

XYZ = np.arange(60, dtype=np.float32).reshape(4, 5, 3)
XYZ[0, 0] = 0
XYZ[2, 3] = 0


def layout(root: Path) -> Path:
    """The MVTec 3D-AD layout around one scan."""
    for name in ("xyz", "rgb", "gt"):
        (root / name).mkdir()
    tifffile.imwrite(root / "xyz" / "000.tiff", XYZ, photometric="rgb")
    Image.fromarray(np.arange(60, dtype=np.uint8).reshape(4, 5, 3)).save(root / "rgb" / "000.png")
    mask = np.zeros((4, 5), np.uint8)
    mask[1, 1:3] = 255
    Image.fromarray(mask).save(root / "gt" / "000.png")
    return root / "xyz" / "000.tiff"


def test_zeros_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    tifffile.imwrite(path, XYZ, photometric="rgb")
    scan = read_scan(path, unit="m")
    assert scan.grid is not None
    assert len(scan) == 18
    assert scan.grid[0, 0] == scan.grid[2, 3] == -1
    np.testing.assert_array_equal(scan.points[scan.grid[3, 4]], [57, 58, 59])
    assert "2 of 20 pixels hold no measurement" in scan.notes


def test_image_and_mask_beside_it_are_found(tmp_path: Path) -> None:
    scan = read_scan(layout(tmp_path))
    assert scan.image is not None
    assert scan.labels is not None
    assert scan.grid is not None
    assert scan.image.shape == (4, 5, 3)
    np.testing.assert_array_equal(np.flatnonzero(scan.labels), scan.grid[1, 1:3])
    np.testing.assert_array_equal(scan.colors[scan.grid[1, 1]], scan.image[1, 1])


@pytest.mark.parametrize("part", ["rgb", "gt"])
def test_an_image_of_another_size_is_refused(tmp_path: Path, part: str) -> None:
    path = layout(tmp_path)
    Image.new("L", (6, 5)).save(tmp_path / part / "000.png")
    with pytest.raises(ScanError, match="6 x 5 pixels, its scan has 5 x 4"):
        read_scan(path)


@pytest.mark.parametrize("part", ["rgb", "gt"])
def test_a_damaged_image_is_named(tmp_path: Path, part: str) -> None:
    path = layout(tmp_path)
    whole = (tmp_path / part / "000.png").read_bytes()
    (tmp_path / part / "000.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ScanError, match=rf"{part}.000\.png"):
        read_scan(path)


def test_planes_in_front(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.moveaxis(XYZ, -1, 0), photometric="minisblack", planarconfig="separate")
    np.testing.assert_array_equal(read_scan(path).points[0], XYZ[0, 1])


def test_compressed_and_big_endian(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    tifffile.imwrite(path, XYZ.astype(">f8"), byteorder=">", compression="zlib", photometric="rgb")
    np.testing.assert_array_equal(read_scan(path).points[0], XYZ[0, 1])


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((4, 5), np.float32), "a depth image without x and y"),
        (np.zeros((4, 5, 3), np.uint8), "not of coordinates"),
        (np.zeros((4, 5, 2), np.float32), "shape"),
        (np.zeros((4, 5, 3), np.float32), "no measured point"),
    ],
)
def test_other_images_are_refused(tmp_path: Path, image: np.ndarray, words: str) -> None:
    path = tmp_path / "a.tiff"
    tifffile.imwrite(path, image, photometric="rgb" if image.shape[2:] == (3,) else "minisblack")
    with pytest.raises(ScanError, match=words):
        read_scan(path)


def test_truncated(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    tifffile.imwrite(path, XYZ, photometric="rgb")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ScanError, match=r"a\.tiff"):
        read_scan(path)
