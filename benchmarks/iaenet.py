"""IAENet's experts and fusions held side by side, per category: the table of docs/iaenet.md.

    python -m benchmarks.iaenet --category DIR[:UNIT]... [--set NAME=VALUE...] [--train 20] [--good 10] [--each 3]

Experts, memory, scaling and every fusion are learned once a category, without the further fits that calibration takes;
each test scan is judged once, by both experts and all fusions. O-AUROC: of the mean of the ``object_share`` highest
points of a map, as in the preset ``fast``. P-AUROC, P-AUPR, AUPRO: over the judged points of all test scans; a defect
that was not judged counts as missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.datasets.category import Category, ScanEntry, recognise
from core.errors import NominalError
from core.evaluation.part_metrics import part_metrics
from core.evaluation.point_counts import PointCounts
from core.evaluation.results import GOOD
from core.geometry.units import UNITS_IN_MM
from core.pipelines.iaenet.config import IaenetConfig
from core.pipelines.iaenet.experts import Experts, of_the_part
from core.pipelines.iaenet.fusing import fit_fusions, training_maps
from core.progress import Progress
from core.runtime import Runtime

ROWS = {
    "x1": "X1, 3D expert",
    "x2": "X2, 2D expert",
    "max": "max",
    "addition": "addition",
    "ocsvm": "one-class SVM",
    "iaf": "importance-aware",
}
METRICS = {"o_auroc": "O-AUROC", "p_auroc": "P-AUROC", "p_aupr": "P-AUPR", "aupro_30": "AUPRO@30 %", "aupro_5": "@5 %"}
_LIMITS = (0.3, 0.05)


@dataclass
class Found:
    """What the maps of one category are worth: row to metric to value."""

    category: str
    train: int
    good: int = 0
    defective: int = 0
    fit_seconds: float = 0.0
    inspect_seconds: list[float] = field(default_factory=list)
    rows: dict[str, dict[str, float]] = field(default_factory=dict)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    runtime = Runtime.choose(options.device, seed=options.seed)
    config = IaenetConfig.parse(options.preset, dict(text.split("=", 1) for text in options.set))
    found = []
    for given in options.category:
        path, colon, unit = given.rpartition(":")
        folder, unit = (Path(path), unit) if colon and unit in UNITS_IN_MM else (Path(given), "mm")
        found.append(compare(recognise(folder, unit=unit), config, runtime, options.train, options.good, options.each))
        print(f"\n{table(found[-1:])}", flush=True)
    if len(found) > 1:
        print(f"\n{table(found)}")
    return 0


def compare(category: Category, config: IaenetConfig, runtime: Runtime, train: int, good: int, each: int) -> Found:
    """Learn from a category's good scans and judge its test scans by every map.

    Parameters
    ----------
    train, good, each : int
        At most so many good training scans, good test scans, and test scans of each kind of defect.
    """
    scans = [category.load(entry) for entry in category.good_train()[:train]]
    result = Found(category.name, len(scans))
    start = time.perf_counter()
    experts, prepared, coded, described = Experts.fit(scans, config, runtime, Progress())
    maps = training_maps(experts, prepared, coded, described, config, runtime, Progress())
    scaling, fusions = fit_fusions(maps, config, runtime, Progress())
    result.fit_seconds = time.perf_counter() - start
    counts = {row: PointCounts(_LIMITS) for row in ROWS}
    parts: dict[str, list[float]] = {row: [] for row in ROWS}
    defective = []
    for entry in _chosen(category.split("test"), good, each):
        scan = category.load(entry)
        labels = np.zeros(len(scan), bool) if scan.labels is None and not entry.defect else scan.labels
        start = time.perf_counter()
        one = experts.frame.prepare(scan)
        look = experts.look(one)
        scaled = scaling(look.maps)
        shown: dict[str, NDArray[np.float32]] = {"x1": look.maps[:, 0], "x2": look.maps[:, 1]}
        shown |= {row: fusions.named(row).points(scaled) for row in ROWS if row not in shown}
        result.inspect_seconds.append(time.perf_counter() - start)
        for row, values in shown.items():
            parts[row].append(float(of_the_part(values[:, None], config.object_share)[0]))
            if labels is not None:
                counts[row].add(scan, one.to_scan(values), labels, entry.defect or GOOD)
        defective.append(bool(entry.defect))
    result.defective = sum(defective)
    result.good = len(defective) - result.defective
    for row in ROWS:
        measures = part_metrics(parts[row], defective, resamples=0) | counts[row].metrics(resamples=0)
        result.rows[row] = {name: measures[name].value for name in METRICS if name in measures}
    return result


def table(found: Sequence[Found]) -> str:
    """One block a category, or the mean of several, as Markdown."""
    if len(found) == 1:
        one = found[0]
        head = (
            f"{one.category}: {one.train} good scans, test {one.good} good and {one.defective} defective; fit "
            f"{one.fit_seconds:.0f} s, a scan {np.median(one.inspect_seconds):.2f} s"
        )
    else:
        head = f"mean of {', '.join(one.category for one in found)}"
    lines = [head, "", f"| | {' | '.join(METRICS.values())} |", "|---|" + "---:|" * len(METRICS)]
    for row, title in ROWS.items():
        values = [np.mean([one.rows[row].get(name, np.nan) for one in found]) for name in METRICS]
        lines.append(f"| {title} | {' | '.join(f'{value:.3f}' for value in values)} |")
    return "\n".join(lines)


def _chosen(entries: Iterable[ScanEntry], good: int, each: int) -> list[ScanEntry]:
    taken: dict[str, int] = {}
    chosen = []
    for entry in entries:
        kind = entry.defect or GOOD
        taken[kind] = taken.get(kind, 0) + 1
        if taken[kind] <= (good if kind == GOOD else each):
            chosen.append(entry)
    return chosen


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="IAENet's experts and fusions side by side", allow_abbrev=False)
    parser.add_argument("--category", nargs="+", required=True, metavar="DIR[:UNIT]", help="unit mm if not given")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings other than the preset's")
    parser.add_argument("--train", type=int, default=20, help="good scans at most")
    parser.add_argument("--good", type=int, default=100, help="good test scans at most")
    parser.add_argument("--each", type=int, default=100, help="test scans of each kind of defect at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NominalError as error:
        sys.exit(str(error))
