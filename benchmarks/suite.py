"""The whole speed suite: ``make bench``, or ``python -m benchmarks.suite [--parts geometry ...] [--points 20000 ...]``.

Parts are modules of this folder with a function ``stages``: geometry, features, evaluation, and every ``*_stages``.
Each part at each size runs in a process of its own, so that memory is counted from the start and one that fails or
takes too long does not cost the others. Figures go to ``benchmarks/results``, one file a machine; what was not run this
time stays as it was. The tables in docs/benchmarks.md are made of these files.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks import evaluation, features
from benchmarks.results_file import RESULTS, Figures, machine, write_table
from benchmarks.stages import SIZES, Timing, line
from core.files import written_whole
from core.runtime import Runtime

HERE = Path(__file__).parent
_SIZES = {"features": (features.FIXED,), "evaluation": evaluation.SIZES}
_LARGEST_PIPELINE = 500_000
"""Points that pipelines are timed on at most: larger scans cost what thinning them costs, which is in geometry."""


def parts() -> tuple[str, ...]:
    """The modules of the suite."""
    return ("geometry", "features", "evaluation", *sorted(path.stem for path in HERE.glob("*_stages.py")))


def sizes(part: str, asked: Sequence[int]) -> list[int]:
    """The sizes to run a part at."""
    if part in _SIZES:
        return list(_SIZES[part])
    return [size for size in asked if not part.endswith("_stages") or size <= _LARGEST_PIPELINE]


def main() -> None:
    options = _options()
    if options.to is not None:
        return _work(options)
    runtime = Runtime.choose(options.device)
    figures = Figures.read(machine(runtime))
    for part in options.parts:
        for size in sizes(part, options.points):
            print(f"\n{part}, {size:,} points", flush=True)
            timings = _apart(part, size, options)
            for timing in timings:
                print(line(timing), flush=True)
            figures.put(part, timings)
            figures.write()
    write_table()
    print(f"\nKept in {figures.path.relative_to(HERE.parent)}; docs/benchmarks.md has the table.")
    return None


def _apart(part: str, size: int, options: argparse.Namespace) -> list[Timing]:
    """One part at one size in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "timings.json"
        command = [sys.executable, "-m", "benchmarks.suite", "--parts", part, "--points", str(size), "--to", str(to)]
        command += ["--runs", str(options.runs), "--device", options.device, "--threads", str(options.threads)]
        try:
            done = subprocess.run(command, timeout=options.limit, check=False, cwd=HERE.parent)
        except subprocess.TimeoutExpired:
            return [Timing(part, size, note=f"left out: took more than {options.limit:.0f} s")]
        if done.returncode != 0 or not to.is_file():
            return [Timing(part, size, note=f"failed with status {done.returncode}")]
        return [Timing(**record) for record in json.loads(to.read_text(encoding="utf-8"))]


def _work(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    stages = importlib.import_module(f"benchmarks.{options.parts[0]}").stages
    timings = stages(options.points[0], options.runs, Runtime.choose(options.device))
    with written_whole(options.to) as temporary:
        temporary.write_text(json.dumps([asdict(timing) for timing in timings]), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=list(parts()), choices=parts(), metavar="PART")
    parser.add_argument("--points", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--limit", type=float, default=1800.0, help="seconds for a part at one size")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--to", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    RESULTS.mkdir(exist_ok=True)
    main()
