"""Stage times of SCA on one generated part: median of several runs.

python -m benchmarks.sca [--points 100000] [--preset fast] [--repeat 5] [--device auto]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

from core.datasets.demo import make_part
from core.pipelines.sca import frame, patch_features, pipeline
from core.pipelines.sca.config import ScaConfig
from core.progress import Progress
from core.runtime import Runtime

STAGES: tuple[tuple[ModuleType, str], ...] = (
    (frame, "voxel_grid"),
    (frame, "register"),
    (patch_features, "estimate_normals"),
    (patch_features, "make_patches"),
    (patch_features, "backbone_features"),
    (patch_features, "fpfh"),
    (patch_features, "spatial_context_aggregation"),
    (pipeline, "between_centers"),
    (pipeline, "highest_of_patches"),
    (pipeline, "median_filter"),
)


def timed(module: ModuleType, name: str, spent: dict[str, float], device: torch.device) -> Callable[[], None]:
    """Make the stage count its seconds; gives what undoes that."""
    original = getattr(module, name)

    def measured(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        result = original(*args, **kwargs)
        if device.type == "cuda":
            torch.cuda.synchronize()
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - started
        return result

    setattr(module, name, measured)
    return lambda: setattr(module, name, original)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--preset", default="fast", choices=sorted(ScaConfig.PRESETS))
    parser.add_argument("--scans", type=int, default=4, help="good scans to fit on")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    options = parser.parse_args()
    runtime = Runtime.choose(options.device)
    part = make_part("bracket", 1, None, options.points)
    model = pipeline.ScaPipeline(ScaConfig.preset(options.preset), runtime)
    started = time.perf_counter()
    model.fit([make_part("bracket", 10 + i, None, options.points) for i in range(options.scans)], Progress())
    print(f"{runtime.title}; preset {options.preset}; {len(part)} points")
    print(f"fit on {options.scans} scans: {time.perf_counter() - started:.1f} s")
    model.score(part, Progress())  # the first one loads libraries
    runs: list[dict[str, float]] = []
    for _ in range(options.repeat):
        spent: dict[str, float] = {}
        undo = [timed(module, name, spent, runtime.device) for module, name in STAGES]
        started = time.perf_counter()
        model.score(part, Progress())
        spent["whole inspection"] = time.perf_counter() - started
        for restore in undo:
            restore()
        runs.append(spent)
    for stage in runs[0]:
        print(f"{stage:30s} {1000 * statistics.median(run[stage] for run in runs):9.1f} ms")


if __name__ == "__main__":
    main()
