"""Modes and ablation cases of CMDR-IAD on the test scans of categories, from one fit each.

python -m benchmarks.cmdr_iad --category DIR[:UNIT] ... [--preset fast] [--set NAME=VALUE ...] [--out FILE]

The networks of a mode are trained alike in every mode that has them (tests hold them to it), so that one fit of 2D+3D
serves all rows. Metrics are those of `nominal evaluate`: over judged points, exact, without calibration.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from core.datasets.category import Category, recognise
from core.errors import NominalError
from core.evaluation.part_metrics import part_metrics
from core.evaluation.point_counts import PointCounts
from core.files import written_whole
from core.geometry.units import UNITS_IN_MM
from core.pipelines.cmdr_iad.config import CmdrIadConfig, Mode
from core.pipelines.cmdr_iad.pipeline import CmdrIadPipeline
from core.progress import CallbackProgress, Progress
from core.runtime import Runtime
from core.scan import Scan
from core.scores import Scores

METRICS = {"o_auroc": "O-AUROC", "p_auroc": "P-AUROC", "p_aupr": "P-AUPR", "aupro_30": "AUPRO@30 %"}

Row = tuple[str, Mode, dict[str, object]]
ROWS: tuple[Row, ...] = (
    ("2D+3D, full", "2d+3d", {"case": "full"}),
    ("3D only", "3d", {}),
    ("2D only", "2d", {}),
    ("2D+3D, case 1", "2d+3d", {"case": "1"}),
    ("2D+3D, case 2", "2d+3d", {"case": "2"}),
    ("2D+3D, case 3", "2d+3d", {"case": "3"}),
    ("2D+3D, case 4", "2d+3d", {"case": "4"}),
    ("2D+3D, case 5", "2d+3d", {"case": "5"}),
    ("2D+3D, case 6", "2d+3d", {"case": "6"}),
    ("2D+3D, not divided", "2d+3d", {"case": "full", "normalise": "none", "normalise_part": False}),
    ("2D+3D, errors not relative", "2d+3d", {"case": "full", "relative": False}),
    ("3D only, errors not relative", "3d", {"relative": False}),
    ("2D only, errors not relative", "2d", {"relative": False}),
)


class Column:
    """What one row of the table says of one category, scan after scan."""

    def __init__(self) -> None:
        self.counts, self.scores, self.kinds = PointCounts((0.3,)), list[float](), list[str]()

    def add(self, scan: Scan, scores: Scores, kind: str) -> None:
        labels = np.zeros(len(scan), bool) if scan.labels is None else scan.labels
        self.counts.add(scan, scores.points, labels, kind)
        self.scores.append(scores.object)
        self.kinds.append(kind)

    def metrics(self) -> dict[str, float]:
        """Each metric, and O-AUROC by kind of defect."""
        scores, kinds = np.array(self.scores), np.array(self.kinds)
        found = {name: one.value for name, one in self.counts.metrics(resamples=0).items()}
        found["o_auroc"] = part_metrics(scores, kinds != "good", resamples=0)["o_auroc"].value
        for kind in sorted(set(self.kinds) - {"good"}):
            chosen = (kinds == kind) | (kinds == "good")
            found[kind] = part_metrics(scores[chosen], kinds[chosen] == kind, resamples=0)["o_auroc"].value
        return found


def measured(category: Category, config: CmdrIadConfig, runtime: Runtime, progress: Progress) -> Mapping[str, Column]:
    """Every row's column of a category."""
    model = CmdrIadPipeline(config, runtime)
    started = time.perf_counter(), time.process_time()
    model.fit([category.load(entry) for entry in category.good_train()], progress.part(0.0, 0.7, category.name))
    spent = time.perf_counter() - started[0], time.process_time() - started[1]
    print(f"{category.name}: fitted in {spent[0]:.0f} s, {spent[1]:.0f} s of the processor", flush=True)
    columns = {title: Column() for title, _, _ in ROWS}
    for entry in progress.part(0.7, 1.0, category.name).over(category.split("test"), "{i} of {n}"):
        scan = category.load(entry)
        look = model.look(scan, Progress())
        for title, mode, changes in ROWS:
            scores = model.weigh(look, mode, dataclasses.replace(config, **changes), maps=False)  # type: ignore[arg-type]
            columns[title].add(scan, scores, entry.defect or "good")
    return columns


def document(found: Mapping[str, Mapping[str, dict[str, float]]], head: str) -> str:
    """The tables as Markdown: metrics, and O-AUROC by kind of defect."""
    lines = [head, "", "| mode | " + " | ".join(f"{c} {m}" for c in found for m in METRICS.values()) + " |"]
    lines += ["|" + " --- |" * (1 + len(found) * len(METRICS))]
    for title, _, _ in ROWS:
        values = [found[c][title][m] for c in found for m in METRICS]
        lines.append(f"| {title} | " + " | ".join(f"{value:.3f}" for value in values) + " |")
    for name, columns in found.items():
        kinds = [key for key in next(iter(columns.values())) if key not in METRICS and not key.startswith("aupro")]
        lines += ["", f"| {name}, O-AUROC | " + " | ".join(kinds) + " |", "|" + " --- |" * (1 + len(kinds))]
        lines += [f"| {t} | " + " | ".join(f"{columns[t][k]:.2f}" for k in kinds) + " |" for t, _, _ in ROWS]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Modes and cases of CMDR-IAD", allow_abbrev=False)
    parser.add_argument("--category", nargs="+", required=True, metavar="DIR[:UNIT]")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings to change")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    runtime = Runtime.choose(options.device, seed=options.seed)
    config = CmdrIadConfig.parse(options.preset, dict(one.split("=", 1) for one in options.set))
    config = dataclasses.replace(config, mode="2d+3d")
    found = {}
    for given in options.category:
        path, _, unit = given.rpartition(":")
        category = recognise(Path(path), unit=unit) if unit in UNITS_IN_MM else recognise(Path(given))
        columns = measured(category, config, runtime, _progress())
        found[category.name] = {title: column.metrics() for title, column in columns.items()}
    changed = f" with {' '.join(options.set)}" if options.set else ""
    text = document(found, f"Preset `{options.preset}`{changed}, seed {options.seed}, {runtime.title}.")
    print(text)
    if options.out is not None:
        with written_whole(options.out) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return 0


def _progress() -> Progress:
    if not sys.stderr.isatty():
        return Progress()
    return CallbackProgress(lambda f, what: print(f"\r{100 * f:3.0f} % {what:<70.70}", end="\r", file=sys.stderr))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NominalError as error:
        sys.exit(str(error))
