"""The inspection history: one SQLite row for each inspection of a scan with a model."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.errors import OutputError
from core.inspection.verdict import Inspection, Verdict

_SCHEMA = """
CREATE TABLE IF NOT EXISTS inspections (
    id INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    scan TEXT NOT NULL,
    model TEXT NOT NULL,
    verdict TEXT NOT NULL,
    object_score REAL NOT NULL,
    part_threshold REAL NOT NULL,
    point_threshold REAL NOT NULL,
    defects INTEGER NOT NULL,
    seconds REAL NOT NULL,
    lacking TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS by_scan ON inspections (scan, id);
"""

_ADDED = {"lacking": "TEXT NOT NULL DEFAULT ''"}
"""Columns that histories of earlier versions do not have. Each has a default, so that such a version can go on writing
to a history that has them."""


@dataclass(frozen=True)
class HistoryRow:
    """One inspection that was made: when, of which scan, with which model, and what came out.

    ``lacking`` says what the scan lacked of what the model was trained with, where it was judged in the reduced mode;
    empty where it was judged in full, and of inspections from before there was such a mode.
    """

    time: str
    scan: Path
    model: str
    verdict: Verdict
    object_score: float
    part_threshold: float
    point_threshold: float
    defects: int
    seconds: float
    lacking: str = ""


class History:
    """The inspections written to ``path``. Each call opens and closes the file, so any thread may use it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, inspection: Inspection, scan: Path, model: str) -> None:
        """Remember an inspection.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        row = (
            datetime.now().astimezone().isoformat(timespec="seconds"),
            str(scan.resolve()),
            model,
            str(inspection.verdict),
            float(inspection.scores.object),
            float(inspection.thresholds.part),
            float(inspection.thresholds.point),
            len(inspection.defects.defects),
            float(inspection.seconds),
            inspection.lacking,
        )
        with self._opened() as database:
            database.execute(
                "INSERT INTO inspections (time, scan, model, verdict, object_score, part_threshold, point_threshold,"
                " defects, seconds, lacking) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )

    def last(self, scan: Path, model: str | None = None) -> HistoryRow | None:
        """The newest inspection of a scan, with any model or with this one."""
        query, values = "SELECT * FROM inspections WHERE scan = ?", [str(scan.resolve())]
        if model is not None:
            query, values = query + " AND model = ?", [*values, model]
        with self._opened() as database:
            row = database.execute(query + " ORDER BY id DESC LIMIT 1", values).fetchone()
        return None if row is None else _row(row)

    def rows(self, limit: int = 1000) -> tuple[HistoryRow, ...]:
        """The newest inspections, newest first."""
        with self._opened() as database:
            found = database.execute("SELECT * FROM inspections ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
        return tuple(_row(row) for row in found)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=5)) as database:
                database.row_factory = sqlite3.Row
                database.executescript(_SCHEMA)
                _bring_up(database)
                with database:
                    yield database
        except (sqlite3.Error, OSError) as error:
            raise OutputError(
                f"The inspection history {self.path} cannot be used ({error})", "Move the file away and try again"
            ) from error


def _bring_up(database: sqlite3.Connection) -> None:
    """Add the columns that a history of an earlier version lacks; its rows stay as they are."""
    if not _missing(database):
        return
    with database:
        database.execute("BEGIN IMMEDIATE")  # another program may be adding them just now
        for column in _missing(database):
            database.execute(f"ALTER TABLE inspections ADD COLUMN {column} {_ADDED[column]}")


def _missing(database: sqlite3.Connection) -> list[str]:
    there = {row["name"] for row in database.execute("PRAGMA table_info(inspections)")}
    return [column for column in _ADDED if column not in there]


def _row(row: sqlite3.Row) -> HistoryRow:
    return HistoryRow(
        time=row["time"],
        scan=Path(row["scan"]),
        model=row["model"],
        verdict=Verdict(row["verdict"]),
        object_score=row["object_score"],
        part_threshold=row["part_threshold"],
        point_threshold=row["point_threshold"],
        defects=row["defects"],
        seconds=row["seconds"],
        lacking=row["lacking"],
    )
