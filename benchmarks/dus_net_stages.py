"""Stage times of DUS-Net: ``python -m benchmarks.dus_net_stages [--points 100000 ...] [--runs 5] [--device auto]``."""

from __future__ import annotations

from functools import partial

from benchmarks.stages import Step, pipeline_stages, stage_main
from core.backbones.down_up import groups
from core.geometry.alignment import CommonPose
from core.pipelines.dus_net import frame, pipeline, reconstruction, scoring

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

stages = partial(pipeline_stages, "dus_net", "fast", STEPS)
"""The steps of an inspection."""

if __name__ == "__main__":
    stage_main(stages, __doc__)
