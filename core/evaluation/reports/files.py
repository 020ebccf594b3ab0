"""The files of an evaluation, each written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from core.evaluation.reports.page import html_report
from core.evaluation.reports.record import evaluation_record, part_record
from core.evaluation.reports.tables import markdown_report
from core.evaluation.results import Evaluation
from core.files import written_whole

PART_COLUMNS = ("part", "file", "kind", "object_score", "verdict", "seconds", "points", "labelled", "error")


def write_reports(evaluation: Evaluation, folder: Path) -> tuple[Path, ...]:
    """Write ``evaluation.json``, ``parts.csv``, ``evaluation.md`` and ``evaluation.html`` into a folder.

    Returns
    -------
    tuple of Path
        In that order.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    record = json.dumps(evaluation_record(evaluation), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    texts = {
        "evaluation.json": record,
        "parts.csv": parts_csv(evaluation),
        "evaluation.md": markdown_report(evaluation),
        "evaluation.html": html_report(evaluation),
    }
    written = []
    for name, text in texts.items():
        path = folder / name
        with written_whole(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
        written.append(path)
    return tuple(written)


def parts_csv(evaluation: Evaluation) -> str:
    """One row a part: nine digits for a score, nothing where there is none."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(PART_COLUMNS)
    for part in evaluation.parts:
        row = part_record(part)
        cells = [row[column] for column in PART_COLUMNS]
        writer.writerow("" if v is None else f"{v:.9g}" if isinstance(v, float) else v for v in cells)
    return out.getvalue()
