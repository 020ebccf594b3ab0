"""Makes the models that ship for the category that the first start opens: ``python -m benchmarks.demo_model``.

Preset fast, seed 0, on the demo's good scans. To be run again whenever the demo parts, a method or the weights change.
The first start takes the newest, which is the last made.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core import workflow
from core.datasets.category import recognise
from core.datasets.demo import demo_folder, make_demo
from core.demo import FIRST_CATEGORY
from core.pipelines.registry import pipeline_class
from core.progress import CallbackProgress
from core.runtime import Runtime
from core.store.model_file import SUFFIX

PIPELINES = ("sca", "deviation")
FOLDER = Path(__file__).parents[1] / "resources" / "models"


def main() -> None:
    progress = CallbackProgress(lambda fraction, what: print(f"{fraction:4.0%} {what}"))
    folder = make_demo(FIRST_CATEGORY, demo_folder(), progress=progress)
    category = recognise(folder, unit="mm", name=FIRST_CATEGORY)
    for pipeline in PIPELINES:
        config = pipeline_class(pipeline).Config.preset("fast")
        model = workflow.train(category, pipeline, config, runtime=Runtime.choose(), preset="fast", progress=progress)
        # The folder of the machine that made it means nothing where it is used.
        shipped = replace(model, card=replace(model.card, source=""))
        workflow.save(shipped, FOLDER / f"{FIRST_CATEGORY}-{pipeline}{SUFFIX}")
        print(f"{pipeline}: {model.calibration.note}")


if __name__ == "__main__":
    main()
