"""Stage times of deviation: ``python -m benchmarks.deviation_stages [--points 100000 ...] [--runs 5] [--device auto]``.

``_part``: background. ``distance``: to the nominal surface. ``never_shown``: what no good scan showed. ``smoothed``: of
heights, of what lies beside, and of scores, with the discs that it is done over (``neighbours``).
"""

from __future__ import annotations

from functools import partial

from benchmarks.stages import Step, pipeline_stages, stage_main
from core.geometry.discs import Smoothing
from core.geometry.surface_distance import CloudSurface
from core.pipelines.deviation import pipeline
from core.pipelines.deviation.nominal import Nominal

STEPS: tuple[Step, ...] = (
    (pipeline, "_part"),
    (pipeline, "register_near"),
    (CloudSurface, "distance"),
    (Nominal, "never_shown"),
    (Smoothing, "neighbours"),
    (pipeline, "smoothed"),
)

stages = partial(pipeline_stages, "deviation", "fast", STEPS)
"""The steps of an inspection."""

if __name__ == "__main__":
    stage_main(stages, __doc__)
