"""What a benchmark leaves in its folder beside its runs: JSON, CSV, Markdown and a page, each written whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.evaluation.benchmark.comparison import Compared, compare
from core.evaluation.benchmark.falls import fall_charts
from core.evaluation.benchmark.page import benchmark_page, table_notes
from core.evaluation.benchmark.runs import Run
from core.evaluation.benchmark.summary import METRICS, Row, summarise
from core.evaluation.benchmark.tables import (
    compared_cells,
    defect_cells,
    failures,
    main_cells,
    robust_cells,
    robust_records,
)
from core.evaluation.reports.charts import standalone
from core.evaluation.reports.markup import CHART_STYLE
from core.files import written_whole
from core.reporting.summary import plain
from core.reporting.text_table import text_table
from core.version import VERSION

COMMAND = "main.py benchmark"


def write_benchmark(runs: Sequence[Run], folder: Path, preset: str) -> tuple[Path, ...]:
    """Write ``benchmark.json``, ``benchmark.csv``, ``benchmark.md``, ``benchmark.html`` and, where it was measured,
    ``robustness.csv`` and ``robustness.svg``.

    Returns
    -------
    tuple of Path

    Raises
    ------
    OutputError
    """
    rows, compared = summarise(runs), compare(runs)
    texts = {
        "benchmark.json": json.dumps(benchmark_record(runs, rows, compared, preset), allow_nan=False, indent=1) + "\n",
        "benchmark.csv": _csv([_flat(row) for row in rows]),
        "benchmark.md": benchmark_markdown(runs, rows, compared, preset),
        "benchmark.html": benchmark_page("Benchmark", about(runs, preset), runs, rows, compared),
    }
    sound = [run for run in runs if not run.error]
    if robust := robust_records(sound):
        texts["robustness.csv"] = _csv(robust)
    if falls := fall_charts(sound):
        texts["robustness.svg"] = standalone(falls[0][0], CHART_STYLE)
    written = []
    for name, text in texts.items():
        with written_whole(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
        written.append(folder / name)
    return tuple(written)


def about(runs: Sequence[Run], preset: str) -> str:
    """What was run, with what, in a few sentences."""
    seeds = sorted({run.seed for run in runs})
    devices = ", ".join(dict.fromkeys(str(run.record["device"]) for run in runs))
    codes = {run.record["code"] for run in runs}
    weights = "; ".join(
        f"{run.pipeline}: {', '.join(run.weights) or 'none'}"
        for run in {run.pipeline: run for run in runs if not run.error}.values()
    )
    text = (
        f"Nominal {VERSION}, preset {preset}, {devices}, seeds {', '.join(map(str, seeds))}. Trained on good scans "
        "alone; figures over seeds are mean ± standard deviation, of one seed with the 95 % interval over parts. "
        f"Backbone weights: {weights}."
    )
    if len(codes) > 1:
        text += f" The runs are of {len(codes)} states of the program's source."
    return text


def benchmark_markdown(runs: Sequence[Run], rows: Sequence[Row], compared: Sequence[Compared], preset: str) -> str:
    """The tables as a document."""
    parts = ["# Benchmark", f"{about(runs, preset)} Made by `{COMMAND}`.", _markdown(*main_cells(rows), words=2)]
    if any(row.by_defect for row in rows):
        parts += ["## O-AUROC by kind of defect", _markdown(*defect_cells(rows), words=2)]
    if compared:
        parts += ["## Beside the published figures", _markdown(*compared_cells(compared), words=4)]
        parts += [f"> {note}" for note in table_notes(compared)]
    sound = [run for run in runs if not run.error]
    if any(run.robustness for run in sound):
        parts += ["## Robustness: O-AUROC / P-AUROC on altered scans", _markdown(*robust_cells(sound), words=3)]
    if failed := failures(runs):
        parts += ["## What did not work", "\n".join(f"- {one}" for one in failed)]
    return "\n\n".join(parts) + "\n"


def benchmark_record(
    runs: Sequence[Run], rows: Sequence[Row], compared: Sequence[Compared], preset: str
) -> dict[str, Any]:
    """The figures for machines; the runs' own files hold more."""
    record: dict[str, Any] = plain(
        {
            "program": "Nominal",
            "program_version": VERSION,
            "preset": preset,
            "rows": [asdict(row) for row in rows],
            "published": [
                {
                    "benchmark": one.table.benchmark,
                    "category": one.category,
                    "pipeline": one.pipeline,
                    "metric": one.table.metric,
                    "thresholds": one.table.thresholds,
                    "ours": None if one.ours is None else asdict(one.ours),
                    "published": one.published,
                    "difference": one.difference,
                    "method": one.method,
                    "modality": one.table.modality,
                    "source": f"{one.table.paper}, {one.table.number}",
                    "best": one.best,
                    "weights": one.weights,
                    "parts": one.parts,
                }
                for one in compared
            ],
            "robustness": robust_records([run for run in runs if not run.error]),
            "failures": failures(runs),
        }
    )
    return record


def _flat(row: Row) -> dict[str, object]:
    flat: dict[str, object] = {
        "category": row.category,
        "pipeline": row.pipeline,
        "seeds": " ".join(map(str, row.seeds)),
        "categories": row.categories,
    }
    for name in METRICS:
        found = row.metrics.get(name)
        flat[name] = None if found is None else found.mean
        flat[f"{name}_deviation"] = None if found is None else found.deviation
    for name in (
        "train_scans", "good", "defective", "good_rejected", "defects_found", "train_seconds", "inspect_seconds"
    ):  # fmt: skip
        flat[name] = getattr(row, name)
    flat["weights"] = " ".join(row.weights)
    return flat


def _csv(records: Sequence[Mapping[str, object]]) -> str:
    out = io.StringIO()
    if records:
        writer = csv.DictWriter(out, list(records[0]), restval="")
        writer.writeheader()
        for record in records:
            cells = plain(dict(record))
            writer.writerow(
                {k: "" if v is None else f"{v:.9g}" if isinstance(v, float) else v for k, v in cells.items()}
            )
    return out.getvalue()


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]], *, words: int) -> str:
    return text_table(head, rows, words=words, markdown=True)
