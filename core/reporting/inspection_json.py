"""The inspection as JSON: UTF-8, numbers with a point, null where there is no number."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from core.files import written_whole
from core.inspection.calibration import Calibration
from core.inspection.verdict import Inspection
from core.reporting.summary import inspection_record
from core.store.model_file import ModelCard


def write_json(
    path: Path,
    inspection: Inspection,
    *,
    card: ModelCard | None = None,
    calibration: Calibration | None = None,
    when: datetime | None = None,
) -> None:
    """Write verdict, scores, thresholds, calibration, defects and model facts, whole or not at all.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    record = inspection_record(inspection, card=card, calibration=calibration, when=when)
    text = json.dumps(record, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
