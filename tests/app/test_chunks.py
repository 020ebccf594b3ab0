"""The chunks of a long scan in the window: their table, the map of verdicts, and how both follow the thresholds."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from app.chunk_verdicts import CHUNK_VERDICTS, chunk_rows, verdict_map
from core.inspection.verdict import Verdict
from core.reporting.summary import inspection_record
from core.scores import ChunkScores, Scores

Idle = Callable[[Any], None]
CHUNK = 500


@pytest.fixture
def window(
    stub: ModuleType, trained: Any, make_window: Callable[..., Any], idle: Idle, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """The window with a bumped plate judged in five chunks of 500 points."""
    score = stub.StubPipeline.score

    def chunked(self: Any, scan: Any, progress: Any) -> Scores:
        found = score(self, scan, progress)
        of_point = (np.arange(len(scan)) // CHUNK).astype(np.int32)
        own = np.array([np.sort(found.points[of_point == k])[-20:].mean() for k in range(of_point.max() + 1)])
        return Scores(found.points, float(own.max()), found.maps, chunks=ChunkScores(of_point, own))

    monkeypatch.setattr(stub.StubPipeline, "score", chunked)
    made = make_window(trained)
    made.do_inspect()
    idle(trained)
    return made


def test_the_table_lists_every_chunk_with_its_verdict(window: Any) -> None:
    inspection = window.session.inspection
    model = window.chunks.model
    assert window.chunks.isVisible()
    assert model.rowCount() == 5
    worst = int(np.argmax(inspection.scores.chunks.scores))
    assert model.data(model.index(worst, 1)) == "REJECT"
    assert inspection.verdict is Verdict.REJECT, "the part's verdict is the worst chunk's"
    assert model.data(model.index(0, 3)) == "500"
    assert window.chunks.summary.text().startswith("5 chunks: ")


def test_verdicts_follow_the_part_threshold(window: Any) -> None:
    session = window.session
    session.threshold_control.change(part=1e6, guard=0.0)
    session.flush()
    assert window.chunks.summary.text() == "5 chunks: 0 rejected, 0 for review"
    session.threshold_control.change(part=-1.0)
    session.flush()
    assert window.chunks.summary.text() == "5 chunks: 5 rejected, 0 for review"


def test_the_map_of_verdicts_names_them_and_follows(window: Any) -> None:
    session = window.session
    session.show_map(CHUNK_VERDICTS)
    field = window.viewer.last("set_field")
    assert field.names == ("accept", "review", "reject")
    worst = int(np.argmax(session.inspection.scores.chunks.scores))
    assert (field.values[worst * CHUNK : (worst + 1) * CHUNK] == 2).all()
    session.threshold_control.change(part=1e6, guard=0.0)
    session.flush()
    assert not window.viewer.last("set_field").values.any(), "now all are accepted"


def test_choosing_a_chunk_flies_to_it(window: Any) -> None:
    rows = chunk_rows(window.session.inspection)
    window.chunks.table.selectRow(3)
    low, high = window.viewer.last("look_at")
    assert np.array_equal([low, high], rows[3].bounds)
    points = window.session.scan.points[3 * CHUNK : 4 * CHUNK]
    assert np.array_equal(low, points.min(axis=0))


def test_reports_list_the_chunks(window: Any) -> None:
    record = inspection_record(window.session.inspection)
    assert [chunk["chunk"] for chunk in record["chunks"]] == [1, 2, 3, 4, 5]
    assert "reject" in {chunk["verdict"] for chunk in record["chunks"]}


def test_a_scan_judged_whole_has_no_chunks(trained: Any, make_window: Callable[..., Any], idle: Idle) -> None:
    window = make_window(trained)
    window.do_inspect()
    idle(trained)
    assert not window.chunks.isVisible()
    assert verdict_map(trained.inspection) is None
    assert CHUNK_VERDICTS not in trained.maps()
    assert inspection_record(trained.inspection)["chunks"] is None


def test_the_theme_redraws_the_rows(window: Any) -> None:
    window.theme.choose("dark")
    window.chunks.table.sortByColumn(2, window.chunks.table.horizontalHeader().sortIndicatorOrder())
    window.theme.choose("light")
    assert window.chunks.model.rowCount() == 5
