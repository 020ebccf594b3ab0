"""Stage times of BTF: ``python -m benchmarks.btf_stages [--points 100000 ...] [--runs 5] [--device auto]``.

``part``: background, thinning, normals. ``shape``: FPFH and its means over places. ``compare``: the search in the
memory. ``smoothed`` and ``to_points``: back to the points.
"""

from __future__ import annotations

from functools import partial

from benchmarks.stages import Step, pipeline_stages, stage_main
from core.geometry.thinned_parts import ThinnedPart
from core.pipelines.btf import pipeline
from core.pipelines.btf.describing import Describer
from core.pipelines.btf.parts import Frame
from core.pipelines.btf.recollection import Recollection

STEPS: tuple[Step, ...] = (
    (Frame, "part"),
    (Describer, "shape"),
    (Recollection, "compare"),
    (pipeline, "smoothed"),
    (ThinnedPart, "to_points"),
)

stages = partial(pipeline_stages, "btf", "fast", STEPS)
"""The steps of an inspection."""

if __name__ == "__main__":
    stage_main(stages, __doc__)
