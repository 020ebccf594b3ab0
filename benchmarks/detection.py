"""How well each pipeline tells defective parts from good ones, per category: the table of the README.

    python -m benchmarks.detection --category DIR[:UNIT]... --preset fast --out docs/results.md

Each pipeline is trained on a category's good training scans and judges its test scans (``core.evaluation.evaluation``).
O-AUROC: area under the ROC curve of the object scores, with its 95 % interval over parts. P-AUROC, P-AUPR, AUPRO: ROC
area, average precision and area under the per-region overlap (up to that share of good points) over the judged points
of all test scans with ground truth; a defect that was not judged counts as missed. "good rejected" and "defects
found": what the calibrated part threshold makes of the test scans (review counts as neither). Seconds are of this
machine, reading not counted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from core import workflow
from core.datasets.category import Category, recognise
from core.errors import NominalError
from core.evaluation.evaluation import evaluate
from core.evaluation.intervals import Measure
from core.evaluation.reports.tables import interval
from core.evaluation.results import Evaluation
from core.files import written_whole
from core.geometry.units import UNITS_IN_MM
from core.inspection.verdict import Verdict
from core.pipelines.registry import pipeline_class
from core.progress import CallbackProgress, Progress
from core.reporting.summary import plain
from core.runtime import Runtime
from core.store.model_file import SUFFIX
from core.version import VERSION

POINT_METRICS = ("p_auroc", "p_aupr", "aupro_30", "aupro_1")


@dataclass
class Result:
    """What one pipeline did on one category; metrics that cannot be measured are missing."""

    category: str
    pipeline: str
    train_scans: int = 0
    good: int = 0
    defective: int = 0
    metrics: Mapping[str, Measure] = field(default_factory=dict)
    by_defect: dict[str, Measure | None] = field(default_factory=dict)
    good_rejected: int = 0
    defects_found: int = 0
    fit_seconds: float = 0.0
    inspect_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def value(self, metric: str) -> float | None:
        """A metric, None where it could not be measured."""
        measure = self.metrics.get(metric)
        return None if measure is None else measure.value


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    runtime = Runtime.choose(options.device, seed=options.seed)
    results: list[Result] = []
    for given in options.category:
        folder, unit = _folder(given)
        category = recognise(folder, unit=unit)
        for pipeline in options.pipelines.split(","):
            keep = None if options.models is None else options.models / f"{category.name}-{pipeline}{SUFFIX}"
            results.append(run(category, pipeline, options.preset, runtime, _progress(options.quiet), keep))
            print(table(results[-1:]).splitlines()[-1], flush=True)
            _write(results, options, runtime)  # after each, so that a long run that is stopped has not been in vain
    print(f"\n{document(results, options.preset, runtime)}")
    return 0


def run(
    category: Category, pipeline: str, preset: str, runtime: Runtime, progress: Progress, keep: Path | None = None
) -> Result:
    """Train a pipeline on a category's good scans and evaluate it on its test scans. The model goes to ``keep``."""
    config = pipeline_class(pipeline).Config.preset(preset)
    what = f"{category.name}, {pipeline}"
    start = time.perf_counter()
    model = workflow.train(
        category, pipeline, config, runtime=runtime, preset=preset, progress=progress.part(0.0, 0.6, what)
    )
    fit_seconds = time.perf_counter() - start
    if keep is not None:
        workflow.save(model, keep)
    found = evaluate(model, category, progress=progress.part(0.6, 1.0, what), seed=runtime.seed)
    return result_of(found, fit_seconds)


def result_of(found: Evaluation, fit_seconds: float = 0.0) -> Result:
    """The row of an evaluation."""
    judged, confusion = found.judged, found.confusion()
    return Result(
        category=found.category,
        pipeline=found.card.pipeline,
        train_scans=found.card.scan_count,
        good=sum(not part.defective for part in judged),
        defective=sum(part.defective for part in judged),
        metrics=found.metrics,
        by_defect={one.defect: one.metrics.get("o_auroc") for one in found.by_defect},
        good_rejected=confusion.good[Verdict.REJECT],
        defects_found=confusion.defective[Verdict.REJECT],
        fit_seconds=fit_seconds,
        inspect_seconds=float(np.median([part.seconds for part in judged])) if judged else 0.0,
        failures=[f"{part.key}: {part.error}" for part in found.failures],
    )


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
        "category", "pipeline", "train", "test good + defective", "O-AUROC (95 % interval)", "P-AUROC", "P-AUPR",
        "AUPRO@30 %", "AUPRO@1 %", "good rejected", "defects found", "train s", "inspect s",
    )  # fmt: skip
    rows: list[tuple[str, ...]] = [
        (
            r.category, r.pipeline, str(r.train_scans), f"{r.good} + {r.defective}", _with_interval(r.metrics),
            *(_number(r.value(name)) for name in POINT_METRICS), f"{r.good_rejected} of {r.good}",
            f"{r.defects_found} of {r.defective}", f"{r.fit_seconds:.1f}", f"{r.inspect_seconds:.2f}",
        )
        for r in results
    ]  # fmt: skip
    if len({r.category for r in results}) > 1:
        for pipeline in dict.fromkeys(r.pipeline for r in results):
            of = [r for r in results if r.pipeline == pipeline]
            means = [_number(_mean([r.value(name) for r in of])) for name in ("o_auroc", *POINT_METRICS)]
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
    rows = []
    for r in results:
        measures = [r.by_defect.get(name) for name in types]
        rows.append((r.category, r.pipeline, *("" if m is None else _number(m.value) for m in measures)))
    return _markdown(("category", "pipeline", *types), rows)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * 2 + ["---:"] * (len(head) - 2), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:.3f}"


def _mean(values: Sequence[float | None]) -> float:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else float("nan")


def _with_interval(metrics: Mapping[str, Measure]) -> str:
    measure = metrics.get("o_auroc")
    return "" if measure is None else f"{_number(measure.value)} ({interval('o_auroc', measure)})"


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
            temporary.write_text(json.dumps(plain([asdict(r) for r in results]), indent=1), encoding="utf-8")


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
