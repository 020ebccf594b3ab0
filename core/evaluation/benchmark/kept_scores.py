"""What a model said of the test scans, kept beside it, so that a consensus need not ask its members again."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
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
from core.workflow import Model


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
        """Delete them, and the folder of all such files with the last of them."""
        shutil.rmtree(self._folder, ignore_errors=True)
        with suppress(OSError):
            self._folder.parent.rmdir()

    def _file(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"


def judged_together(consensus: Model, kept: Sequence[KeptScores]) -> Judge:
    """How a consensus judges a scan by what its members said in their own runs.

    A member that said nothing of a scan, or whose file is gone, is asked now.

    Parameters
    ----------
    consensus : Model
    kept : sequence of KeptScores
        Of each member, in their order.
    """
    pipeline = consensus.pipeline
    assert isinstance(pipeline, ConsensusPipeline)

    def judge(entry: ScanEntry, scan: Scan, progress: Progress) -> tuple[Scores, float]:
        start = time.perf_counter()
        known = {m: found for m, one in enumerate(kept) if (found := one.said(entry, len(scan))) is not None}
        scores = pipeline.score_knowing(scan, {m: said for m, (said, _) in known.items()}, progress)
        return scores, sum(seconds for _, seconds in known.values()) + time.perf_counter() - start

    return judge
