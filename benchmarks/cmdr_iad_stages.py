"""Stage times of CMDR-IAD: ``python -m benchmarks.cmdr_iad_stages [--points 100000 ...] [--runs 5] [--device auto]``.

Of an organised scan with its photograph, and of a cloud, whose pictures are drawn. ``part``: background, pose and
raster. ``_cut``: thinning and normals. ``distances``: the networks. ``to_points``: maps back to the points.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks.stages import Step, Timing, pipeline_stages, stage_main
from core.pipelines.cmdr_iad import described, frame, judging, pipeline, raster
from core.runtime import Runtime

STEPS: tuple[Step, ...] = (
    (frame.Frame, "part"),
    (described.Describer, "_cut"),
    (described.Describer, "_surface"),
    (described.Describer, "_image"),
    (pipeline, "distances"),
    (judging, "fused"),
    (raster.Raster, "to_points"),
)
CLOUD: tuple[Step, ...] = tuple((owner, "_drawn" if name == "_image" else name) for owner, name in STEPS)


def stages(points: int, runs: int, runtime: Runtime) -> list[Timing]:
    """The steps of an inspection with the preset ``fast``: of a part with a photograph, and of a cloud."""
    photographed = pipeline_stages("cmdr_iad", "fast", STEPS, points, runs, runtime, kind="plate")
    cloud = pipeline_stages("cmdr_iad", "fast", CLOUD, points, runs, runtime)
    return photographed + [replace(timing, name=f"cloud: {timing.name}") for timing in cloud]


if __name__ == "__main__":
    stage_main(stages, __doc__)
