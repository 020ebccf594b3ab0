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
        "rgb": (
            "wide_resnet50_2-imagenet1k_v1",
            "wide_resnet50_2-racm_in1k",
            "resnet18-imagenet1k_v1",
            "resnet18-imagenet1k_v1-folded",
            "resnet18-nominal",
            "oriented_energy",
        ),
        "rendered": (
            "wide_resnet50_2-imagenet1k_v1",
            "wide_resnet50_2-racm_in1k",
            "resnet18-imagenet1k_v1+oriented_energy",
            "resnet18-imagenet1k_v1-folded+oriented_energy",
            "resnet18-nominal+oriented_energy",
            "oriented_energy",
        ),
    }
)
"""Of photographs, and of images that a scan's normals were shaded to. The figures are in docs/features.md; of
Wide-ResNet-50-2, which could not be had there, only the papers' are known."""

POINT_PREFERENCES: tuple[str, ...] = ("point_mae-shapenet+fpfh", "fpfh")
"""Of point clouds. The Point-MAE that ships does not beat FPFH on its own, so it is not taken without being asked for;
the official one, which could not be had there, is what the papers' figures stand on."""
