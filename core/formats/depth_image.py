"""Depth images of Eyecandies: ``NAME_depth.png`` of 16 bits with its range in ``NAME_info_depth.yaml`` beside it.

The camera is the data set's own (L. Bonfiglioli et al.: *The Eyecandies Dataset for Unsupervised Multimodal Anomaly
Detection and Localization*, ACCV 2022): the same for all images, a pinhole with its axis through the image's middle.
Points are in its frame (x right, y down, z forwards), in metres.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image

from core.errors import ScanError
from core.formats.limits import check_points, file_size
from core.formats.raw import RawScan

ENDING = "_depth.png"
_FOCAL_LENGTH = 711.11  # pixels, of images of 512 x 512
_SIDE = 512
_FULL = 65535.0


def is_depth_image(path: Path) -> bool:
    """Whether a file is a depth image with its range beside it."""
    return path.name.lower().endswith(ENDING) and _range_file(path) is not None


def read(path: Path) -> RawScan:
    """The points of a depth image, on its grid; pixels of depth 0 were not measured.

    Raises
    ------
    ScanError
        If it or its range cannot be read.
    """
    file_size(path)
    low, high = _range(path)
    try:
        with Image.open(path) as image:
            check_points(path, image.width * image.height)
            depth = np.asarray(image)
    except ScanError:
        raise
    except Exception as error:  # Pillow's decoders raise many types for damaged files
        raise ScanError(f"{path} cannot be read as an image ({error})", "Copy the file again") from error
    if depth.ndim != 2 or depth.dtype.itemsize < 2:
        raise ScanError(f"{path} is no depth image of 16 bits", "Give the one that came with the data set")
    metres = depth / _FULL * (high - low) + low
    rows, columns = np.indices(depth.shape)
    focal = _FOCAL_LENGTH * depth.shape[1] / _SIDE
    x = (columns - depth.shape[1] / 2) * metres / focal
    y = (rows - depth.shape[0] / 2) * metres / focal
    points = np.stack([x, y, metres], axis=2)
    points[metres <= 0] = np.nan
    return RawScan(points.astype(np.float32))


def _range_file(path: Path) -> Path | None:
    stem = path.name[: -len(ENDING)]
    beside = (path.with_name(f"{stem}_info_depth.{ending}") for ending in ("yaml", "yml"))
    return next((file for file in beside if file.is_file()), None)


def _range(path: Path) -> tuple[float, float]:
    """The depths that 0 and 65535 stand for."""
    file = _range_file(path)
    text = file.read_text(encoding="utf-8", errors="replace") if file is not None else ""
    found = {}
    for name in ("min", "max"):
        match = re.search(rf"\b{name}\b['\"]?\s*:\s*([-+.\deE]+)", text)
        try:
            found[name] = float(match.group(1)) if match else np.nan
        except ValueError:
            found[name] = np.nan
    if not np.isfinite([*found.values()]).all() or found["max"] <= found["min"]:
        raise ScanError(
            f"The range of {path} is not known: {file or 'its info_depth.yaml'} names no min and max",
            "Copy the data set's files again",
        )
    return found["min"], found["max"]
