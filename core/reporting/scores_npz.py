"""The scores as NPZ, laid out as the scan's file was."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.files import written_whole
from core.inspection.verdict import Inspection


def write_scores(path: Path, inspection: Inspection) -> None:
    """Write ``scores`` float32 in the order of the file's points ((H, W) for organised scans), NaN where not judged,
    ``object_score`` and ``seconds``, whole or not at all.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    scores = inspection.scan.in_file_order(inspection.scores.points).astype(np.float32, copy=False)
    with written_whole(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            scores=scores,
            object_score=np.float64(inspection.scores.object),
            seconds=np.float64(inspection.seconds),
        )
