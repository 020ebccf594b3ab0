"""Stage times of SCA: ``python -m benchmarks.sca_stages [--points 100000 ...] [--runs 5] [--device auto]``."""

from __future__ import annotations

from benchmarks.stages import Step, Timing, pipeline_stages, stage_main
from core.geometry.alignment import CommonPose
from core.pipelines.sca import frame, patch_features, pipeline
from core.runtime import Runtime

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


def stages(points: int, runs: int, runtime: Runtime) -> list[Timing]:
    """The steps of an inspection with the preset ``fast``."""
    return pipeline_stages("sca", "fast", STEPS, points, runs, runtime)


def main() -> None:
    stage_main(stages, __doc__)


if __name__ == "__main__":
    main()
