"""How well each pipeline tells defective parts from good ones, per category: the table of the README.

    python -m benchmarks.detection --category DIR[:UNIT]... --preset fast --out docs/results.md

Each pipeline is trained on a category's good training scans and judges its test scans. O-AUROC: area under the ROC
curve of the object scores. P-AUROC and P-AUPR: ROC area and average precision over all points of all test scans with
ground truth; a defect that was not judged counts as missed. "good rejected" and "defects found": what the calibrated
part threshold makes of the test scans (review counts as neither). Seconds are of this machine, reading not counted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core import workflow
from core.datasets.category import Category, ScanEntry, recognise
from core.errors import CategoryError, NominalError
from core.evaluation.metrics import o_auroc, p_aupr, p_auroc
from core.files import written_whole
from core.geometry.units import UNITS_IN_MM
from core.inspection.verdict import Verdict
from core.pipelines.registry import pipeline_class
from core.progress import CallbackProgress, Progress
from core.runtime import Runtime
from core.store.model_file import SUFFIX
from core.version import VERSION

GOOD = "good"


@dataclass
class Result:
    """What one pipeline did on one category; None where it cannot be measured."""

    category: str
    pipeline: str
    train_scans: int = 0
    good: int = 0
    defective: int = 0
    o_auroc: float | None = None
    p_auroc: float | None = None
    p_aupr: float | None = None
    by_defect: dict[str, float | None] = field(default_factory=dict)
    good_rejected: int = 0
    defects_found: int = 0
    fit_seconds: float = 0.0
    inspect_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    runtime = Runtime.choose(options.device, seed=options.seed)
    results: list[Result] = []
    for given in options.category:
        folder, unit = _folder(given)
        category = recognise(folder, unit=unit)
        for pipeline in options.pipelines.split(","):
            keep = None if options.models is None else options.models / f"{category.name}-{pipeline}{SUFFIX}"
            results.append(evaluate(category, pipeline, options.preset, runtime, _progress(options.quiet), keep))
            print(table(results[-1:]).splitlines()[-1], flush=True)
            _write(results, options, runtime)  # after each, so that a long run that is stopped has not been in vain
    print(f"\n{document(results, options.preset, runtime)}")
    return 0


def evaluate(
    category: Category, pipeline: str, preset: str, runtime: Runtime, progress: Progress, keep: Path | None = None
) -> Result:
    """Train a pipeline on a category's good scans and hold its scores of the test scans against the ground truth.

    With ``keep`` the model is written there.
    """
    entries = category.split("test")
    if not entries:
        raise CategoryError(f"{category.name} has no test scans", "Give a category with a test folder")
    result = Result(category.name, pipeline, train_scans=len(category.good_train()))
    config = pipeline_class(pipeline).Config.preset(preset)
    start = time.perf_counter()
    model = workflow.train(
        category,
        pipeline,
        config,
        runtime=runtime,
        preset=preset,
        progress=progress.part(0.0, 0.6, f"{category.name}, {pipeline}"),
    )
    result.fit_seconds = time.perf_counter() - start
    if keep is not None:
        workflow.save(model, keep)

    kinds: list[str] = []
    objects: list[float] = []
    points: list[NDArray[np.float32]] = []
    labels: list[NDArray[np.bool_]] = []
    seconds: list[float] = []
    judging = progress.part(0.6, 1.0, f"{category.name}, {pipeline}")
    for entry in judging.over(entries, "test scan {i} of {n}"):
        try:
            scan = category.load(entry)
            start = time.perf_counter()
            inspection = workflow.inspect(model, scan, Progress())
        except NominalError as error:
            result.failures.append(f"{entry.key}: {error}")
            continue
        seconds.append(time.perf_counter() - start)
        kinds.append(kind_of(entry))
        objects.append(inspection.scores.object)
        if scan.labels is not None or kinds[-1] == GOOD:
            points.append(inspection.scores.points)
            labels.append(np.zeros(len(scan), bool) if scan.labels is None else scan.labels)
        result.good_rejected += kinds[-1] == GOOD and inspection.verdict is Verdict.REJECT
        result.defects_found += kinds[-1] != GOOD and inspection.verdict is Verdict.REJECT
    fill(result, kinds, objects, points, labels)
    result.inspect_seconds = float(np.median(seconds)) if seconds else 0.0
    return result


def kind_of(entry: ScanEntry) -> str:
    """The defect type of a test scan, "good" for a good one."""
    return entry.defect or GOOD


def fill(
    result: Result,
    kinds: Sequence[str],
    objects: Sequence[float],
    points: Sequence[NDArray[np.float32]],
    labels: Sequence[NDArray[np.bool_]],
) -> None:
    """Put the metrics of these test scans into ``result``."""
    kind, score = np.array(kinds), np.array(objects)
    bad = kind != GOOD
    result.good, result.defective = int((~bad).sum()), int(bad.sum())
    result.o_auroc = _or_none(lambda: o_auroc(score, bad))
    result.p_auroc = _or_none(lambda: p_auroc(points, labels))
    result.p_aupr = _or_none(lambda: p_aupr(points, labels))
    for name in sorted(set(kinds) - {GOOD}):
        chosen = (kind == GOOD) | (kind == name)
        result.by_defect[name] = _or_none(partial(o_auroc, score[chosen], bad[chosen]))


def document(results: Sequence[Result], preset: str, runtime: Runtime) -> str:
    """The results as Markdown."""
    parts = [
        "# Detection",
        f"Nominal {VERSION}, preset `{preset}`, {runtime.title}, seed {runtime.seed}. Trained on good scans; made "
        "by `benchmarks/detection.py`, which says what each column is.",
        table(results),
        "## O-AUROC by type of defect",
        by_defect(results),
    ]
    failed = [f"- {r.category}, {r.pipeline}: {failure}" for r in results for failure in r.failures]
    if failed:
        parts += ["## Not judged", "\n".join(failed)]
    return "\n\n".join(parts) + "\n"


def table(results: Sequence[Result]) -> str:
    """One row a category and pipeline, and each pipeline's mean where there are several categories."""
    head = (
        "category", "pipeline", "train", "test good + defective", "O-AUROC", "P-AUROC", "P-AUPR", "good rejected",
        "defects found", "train s", "inspect s",
    )  # fmt: skip
    rows: list[tuple[str, ...]] = [
        (
            r.category, r.pipeline, str(r.train_scans), f"{r.good} + {r.defective}", _number(r.o_auroc),
            _number(r.p_auroc), _number(r.p_aupr), f"{r.good_rejected} of {r.good}",
            f"{r.defects_found} of {r.defective}", f"{r.fit_seconds:.1f}", f"{r.inspect_seconds:.2f}",
        )
        for r in results
    ]  # fmt: skip
    if len({r.category for r in results}) > 1:
        for pipeline in dict.fromkeys(r.pipeline for r in results):
            of = [r for r in results if r.pipeline == pipeline]
            means = [_number(_mean([getattr(r, name) for r in of])) for name in ("o_auroc", "p_auroc", "p_aupr")]
            rejected, good = sum(r.good_rejected for r in of), sum(r.good for r in of)
            found, defective = sum(r.defects_found for r in of), sum(r.defective for r in of)
            rows.append(
                ("**mean**", pipeline, "", f"{good} + {defective}", *means, f"{rejected} of {good}",
                 f"{found} of {defective}", f"{_mean([r.fit_seconds for r in of]):.1f}",
                 f"{_mean([r.inspect_seconds for r in of]):.2f}")
            )  # fmt: skip
    return _markdown(head, rows)


def by_defect(results: Sequence[Result]) -> str:
    """One row a category and pipeline, one column a type of defect."""
    types = list(dict.fromkeys(name for r in results for name in r.by_defect))
    rows = [(r.category, r.pipeline, *(_number(r.by_defect.get(name)) for name in types)) for r in results]
    return _markdown(("category", "pipeline", *types), rows)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * 2 + ["---:"] * (len(head) - 2), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:.3f}"


def _mean(values: Sequence[float | None]) -> float:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else float("nan")


def _or_none(measure: Callable[[], float]) -> float | None:
    try:
        return measure()
    except CategoryError:  # one class alone: nothing to measure
        return None


def _progress(quiet: bool) -> Progress:
    if quiet or not sys.stderr.isatty():
        return Progress()
    return CallbackProgress(lambda f, what: print(f"\r{100 * f:3.0f} % {what:<70.70}", end="\r", file=sys.stderr))


def _write(results: Sequence[Result], options: argparse.Namespace, runtime: Runtime) -> None:
    if options.out is not None:
        with written_whole(options.out) as temporary:
            temporary.write_text(document(results, options.preset, runtime), encoding="utf-8")
    if options.json is not None:
        with written_whole(options.json) as temporary:
            temporary.write_text(json.dumps([asdict(r) for r in results], indent=1), encoding="utf-8")


def _folder(text: str) -> tuple[Path, str]:
    path, colon, unit = text.rpartition(":")
    return (Path(path), unit) if colon and unit in UNITS_IN_MM else (Path(text), "mm")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Detection per category and pipeline", allow_abbrev=False)
    parser.add_argument(
        "--category",
        nargs="+",
        required=True,
        metavar="DIR[:UNIT]",
        help="folders of parts, unit mm if not given",
    )
    parser.add_argument("--pipelines", default="sca,deviation", help="ids, with commas")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument("--json", type=Path, help="the same as numbers")
    parser.add_argument("--models", type=Path, metavar="DIR", help="where the models are kept; else they are not")
    parser.add_argument("--quiet", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NominalError as error:
        sys.exit(str(error))
