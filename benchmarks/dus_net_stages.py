"""Stage times of DUS-Net: ``python -m benchmarks.dus_net_stages [--points 100000 ...] [--runs 5] [--device auto]``."""

from __future__ import annotations

from benchmarks.stages import Step, Timing, pipeline_stages, stage_main
from core.backbones.down_up import groups
from core.geometry.alignment import CommonPose
from core.pipelines.dus_net import frame, pipeline, reconstruction, scoring
from core.runtime import Runtime

STEPS: tuple[Step, ...] = (
    (frame, "voxel_grid"),
    (CommonPose, "find"),
    (groups, "make_patches"),
    (reconstruction, "recalled"),
    (reconstruction, "rebuilt"),
    (reconstruction, "following"),
    (scoring, "estimate_normals"),
    (scoring, "distances"),
    (scoring, "open_border"),
    (pipeline, "measured"),
    (pipeline, "smoothed"),
)


def stages(points: int, runs: int, runtime: Runtime) -> list[Timing]:
    """The steps of an inspection with the preset ``fast``."""
    return pipeline_stages("dus_net", "fast", STEPS, points, runs, runtime)


def main() -> None:
    stage_main(stages, __doc__)


if __name__ == "__main__":
    main()
