"""What a model said of the test scans, kept beside it, so that a consensus need not ask its members again."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from core.consensus.pipeline import ConsensusPipeline
from core.datasets.category import ScanEntry
from core.evaluation.evaluation import Judge
from core.evaluation.results import PartResult
from core.files import written_whole
from core.progress import Progress
from core.scan import Scan
from core.scores import Scores
from core.workflow import Model, score


class KeptScores:
    """The scores of one model, a file a scan. What only the window shows, maps and notes, is not kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, part: PartResult, scan: Scan, scores: Scores) -> None:
        """Write what was said of a part.

        Raises
        ------
        OutputError
        """
        with written_whole(self._file(part.key)) as temporary:
            np.savez(temporary, points=scores.points, object=np.float64(scores.object), seconds=part.seconds)

    def said(self, entry: ScanEntry, points: int) -> tuple[Scores, float] | None:
        """The scores of a scan of so many points and the seconds they took; None where there are none to be had."""
        try:
            with np.load(self._file(entry.key), allow_pickle=False) as kept:
                scores = Scores(kept["points"].astype(np.float32), float(kept["object"]))
                seconds = float(kept["seconds"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None
        return (scores, seconds) if len(scores.points) == points else None

    def forget(self) -> None:
        """Delete them."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"


def judged_together(consensus: Model, kept: Sequence[KeptScores]) -> Judge:
    """How a consensus judges a scan by what its members said in their own runs.

    Scans that one of them said nothing of are judged anew.

    Parameters
    ----------
    consensus : Model
    kept : sequence of KeptScores
        Of each member, in their order.
    """
    pipeline = consensus.pipeline
    assert isinstance(pipeline, ConsensusPipeline)

    def judge(entry: ScanEntry, scan: Scan, progress: Progress) -> tuple[Scores, float]:
        known = [found for one in kept if (found := one.said(entry, len(scan))) is not None]
        if len(known) < len(kept):  # one could not judge it, or its file is gone
            asked = score(consensus, scan, progress)
            return asked.scores, asked.seconds
        start = time.perf_counter()
        together = pipeline.together({m: scores for m, (scores, _) in enumerate(known)}, {})
        return together, sum(seconds for _, seconds in known) + time.perf_counter() - start

    return judge
