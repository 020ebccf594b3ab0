"""Stage times of CMDR-IAD on one made organised scan with its photograph: median of several runs.

python -m benchmarks.cmdr_iad_stages [--points 160000] [--preset fast] [--repeat 5] [--device auto]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import torch

from benchmarks.stages import Timing, pipeline_stages
from core.datasets.demo import make_part
from core.pipelines.cmdr_iad import described, frame, judging, networks, pipeline, raster
from core.pipelines.cmdr_iad.config import CmdrIadConfig
from core.progress import CallbackProgress, Progress
from core.runtime import Runtime
from core.scan import Scan

STAGES: tuple[tuple[ModuleType | type, str, str], ...] = (
    (frame.Frame, "part", "part, raster and photograph"),
    (described.Describer, "_cut", "thinning and normals"),
    (described.Describer, "_surface", "surface features"),
    (described.Describer, "_drawn", "drawing and image features"),
    (described.Describer, "_image", "image features"),
    (pipeline, "distances", "networks"),
    (judging, "fused", "fusion"),
    (raster.Raster, "to_points", "maps to points"),
)
POINTS = 160_000
"""Pixels of its grid, about 400 x 400."""


def stages(points: int, runs: int, runtime: Runtime) -> list[Timing]:
    """The steps of an inspection with the preset ``fast``: of a photographed part, and of a cloud."""
    steps = [(owner, name) for owner, name, _ in STAGES]
    photographed, cloud = (
        pipeline_stages("cmdr_iad", "fast", steps, points, runs, runtime, kind=kind) for kind in ("plate", "bracket")
    )
    return photographed + [replace(timing, name=f"cloud: {timing.name}") for timing in cloud]


def timed(owner: Any, name: str, title: str, spent: dict[str, float], device: torch.device) -> Callable[[], None]:
    """Make the stage count its seconds; gives what undoes that."""
    original = getattr(owner, name)

    def measured(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        result = original(*args, **kwargs)
        if device.type == "cuda":
            torch.cuda.synchronize()
        spent[title] = spent.get(title, 0.0) + time.perf_counter() - started
        return result

    setattr(owner, name, measured)
    return lambda: setattr(owner, name, original)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=POINTS)
    parser.add_argument("--preset", default="fast", choices=sorted(CmdrIadConfig.PRESETS))
    parser.add_argument("--scans", type=int, default=4, help="good scans to fit on")
    parser.add_argument("--epochs", type=int, default=0, help="instead of the preset's")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    options = parser.parse_args(arguments)
    runtime = Runtime.choose(options.device)
    changes = {"epochs": options.epochs} if options.epochs else {}
    model = pipeline.CmdrIadPipeline(CmdrIadConfig.preset(options.preset, **changes), runtime)
    scan = make_part("plate", 1, None, options.points)
    assert scan.grid is not None
    shape = " x ".join(str(side) for side in scan.grid.shape)
    print(f"{runtime.title}; preset {options.preset}; {shape} pixels, {len(scan)} points")
    for title, seconds in fitting(
        model, [make_part("plate", 10 + i, None, options.points) for i in range(options.scans)]
    ):
        print(f"fit on {options.scans} scans, {title:34s} {seconds:9.2f} s")
    for mode, judge, given in (
        ("2d+3d", model, scan),
        ("3d", model.reduced(), scan.replaced(image=None)),
    ):
        assert judge is not None
        judge.score(given, Progress())  # the first one loads libraries
        runs: list[dict[str, float]] = []
        for _ in range(options.repeat):
            spent: dict[str, float] = {}
            undo = [timed(owner, name, title, spent, runtime.device) for owner, name, title in STAGES]
            started = time.perf_counter()
            judge.score(given, Progress())
            spent["whole inspection"] = time.perf_counter() - started
            for restore in undo:
                restore()
            runs.append(spent)
        for title in runs[0]:
            print(f"{mode:6s} {title:30s} {1000 * statistics.median(run[title] for run in runs):9.1f} ms")
    sizes = ", ".join(
        f"{networks.TITLES[task]} {sum(one.numel() for one in module.parameters()):,}"
        for task, module in model.networks.modules.items()
    )
    print(f"parameters: {sizes}")


def fitting(model: pipeline.CmdrIadPipeline, scans: list[Scan]) -> list[tuple[str, float]]:
    """Seconds of each part of a fit, told apart by what it reports."""
    spent: dict[str, float] = {}
    titles = (*networks.TITLES.values(), "measuring good parts")
    now, then = "features", time.perf_counter()

    def report(fraction: float, what: str) -> None:
        nonlocal now, then
        moment = time.perf_counter()
        # A report of training says what has just been done, all others what begins.
        title = next((title for title in titles if what.startswith(title)), now)
        counted = title if title in networks.TITLES.values() else now
        spent[counted] = spent.get(counted, 0.0) + moment - then
        now, then = title, moment

    model.fit(scans, CallbackProgress(report))
    return list(spent.items())


if __name__ == "__main__":
    main()
