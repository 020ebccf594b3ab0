"""Stage times of IAENet: ``python -m benchmarks.iaenet_stages [--points 100000 ...] [--runs 5] [--device auto]``.

``prepare``: background, units, thinning, pose, normals. ``encode``: patches and their codes. ``take``: pictures.
``describe``: pictures, image features and FPFH. ``reconstruct``: search and pursuit of both experts. ``smoothed``: the
blur of X1. ``judged``: the fusion.
"""

from __future__ import annotations

from functools import partial

from benchmarks.stages import Step, pipeline_stages, stage_main
from core.pipelines.iaenet.bank import Bank
from core.pipelines.iaenet.expert_2d import Expert2D
from core.pipelines.iaenet.expert_3d import Expert3D
from core.pipelines.iaenet.frame import Frame
from core.pipelines.iaenet.fusion import IafFusion
from core.pipelines.iaenet.pictures import Photographer

STEPS: tuple[Step, ...] = (
    (Frame, "prepare"),
    (Expert3D, "encode"),
    (Photographer, "take"),
    (Expert2D, "describe"),
    (Bank, "reconstruct"),
    (Expert2D, "smoothed"),
    (IafFusion, "judged"),
)

stages = partial(pipeline_stages, "iaenet", "fast", STEPS)
"""The steps of an inspection."""

if __name__ == "__main__":
    stage_main(stages, __doc__)
