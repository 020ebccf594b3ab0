"""What ``auto`` means: for each kind of input the features to prefer, best first, as the probe measured them.

A name is skipped while one of its weight sets is not on the computer; the last of each needs none.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Modality = Literal["rgb", "rendered"]

IMAGE_PREFERENCES: Mapping[Modality, tuple[str, ...]] = MappingProxyType(
    {
        "rgb": ("wide_resnet50_2-imagenet1k_v1", "resnet18-imagenet1k_v1", "oriented_energy"),
        "rendered": ("wide_resnet50_2-imagenet1k_v1", "oriented_energy"),
    }
)
"""Of photographs, and of images that a scan's normals were shaded to."""

POINT_PREFERENCES: tuple[str, ...] = ("point_mae-shapenet", "point_mae-nominal", "fpfh")
"""Of point clouds."""
