"""Images registered to an organised scan: colour and masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import ScanError
from core.formats.limits import file_size


def read_image(path: Path, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """An image as (H, W, 3) RGB.

    Raises
    ------
    ScanError
        If it cannot be read, or is not of ``shape`` (H, W).
    """
    return _pixels(path, shape, "RGB", "image")


def read_mask(path: Path, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """A ground-truth mask (H, W), True where its pixels are not zero.

    Raises
    ------
    ScanError
        If it cannot be read, or is not of ``shape`` (H, W).
    """
    return _pixels(path, shape, "L", "mask") > 0


def is_blank(path: Path) -> bool:
    """Whether a mask is zero everywhere, or cannot be read."""
    try:
        with Image.open(path) as image:
            return not np.asarray(image if image.mode != "RGBA" else image.convert("RGB")).any()
    except Exception:  # Pillow's decoders raise many types; a mask that cannot be read shows when its scan is loaded
        return True


def _pixels(path: Path, shape: tuple[int, int], mode: str, what: str) -> NDArray[np.uint8]:
    file_size(path)
    try:
        with Image.open(path) as image:
            size = (image.height, image.width)
            # Compared before the pixels are decoded: a small file can claim a huge picture.
            if size == shape:
                if image.mode in ("I", "I;16", "I;16B", "F"):  # a plain convert would clip these
                    values = np.asarray(image).astype(np.float64)
                    scaled = values > 0 if mode == "L" else values / max(float(values.max()), 1.0)
                    image_8 = Image.fromarray((scaled * 255).astype(np.uint8))
                    return np.array(image_8.convert(mode), dtype=np.uint8)
                if mode == "L" and image.mode == "P":  # palette numbers are labels, their colours are not
                    return np.array(image, dtype=np.uint8)
                return np.array(image.convert(mode), dtype=np.uint8)
    except Exception as error:  # Pillow's decoders raise many types for damaged files
        raise ScanError(f"{path} cannot be read as an image ({error})", f"Export the {what} again") from error
    raise ScanError(
        f"{path} is an {what} of {size[1]} x {size[0]} pixels, its scan has {shape[1]} x {shape[0]}"
        if what == "image"
        else f"{path} is a {what} of {size[1]} x {size[0]} pixels, its scan has {shape[1]} x {shape[0]}",
        f"Give the {what} that is registered to the scan pixel by pixel, or remove it",
    )
