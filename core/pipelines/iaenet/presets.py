"""What Nominal recommends in the place of the paper's constants; why: docs/iaenet.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FAST: Mapping[str, Any] = {
    "image": "auto",
    "voxel_points": 12_000,
    "align": "auto",
    "normal_neighbors": 12,
    "views": 6,
    "view_scores": "facing",
    "fill_gaps": True,
    "fpfh_radius": 8.0,
    "fpfh_neighbors": 40,
    "patch_points": 64,
    "overlap": 4.0,
    "train_overlap": 2.0,
    "patch_scale": "radius",
    "x1": "residual",
    "relative": True,
    "relative_2d": True,
    "place_spread": 2.0,
    "distance_unit": "scan",
    "epochs": 0,
    "edges": "held",
    "object_share": 0.01,
    "object_score": "map",
    "scaling_top": 0.001,
    "clip": False,
    "samples": 20,
    "clean_maps": True,
    "iaf_points": 256,
    "iaf_balance": 0.3,
    "linear_prior": 1.0,
    "faintest": 0.3,
}
