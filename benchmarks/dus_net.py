"""DUS-Net on few good scans: detection per kind of defect, its ablations, and its robustness (the paper's table 9).

``python -m benchmarks.dus_net FOLDER ... [--unit mm] [--good 4] [--each 0] [--methods NAME ...] [--altered]``

Every method is fitted on the first good scans of each category and judges its test scans. Beside DUS-Net stands the
plain deviation: the distance to the closest of these good scans, registered. Results are written as JSON lines, one for
each method, category and kind of defect, and shown as a table.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.datasets.category import Category, recognise
from core.errors import RegistrationError
from core.evaluation.metrics import o_aupr, o_auroc, p_aupr, p_auroc
from core.geometry.background import ForegroundPolicy
from core.geometry.neighbors import nearest
from core.pipelines.dus_net.config import DusNetConfig
from core.pipelines.dus_net.frame import Frame
from core.pipelines.dus_net.pipeline import DusNetPipeline
from core.pipelines.part_score import top_mean
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan
from core.scores import Scores
from core.synthesis.scan_alterations import noisy, thinned

Judge = Callable[[Scan], Scores]


def _kept(scan: Scan, rng: np.random.Generator, share: float) -> Scan:
    return thinned(scan, share, rng)


def _blurred(scan: Scan, rng: np.random.Generator, deviation: float) -> Scan:
    return noisy(scan, deviation, rng)


SETTINGS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "fast": ("fast", {}),
    "no noise": ("fast", {"alpha": 0.0, "beta": 0.0, "swellings": 0}),
    "no Down-Net": ("fast", {"down_net": False}),
    "no Up-Net": ("fast", {"up_net": False}),
    "no memory": ("fast", {"memory": False}),
    "not relative": ("fast", {"relative": False}),
    "distance": ("fast", {"score": "distance"}),
    "paper": ("paper", {}),
}
"""Methods by name: a preset and what is changed of it. ``nearest`` is the plain deviation."""
ALTERATIONS: Mapping[str, Callable[[Scan, np.random.Generator], Scan]] = {
    **{f"1/{n}": partial(_kept, share=1.0 / n) for n in (2, 4, 6, 8)},
    **{f"noise {d}": partial(_blurred, deviation=d) for d in (0.001, 0.003, 0.005, 0.007, 0.009)},
}
"""The paper's table 9: shares of the points that are kept, and noise in radii of the part."""
_TOP = 0.001


def nearest_good(good: Sequence[Scan], runtime: Runtime) -> Judge:
    """The plain deviation: of the registered good scans the closest one, and each point's distance from it."""
    frame, placed = Frame.learn(good, DusNetConfig(voxel_points=24_000), runtime.seed, Progress())

    def judge(scan: Scan) -> Scores:
        part = frame.place(scan)
        found = [nearest(one.points, part.points, 1)[0][:, 0] for one in placed]
        distance = min(found, key=lambda d: float(np.mean(d)))
        return Scores(part.to_scan(distance * part.length), top_mean(distance, _TOP))

    return judge


def method(name: str, good: Sequence[Scan], runtime: Runtime) -> Judge:
    """A fitted method by its name."""
    if name == "nearest":
        return nearest_good(good, runtime)
    preset, changes = SETTINGS[name]
    pipeline = DusNetPipeline(DusNetConfig.preset(preset, **changes), runtime)
    pipeline.fit(good, Progress())
    return lambda scan: pipeline.score(scan, Progress())


def plain(scan: Scan) -> Scan:
    """The scan as an unorganised cloud."""
    return scan.replaced(grid=None, image=None, file_points=-1)


def rows(category: Category, judge: Judge, each: int, runtime: Runtime, altered: str) -> Iterator[dict[str, Any]]:
    """Results of one method on one category: over all test scans, and for each kind of defect against the good ones."""
    points: dict[str, list[NDArray[np.float32]]] = {}
    labels: dict[str, list[NDArray[np.bool_]]] = {}
    objects: dict[str, list[float]] = {}
    seconds: list[float] = []
    refused = 0
    for entry in category.split("test"):
        kind = entry.defect or "good"
        if each and len(objects.get(kind, [])) >= each * (2 if kind == "good" else 1):
            continue
        scan = _part(category.load(entry), runtime)
        if altered:
            scan = ALTERATIONS[altered](scan, np.random.default_rng(len(seconds)))
        began = time.process_time()
        try:
            scores = judge(scan)
        except RegistrationError:
            refused += 1
            continue
        seconds.append(time.process_time() - began)
        objects.setdefault(kind, []).append(scores.object)
        points.setdefault(kind, []).append(scores.points)
        labels.setdefault(kind, []).append(np.zeros(len(scan), bool) if scan.labels is None else scan.labels)
    for kind in ["all", *sorted(set(objects) - {"good"})]:
        kinds = sorted(set(objects) - {"good"}) if kind == "all" else [kind]
        of = [score for k in [*kinds, "good"] for score in objects[k]]
        defective = [k != "good" for k in [*kinds, "good"] for _ in objects[k]]
        p, m = ([array for k in [*kinds, "good"] for array in group[k]] for group in (points, labels))
        yield {
            "defect": kind, "scans": len(of), "o_auroc": o_auroc(of, defective), "p_auroc": p_auroc(p, m),
            "o_aupr": o_aupr(of, defective), "p_aupr": p_aupr(p, m), "refused": refused,
            "scan_cpu_s": round(float(np.median(seconds)), 2),
        }  # fmt: skip


def _part(scan: Scan, runtime: Runtime) -> Scan:
    """The scan as it is given to a method: organised ones without their background, as plain clouds."""
    if not scan.organised:
        return scan
    return plain(scan.select(ForegroundPolicy.learn([scan], "auto", runtime.seed).mask(scan)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="categories")
    parser.add_argument("--unit", default="mm")
    parser.add_argument("--good", type=int, default=4, help="good scans to fit on; default: %(default)s")
    parser.add_argument("--each", type=int, default=0, help="test scans of a kind at most (twice as many good); 0: all")
    parser.add_argument("--methods", nargs="+", default=["nearest", "fast"], choices=["nearest", *SETTINGS])
    parser.add_argument("--altered", action="store_true", help="with the test scans thinned and noisy, too")
    parser.add_argument("--out", type=Path, help="file that the results are appended to, as JSON lines")
    options = parser.parse_args()
    runtime = Runtime.choose("auto")
    head = f"{'category':14s} {'method':12s} {'altered':11s} {'defect':14s}  O-AUROC P-AUROC  O-AUPR  P-AUPR  fit scan"
    sys.stdout.write(head + "\n")
    for folder in options.folders:
        category = recognise(folder, unit=options.unit)
        good = [_part(category.load(entry), runtime) for entry in category.good_train()[: options.good]]
        for name in options.methods:
            began = time.process_time()
            judge = method(name, good, runtime)
            fitted = round(time.process_time() - began, 1)
            for altered in ["", *(ALTERATIONS if options.altered else ())]:
                for found in rows(category, judge, options.each, runtime, altered):
                    about = {"category": category.name, "method": name, "altered": altered, "fit_cpu_s": fitted}
                    row = about | found
                    sys.stdout.write(
                        f"{row['category']:14s} {name:12s} {altered:11s} {row['defect']:14s} "
                        + " ".join(f"{row[key]:7.3f}" for key in ("o_auroc", "p_auroc", "o_aupr", "p_aupr"))
                        + f" {row['fit_cpu_s']:5.0f} {row['scan_cpu_s']:4.1f}\n"
                    )
                    sys.stdout.flush()
                    if options.out is not None:
                        with options.out.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
