"""The verdicts on the chunks of a long scan, as a map and as rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication

from app.verdicts import look
from core.inspection.verdict import Inspection, Verdict
from core.scores import ScoreMap

CHUNK_VERDICTS = "<chunk verdicts>"
"""The key of the map, which follows the thresholds. No method's map can be called so."""
CHUNK_SCORE = "chunk_score"
_ORDER = (Verdict.ACCEPT, Verdict.REVIEW, Verdict.REJECT)


@dataclass(frozen=True, eq=False)
class ChunkRow:
    """One chunk: its number from 1, what it is judged by, and its box."""

    number: int
    verdict: Verdict
    score: float
    points: int
    bounds: NDArray[np.float32]


def verdict_map(inspection: Inspection | None) -> ScoreMap | None:
    """Which points lie in accepted, doubtful and rejected chunks; None for scans that are judged whole."""
    if inspection is None or inspection.scores.chunks is None:
        return None
    codes = np.array([_ORDER.index(verdict) for verdict in inspection.chunk_verdicts], np.float32)
    return ScoreMap(
        codes[inspection.scores.chunks.of_point],
        QCoreApplication.translate("Chunks", "Chunk verdict"),
        "label",
        QCoreApplication.translate("Chunks", "The verdict on each chunk; the part's is the worst."),
        names=tuple(look(verdict).word.lower() for verdict in _ORDER),
    )


def chunk_rows(inspection: Inspection | None) -> tuple[ChunkRow, ...]:
    """The chunks in the order of measuring; none for scans that are judged whole."""
    if inspection is None or inspection.scores.chunks is None:
        return ()
    chunks, points = inspection.scores.chunks, inspection.scan.points
    order = np.argsort(chunks.of_point, kind="stable")
    sizes = np.bincount(chunks.of_point, minlength=len(chunks))
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    low, high = (f.reduceat(points[order], starts) for f in (np.minimum, np.maximum))
    return tuple(
        ChunkRow(i + 1, verdict, float(score), int(sizes[i]), np.stack([low[i], high[i]]))
        for i, (verdict, score) in enumerate(zip(inspection.chunk_verdicts, chunks.scores, strict=True))
    )
