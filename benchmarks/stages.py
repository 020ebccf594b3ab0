"""What every part of the speed suite gives and is made with.

A module of the suite offers ``stages(points, runs, runtime) -> list[Timing]``, prints its own figures when it is run,
and is named in ``benchmarks.suite``. ``Stopwatch`` times one operation; ``pipeline_stages`` times the steps within a
pipeline's inspection by their names, so that a pipeline's module is a table of them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import torch

from benchmarks.memory import Peak
from core.datasets.demo import make_part
from core.pipelines.base import Pipeline
from core.pipelines.registry import pipeline_class
from core.progress import Progress
from core.runtime import Runtime

SIZES = (20_000, 100_000, 500_000, 2_000_000)
WHOLE = "whole inspection"


@dataclass(frozen=True)
class Timing:
    """How long one operation takes at one size.

    Attributes
    ----------
    name : str
    points : int
        The size it was asked for.
    median_s : float or None
        Median of the runs, seconds; None where it was left out.
    peak_mb : float or None
        The most memory that a run took beyond what was taken before it, MB; of the GPU for work on CUDA. None where
        the system does not tell.
    ratio : float or None
        How many times longer the plain version of the same takes, in the same run.
    plain : str
        What the plain version is.
    note : str
        Why it was left out, or what is to know.
    """

    name: str
    points: int
    median_s: float | None = None
    peak_mb: float | None = None
    ratio: float | None = None
    plain: str = ""
    note: str = ""


Stages = Callable[[int, int, Runtime], list[Timing]]
"""points, runs, runtime to timings."""
Step = tuple[ModuleType | type, str]
"""A function by the module that calls it under that name, or a method by its class."""


@dataclass
class Stopwatch:
    """Collects timings of operations at one size.

    Attributes
    ----------
    points, runs : int
    runtime : Runtime
    """

    points: int
    runs: int
    runtime: Runtime
    timings: list[Timing] = field(default_factory=list)

    def time(
        self, name: str, work: Callable[[], object], plain: Callable[[], object] | None = None, against: str = ""
    ) -> None:
        """Time ``work`` after a first call that is watched for its memory, and ``plain`` once in the same run."""
        with Peak(self.runtime.device) as peak:
            work()
        median = statistics.median(seconds(work, self.runtime.device) for _ in range(self.runs))
        ratio = None if plain is None else seconds(plain, self.runtime.device) / median
        self.timings.append(Timing(name, self.points, median, peak.mb, ratio, against if plain else ""))

    def skip(self, name: str, why: str) -> None:
        """Say that an operation was left out at this size."""
        self.timings.append(Timing(name, self.points, note=why))


def pipeline_stages(
    pipeline: str,
    preset: str,
    steps: Sequence[Step],
    points: int,
    runs: int,
    runtime: Runtime,
    *,
    kind: str = "bracket",
    scans: int = 4,
    train_points: int = 20_000,
) -> list[Timing]:
    """Times of the steps of one inspection, and of the whole of it; a step that it does not take is an error.

    Parameters
    ----------
    pipeline, preset : str
    steps : sequence of Step
        A step that calls another one shows the peak since.
    points, runs : int
        Of the inspected scan; how often it is inspected.
    runtime : Runtime
    kind : str
        Generated demo part.
    scans, train_points : int
        The good scans that the model is fitted on, and their size, the same at every ``points``.
    """
    for module, name in steps:
        getattr(module, name)  # that a step was renamed shall show before the fit
    kind_of = pipeline_class(pipeline)
    model = kind_of(kind_of.Config.preset(preset), runtime)
    model.fit([make_part(kind, 10 + i, None, train_points) for i in range(scans)], Progress())
    part = make_part(kind, 1, None, points)
    model.score(part, Progress())  # the first one loads libraries
    return stages_of(lambda: _inspect(model, part), steps, points, runs, runtime)


def stages_of(
    work: Callable[[], object], steps: Sequence[Step], points: int, runs: int, runtime: Runtime
) -> list[Timing]:
    """Times of named steps within ``work``, and of the whole of it.

    A step that is called several times counts with the sum of its times and the highest of its peaks.

    Raises
    ------
    LookupError
        If a step is not called: its row would be missing from the figures unseen.
    """
    taken: dict[str, list[float]] = {}
    for _ in range(runs):
        spent: dict[str, float] = {}
        with _replaced(steps, partial(_timed, spent, runtime.device)):
            total = seconds(work, runtime.device)
        for name, value in {**spent, WHOLE: total}.items():
            taken.setdefault(name, []).append(value)
    if missed := {name for _, name in steps} - taken.keys():
        raise LookupError(f"not called: {', '.join(sorted(missed))}")
    peaks: dict[str, float | None] = {}
    with _replaced(steps, partial(_weighed, peaks, runtime.device)):
        work()
    with Peak(runtime.device) as peak:  # on its own: the steps' peaks reset it
        work()
    peaks[WHOLE] = peak.mb
    return [Timing(name, points, statistics.median(values), peaks.get(name)) for name, values in taken.items()]


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """How long one call takes, what it started on the GPU included."""
    start = time.perf_counter()
    work()
    _finished(device)
    return time.perf_counter() - start


def exponent(timings: Sequence[Timing]) -> float | None:
    """How the cost of one operation grows: the b of a fit of time = a * points ** b to its sizes; None for one size."""
    known = [(t.points, t.median_s) for t in timings if t.median_s]
    if len(known) < 2:
        return None
    sizes, times = np.log(np.array(known, dtype=np.float64)).T
    return float(np.polyfit(sizes, times, 1)[0])


def stage_main(stages: Stages, description: str | None, sizes: Sequence[int] = SIZES) -> None:
    """The ``main`` of a module of the suite: its own figures on the console."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--points", type=int, nargs="+", default=list(sizes))
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    runtime = Runtime.choose(options.device)
    print(f"{runtime.title}; {torch.get_num_threads()} threads; median of {options.runs}\n")
    for points in options.points:
        for timing in stages(points, options.runs, runtime):
            print(line(timing), flush=True)


def line(timing: Timing) -> str:
    """One timing as a line of text."""
    head = f"{timing.name:40s} {timing.points:>9,d}"
    if timing.median_s is None:
        return f"{head}  {timing.note}"
    memory = f"{timing.peak_mb:9.0f} MB" if timing.peak_mb is not None else f"{'':12s}"
    ratio = f"{timing.ratio:8.1f} x {timing.plain}" if timing.ratio is not None else ""
    return f"{head} {1000 * timing.median_s:11.1f} ms {memory} {ratio} {timing.note}".rstrip()


def _inspect(model: Pipeline, part: Any) -> object:
    return model.score(part, Progress())


def _finished(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


@contextmanager
def _replaced(steps: Sequence[Step], by: Callable[[Callable[..., Any], str], Callable[..., Any]]) -> Iterator[None]:
    originals = [(module, name, getattr(module, name)) for module, name in steps]
    for module, name, original in originals:
        setattr(module, name, by(original, name))
    try:
        yield
    finally:
        for module, name, original in originals:
            setattr(module, name, original)


def _timed(
    spent: dict[str, float], device: torch.device, original: Callable[..., Any], name: str
) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        _finished(device)
        start = time.perf_counter()
        result = original(*args, **kwargs)
        _finished(device)
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - start
        return result

    return timed


def _weighed(
    peaks: dict[str, float | None], device: torch.device, original: Callable[..., Any], name: str
) -> Callable[..., Any]:
    def weighed(*args: Any, **kwargs: Any) -> Any:
        with Peak(device) as peak:
            result = original(*args, **kwargs)
        peaks[name] = max(peak.mb or 0.0, peaks.get(name) or 0.0)
        return result

    return weighed
