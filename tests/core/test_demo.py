"""The first start: the demo's scans and a model that is ready, made or shipped, without the user's help."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core import workflow
from core.demo import FIRST_CATEGORY, ensure_demo
from core.inspection.verdict import Verdict
from core.progress import CallbackProgress, Progress
from core.runtime import Runtime
from core.store.library import Library


def test_the_first_start_finds_a_defect(tmp_path: Path) -> None:
    library, runtime = Library(tmp_path), Runtime.choose("cpu")
    seen: list[float] = []
    category, path = ensure_demo(library, runtime, CallbackProgress(lambda fraction, _: seen.append(fraction)))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert [c.name for c in library.categories()] == [FIRST_CATEGORY]
    assert category.labelled

    model = workflow.load(path, runtime)
    assert str(tmp_path) not in model.card.source  # what ships names no folder of the machine that made it
    entry = next(e for e in category.split("test") if e.defect == "hole")
    scan = category.load(entry)
    inspection = workflow.inspect(model, scan, Progress())
    assert inspection.verdict is Verdict.REJECT
    assert scan.labels is not None
    assert inspection.defects.defects
    worst = np.linalg.norm(scan.points[scan.labels] - inspection.defects.defects[0].position, axis=1).min()
    assert worst < 5.0  # mm: the first defect of the list is the hole

    again = ensure_demo(library, runtime, Progress())
    assert again[1] == path
