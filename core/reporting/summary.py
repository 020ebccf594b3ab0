"""What reports say of an inspection, as plain values: one source for every format."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Any

import numpy as np

from core.inspection.calibration import Calibration
from core.inspection.defects import Defect
from core.inspection.verdict import Inspection
from core.store.model_file import ModelCard
from core.version import VERSION

DECISION_RULE = (
    "accept if the object score is at most part threshold - guard, reject if it is above part threshold + guard, "
    "review between"
)


def plain(value: Any) -> Any:
    """``value`` as JSON has it: numpy types become Python's, NaN and infinities None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return str(value)


def defect_record(defect: Defect) -> dict[str, Any]:
    """All measures of a defect. Lengths, areas and volumes are in the scan's unit, its square and cube."""
    return {
        "id": defect.id,
        "points": defect.points,
        "position": defect.position,
        "extent": defect.extent,
        "bounds": defect.bounds,
        "area": defect.area,
        "peak_score": defect.peak,
        "mean_score": defect.mean,
        "height": defect.height,
        "volume": defect.volume,
    }


def inspection_record(
    inspection: Inspection,
    *,
    card: ModelCard | None = None,
    calibration: Calibration | None = None,
    when: datetime | None = None,
) -> dict[str, Any]:
    """Everything that is known of an inspection but the per-point arrays, ready for JSON."""
    scan, scores, thresholds = inspection.scan, inspection.scores, inspection.thresholds
    judged = int(scores.judged.sum())
    record = {
        "program": "Nominal",
        "program_version": VERSION,
        "date": (when or datetime.now().astimezone()).isoformat(timespec="seconds"),
        "scan": {
            "name": scan.name,
            "file": None if scan.source is None else str(scan.source),
            "unit": scan.unit,
            "points": len(scan),
            "points_in_file": scan.file_points,
            "judged": judged,
            "not_judged": len(scan) - judged,
            "organised": scan.organised,
            "notes": list(scan.notes),
        },
        "verdict": inspection.verdict,
        "lacking": inspection.lacking or None,
        "object_score": scores.object,
        "notes": list(scores.notes),
        "thresholds": {
            "point": thresholds.point,
            "part": thresholds.part,
            "guard": thresholds.guard,
            "min_points": thresholds.min_points,
            "min_area": thresholds.min_area,
        },
        "decision_rule": DECISION_RULE,
        "marked_points": int(inspection.defects.mask.sum()),
        "defect_count": len(inspection.defects.defects),
        "defects": [defect_record(defect) for defect in inspection.defects.defects],
        "chunks": _chunks(inspection),
        "maps": [{"key": key, "title": m.title, "kind": m.kind} for key, m in scores.maps.items()],
        "model": _model(inspection, card),
        "calibration": None if calibration is None else _calibration(inspection, calibration),
        "seconds": inspection.seconds,
    }
    made: dict[str, Any] = plain(record)
    return made


def _chunks(inspection: Inspection) -> list[dict[str, Any]] | None:
    """Score and verdict of each chunk of a long scan, in the order of measuring; None where it was judged whole."""
    chunks = inspection.scores.chunks
    if chunks is None:
        return None
    sizes = np.bincount(chunks.of_point, minlength=len(chunks))
    return [
        {"chunk": i + 1, "points": int(size), "object_score": float(score), "verdict": verdict}
        for i, (size, score, verdict) in enumerate(zip(sizes, chunks.scores, inspection.chunk_verdicts, strict=True))
    ]


def _model(inspection: Inspection, card: ModelCard | None) -> dict[str, Any]:
    if card is None:
        return {"name": inspection.model_name}
    return {
        "name": card.name,
        "pipeline": card.pipeline,
        "preset": card.preset,
        "config": card.config,
        "category": card.category,
        "good_scans": card.scan_count,
        "created": card.created,
        "program_version": card.program_version,
        "weights": card.weights,
        "seed": card.seed,
        "acquisition": card.acquisition,
    }


def _calibration(inspection: Inspection, calibration: Calibration) -> dict[str, Any]:
    thresholds = inspection.thresholds
    calibrated = calibration.thresholds()
    return {
        "statement": calibration.note,
        "method": calibration.method,
        "good_parts": len(calibration.part_scores),
        "part_budget": calibration.part_budget,
        "point_budget": calibration.point_budget,
        "supported": calibration.supported,
        "part_threshold": calibrated.part,
        "point_threshold": calibrated.point,
        "good_parts_above_part_threshold": calibration.rejected(thresholds.part),
        "thresholds_changed_by_hand": (thresholds.part, thresholds.point) != (calibrated.part, calibrated.point),
    }
