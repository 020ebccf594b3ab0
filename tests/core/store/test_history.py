"""The history: what was judged is found again, newest first."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
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

FIRST = """
CREATE TABLE inspections (
    id INTEGER PRIMARY KEY, time TEXT NOT NULL, scan TEXT NOT NULL, model TEXT NOT NULL, verdict TEXT NOT NULL,
    object_score REAL NOT NULL, part_threshold REAL NOT NULL, point_threshold REAL NOT NULL, defects INTEGER NOT NULL,
    seconds REAL NOT NULL
);
CREATE INDEX by_scan ON inspections (scan, id);
"""
"""What the first versions wrote."""

INSERT = (
    "INSERT INTO inspections (time, scan, model, verdict, object_score, part_threshold, point_threshold, defects,"
    " seconds) VALUES ('2026-01-02T03:04:05+00:00', ?, 'one', 'reject', 2.0, 0.7, 0.5, 3, 0.25)"
)


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A history of the first versions, with one inspection."""
    path = tmp_path / "first.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(FIRST)
        database.execute(INSERT, [str((tmp_path / "a.ply").resolve())])
    return path


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


def test_the_mode_is_remembered(tmp_path: Path, inspection: Inspection) -> None:
    history = History(tmp_path / "history.db")
    history.add(inspection, tmp_path / "a.ply", "one")
    history.add(replace(inspection, lacking="no RGB image"), tmp_path / "a.ply", "one")
    assert [row.lacking for row in history.rows()] == ["no RGB image", ""]


def test_a_history_of_the_first_versions_is_kept_and_goes_on(
    first: Path, tmp_path: Path, inspection: Inspection
) -> None:
    history = History(first)
    (old,) = history.rows()
    assert (old.scan, old.verdict, old.defects, old.lacking) == ((tmp_path / "a.ply").resolve(), Verdict.REJECT, 3, "")
    history.add(replace(inspection, lacking="no RGB image"), tmp_path / "a.ply", "one")
    assert [row.lacking for row in History(first).rows()] == ["no RGB image", ""]
    with closing(sqlite3.connect(first)) as database, database:  # the earlier program is started once more
        database.execute(INSERT, [str((tmp_path / "b.ply").resolve())])
    assert [row.lacking for row in history.rows()] == ["", "no RGB image", ""]


def test_many_may_open_an_old_history_at_once(first: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: len(History(first).rows()), range(16)))
    assert found == [1] * 16
