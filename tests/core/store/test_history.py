"""The history: what was judged is found again, newest first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import OutputError
from core.inspection.thresholds import Thresholds
from core.inspection.verdict import Inspection, Verdict, judge
from core.scan import Scan
from core.scores import Scores
from core.store.history import History


@pytest.fixture
def inspection() -> Inspection:
    points = np.random.default_rng(0).random((30, 3)).astype(np.float32)
    scores = Scores(np.linspace(0, 1, 30, dtype=np.float32), 1.0)
    return judge(Scan(points), scores, Thresholds(point=0.5, part=0.7), seconds=0.25)


def test_nothing_yet(tmp_path: Path) -> None:
    history = History(tmp_path / "sub" / "history.db")
    assert history.rows() == ()
    assert history.last(tmp_path / "a.ply") is None


def test_the_newest_of_a_scan_and_model(tmp_path: Path, inspection: Inspection) -> None:
    history = History(tmp_path / "history.db")
    history.add(inspection, tmp_path / "a.ply", "one")
    history.add(replace(inspection, verdict=Verdict.REVIEW), tmp_path / "a.ply", "two")
    history.add(replace(inspection, verdict=Verdict.ACCEPT), tmp_path / "b.ply", "one")
    last = History(tmp_path / "history.db").last(tmp_path / "a.ply")
    assert last is not None
    assert (last.verdict, last.model) == (Verdict.REVIEW, "two")
    one = history.last(tmp_path / "a.ply", "one")
    assert one is not None
    assert one.verdict is Verdict.REJECT
    assert (one.object_score, one.part_threshold, one.point_threshold, one.seconds) == (1.0, 0.7, 0.5, 0.25)
    assert [row.scan.name for row in history.rows()] == ["b.ply", "a.ply", "a.ply"]


def test_a_file_that_is_no_history(tmp_path: Path, inspection: Inspection) -> None:
    (tmp_path / "history.db").write_text("not a database, but long enough to be taken for one " * 20)
    with pytest.raises(OutputError, match="history"):
        History(tmp_path / "history.db").rows()
