"""Stage times of SCA: ``python -m benchmarks.sca_stages [--points 100000 ...] [--runs 5] [--device auto]``."""

from __future__ import annotations

from types import ModuleType

from benchmarks.stages import Timing, pipeline_stages, stage_main
from core.geometry import alignment
from core.pipelines.sca import frame, patch_features, pipeline
from core.runtime import Runtime

STEPS: tuple[tuple[ModuleType, str], ...] = (
    (frame, "voxel_grid"),
    (alignment, "register"),
    (patch_features, "estimate_normals"),
    (patch_features, "make_patches"),
    (patch_features, "backbone_features"),
    (patch_features, "fpfh"),
    (patch_features, "spatial_context_aggregation"),
    (pipeline, "between_centers"),
    (pipeline, "highest_of_patches"),
    (pipeline, "median_filter"),
)


def stages(points: int, runs: int, runtime: Runtime) -> list[Timing]:
    """The steps of an inspection with the preset ``fast``."""
    return pipeline_stages("sca", "fast", STEPS, points, runs, runtime)


def main() -> None:
    stage_main(stages, __doc__)


if __name__ == "__main__":
    main()
