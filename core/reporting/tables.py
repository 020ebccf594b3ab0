"""Tables as CSV: the defects of one inspection, and one row a scan for a batch.

UTF-8, comma-separated, numbers with a point, empty where there is no number; the unit is a column of its own.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from core.files import written_whole
from core.inspection.defects import Defect
from core.inspection.verdict import Inspection

DEFECT_COLUMNS = (
    "scan",
    "verdict",
    "defect",
    "points",
    "x",
    "y",
    "z",
    "length",
    "width",
    "thickness",
    "area",
    "height",
    "volume",
    "peak_score",
    "mean_score",
    "low_x",
    "low_y",
    "low_z",
    "high_x",
    "high_y",
    "high_z",
    "unit",
)
SUMMARY_COLUMNS = (
    "scan",
    "file",
    "verdict",
    "object_score",
    "part_threshold",
    "guard",
    "point_threshold",
    "marked_points",
    "points",
    "not_judged",
    "defects",
    "defect_area",
    "highest_peak",
    "unit",
    "model",
    "seconds",
    "lacking",
)


def write_defects_csv(path: Path, inspection: Inspection) -> None:
    """One row a defect below a header; the header alone where there is none.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    _write(path, DEFECT_COLUMNS, (_defect_row(inspection, defect) for defect in inspection.defects.defects))


def summary_row(inspection: Inspection) -> dict[str, Any]:
    """What the batch's table says of one inspection; small, so that the inspection itself need not be kept."""
    scan, thresholds, defects = inspection.scan, inspection.thresholds, inspection.defects
    return {
        "scan": scan.name,
        "file": "" if scan.source is None else str(scan.source),
        "verdict": str(inspection.verdict),
        "object_score": inspection.scores.object,
        "part_threshold": thresholds.part,
        "guard": thresholds.guard,
        "point_threshold": thresholds.point,
        "marked_points": int(defects.mask.sum()),
        "points": len(scan),
        "not_judged": int((~inspection.scores.judged).sum()),
        "defects": len(defects.defects),
        "defect_area": sum(defect.area for defect in defects.defects),
        "highest_peak": max((defect.peak for defect in defects.defects), default=None),
        "unit": scan.unit,
        "model": inspection.model_name,
        "seconds": inspection.seconds,
        "lacking": inspection.lacking,
    }


def write_summary_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """One row a scan, as ``summary_row`` gives them.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    _write(path, SUMMARY_COLUMNS, rows)


def _defect_row(inspection: Inspection, defect: Defect) -> dict[str, Any]:
    row: dict[str, Any] = {
        "scan": inspection.scan.name,
        "verdict": str(inspection.verdict),
        "defect": defect.id,
        "points": defect.points,
        "area": defect.area,
        "height": defect.height,
        "volume": defect.volume,
        "peak_score": defect.peak,
        "mean_score": defect.mean,
        "unit": inspection.scan.unit,
    }
    row |= dict(zip(("x", "y", "z"), defect.position, strict=True))
    row |= dict(zip(("length", "width", "thickness"), defect.extent, strict=True))
    for side, corner in zip(("low", "high"), defect.bounds, strict=True):
        row |= {f"{side}_{axis}": value for axis, value in zip("xyz", corner, strict=True)}
    return row


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    with written_whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([_cell(row[column]) for column in columns] for row in rows)


def _cell(value: Any) -> Any:
    """A value as the table has it: nine digits for a number, nothing for None, NaN and infinities."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return f"{value:.9g}" if isfinite(value) else ""
    return "" if value is None else value
