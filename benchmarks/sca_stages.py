"""Stage times of SCA: ``python -m benchmarks.sca_stages [--points 100000 ...] [--runs 5] [--device auto]``."""

from __future__ import annotations

from functools import partial

from benchmarks.stages import Step, pipeline_stages, stage_main
from core.geometry.alignment import CommonPose
from core.pipelines.sca import frame, patch_features, pipeline

STEPS: tuple[Step, ...] = (
    (frame, "voxel_grid"),
    (CommonPose, "find"),
    (frame.Frame, "_filling"),
    (patch_features, "estimate_normals"),
    (patch_features, "make_patches"),
    (patch_features, "backbone_features"),
    (patch_features, "fpfh"),
    (patch_features, "spatial_context_aggregation"),
    (pipeline, "between_centers"),
    (pipeline, "median_filter"),
)

stages = partial(pipeline_stages, "sca", "fast", STEPS)
"""The steps of an inspection."""

if __name__ == "__main__":
    stage_main(stages, __doc__)
