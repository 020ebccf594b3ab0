"""Stage times of DUS-Net: ``python -m benchmarks.dus_net_stages [--points 100000 ...] [--runs 5] [--device auto]``."""

from __future__ import annotations

from types import ModuleType

from benchmarks.stages import Timing, pipeline_stages, stage_main
from core.backbones.down_up import groups
from core.geometry import alignment
from core.pipelines.dus_net import frame, pipeline, reconstruction, scoring
from core.runtime import Runtime

STEPS: tuple[tuple[ModuleType, str], ...] = (
    (frame, "voxel_grid"),
    (alignment, "register"),
    (groups, "make_patches"),
    (reconstruction, "recalled"),
    (reconstruction, "rebuilt"),
    (reconstruction, "following"),
    (reconstruction, "reconstruct"),
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
