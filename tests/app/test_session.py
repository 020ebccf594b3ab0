"""The open document: what the window decides, without its widgets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from app.known_verdicts import KnownVerdicts
from app.scans import first_to_show
from core.errors import ScanError
from core.inspection.verdict import Verdict


@pytest.fixture
def inspected(trained: Any, idle: Callable[[Any], None]) -> Any:
    trained.inspect()
    idle(trained)
    return trained


def entry_of(session: Any, key: str, split: str = "test") -> Any:
    return next(e for e in session.category.split(split) if e.key == key)


def test_opening_a_category_shows_a_defective_scan_and_chooses_its_model(trained: Any) -> None:
    assert trained.category.name == "plate"
    assert trained.entry.defect == "bump"
    assert len(trained.scan) == 2500
    assert trained.model is not None
    assert trained.can_inspect
    assert first_to_show(trained.category).key == "bump/000"


def test_inspecting_rejects_the_bump_and_finds_it(inspected: Any) -> None:
    inspection = inspected.inspection
    assert inspection.verdict is Verdict.REJECT
    assert len(inspection.defects) == 1
    assert np.allclose(inspection.defects.defects[0].position[:2], (30, 20), atol=1.5)
    assert inspected.verdict_of(inspected.entry.path) is Verdict.REJECT
    assert list(inspected.maps()) == ["anomaly", "height", "gate"]
    row = inspected.history.last(inspected.entry.path, str(inspected.model_path))
    assert row is not None
    assert row.verdict is Verdict.REJECT


def test_inspecting_without_scan_or_model_says_what_to_do(session: Any) -> None:
    with pytest.raises(ScanError, match="Open a scan"):
        session.inspect()


def test_verdicts_of_an_earlier_run_come_from_the_history(inspected: Any) -> None:
    inspected._verdicts = KnownVerdicts(inspected.history, inspected.failures)
    assert inspected.verdict_of(inspected.entry.path) is Verdict.REJECT
    assert inspected.verdict_of(entry_of(inspected, "good/000").path) is None


def test_thresholds_follow_at_once_and_undo(inspected: Any, qtbot: QtBot) -> None:
    calibrated = inspected.thresholds
    scores = inspected.inspection.scores
    inspected.threshold_control.change(part=scores.object * 2)
    inspected.flush()
    assert inspected.inspection.verdict is Verdict.ACCEPT
    assert inspected.inspection.scores is scores, "nothing is scored again"
    assert inspected.threshold_control.by_hand
    inspected.undo_stack.undo()
    inspected.flush()
    assert inspected.thresholds == calibrated
    assert inspected.inspection.verdict is Verdict.REJECT
    assert not inspected.threshold_control.by_hand
    inspected.undo_stack.redo()
    inspected.flush()
    assert inspected.inspection.verdict is Verdict.ACCEPT


def test_one_drag_is_one_undo_step_and_one_pending_refresh(inspected: Any, qtbot: QtBot) -> None:
    before, steps = inspected.thresholds, inspected.undo_stack.count()
    seen: list[int] = []
    inspected.inspection_changed.connect(lambda: seen.append(1))
    gesture = inspected.threshold_control.begin_gesture()
    for value in np.linspace(1, 5, 200):
        inspected.threshold_control.change(gesture, point=float(value))
    assert inspected.undo_stack.count() == steps + 1
    qtbot.waitUntil(lambda: bool(seen), timeout=30_000)
    assert len(seen) == 1, "two hundred moves within one refresh are one new inspection"
    assert inspected.inspection.thresholds.point == 5
    inspected.undo_stack.undo()
    assert inspected.thresholds == before


def test_mask_is_exactly_the_points_above_the_threshold(inspected: Any) -> None:
    inspected.threshold_control.change(point=3.0, min_points=1)
    inspected.flush()
    assert np.array_equal(inspected.inspection.defects.mask, inspected.inspection.scores.points > 3.0)


def test_reset_brings_the_calibrated_thresholds_back(inspected: Any) -> None:
    inspected.threshold_control.change(point=1.0, part=2.0, min_points=77, min_area=3.0)
    inspected.threshold_control.reset()
    assert inspected.thresholds == inspected.model.calibration.thresholds()


def test_thresholds_by_hand_hold_for_the_next_scan_and_the_next_run(
    inspected: Any, idle: Callable[[Any], None]
) -> None:
    inspected.threshold_control.change(part=123.0)
    inspected.scans.open(entry_of(inspected, "good/000"))
    idle(inspected)
    assert inspected.thresholds.part == 123.0
    assert inspected.settings.thresholds[str(inspected.model_path)]["part"] == 123.0
    inspected.threshold_control.reset()
    assert str(inspected.model_path) not in inspected.settings.thresholds


def test_undo_of_an_inspection_and_back(inspected: Any) -> None:
    judged = inspected.judged
    inspected.undo_stack.undo()
    assert inspected.judged is None
    assert inspected.inspection is None
    inspected.undo_stack.redo()
    assert inspected.judged is judged
    assert inspected.inspection is not None


def test_undo_after_moving_on_goes_back_to_the_scan(inspected: Any, idle: Callable[[Any], None]) -> None:
    first = inspected.entry
    inspected.scans.open(entry_of(inspected, "good/001"))
    idle(inspected)
    inspected.inspect()
    idle(inspected)
    inspected.undo_stack.undo()
    assert inspected.entry.key == "good/001"
    inspected.undo_stack.undo()
    assert inspected.entry is first


def test_a_result_is_kept_for_coming_back(inspected: Any, idle: Callable[[Any], None]) -> None:
    first, judged = inspected.entry, inspected.judged
    inspected.scans.step(1)
    idle(inspected)
    assert inspected.entry.key == "bump/001"
    assert inspected.judged is None
    inspected.scans.step(-1)
    idle(inspected)
    assert inspected.entry == first
    assert inspected.judged is judged


def test_stepping_stops_at_the_ends(trained: Any, idle: Callable[[Any], None]) -> None:
    said: list[str] = []
    trained.message.connect(said.append)
    walk = trained.scans.walk()
    trained.scans.open(walk[0])
    idle(trained)
    trained.scans.step(-1)
    assert said == ["This is the first scan."]
    assert trained.entry == walk[0]


def test_stepping_quickly_lands_where_it_should(trained: Any, idle: Callable[[Any], None]) -> None:
    walk = trained.scans.walk()
    trained.scans.open(walk[0])
    idle(trained)
    for _ in range(2):
        trained.scans.step(1)
    idle(trained)
    assert trained.entry == walk[2]


def test_broken_scan_is_reported_and_the_open_one_stays(trained: Any, broken: Any, idle: Callable[[Any], None]) -> None:
    failures: list[Exception] = []
    trained.jobs.failed.connect(lambda _, error: failures.append(error))
    before = trained.scan
    trained.scans.open(broken)
    idle(trained)
    assert isinstance(failures[0], ScanError)
    assert trained.scan is before
    assert broken.path in trained.problems


@pytest.mark.parametrize("name", ["nothing.ply", "notes.docx"])
def test_what_is_no_scan_is_refused(session: Any, tmp_path: Path, name: str) -> None:
    if name.endswith("docx"):
        (tmp_path / name).write_text("words")
    with pytest.raises(ScanError):
        session.scans.open_path(tmp_path / name)


def test_a_loose_scan_is_listed_and_opened(session: Any, parts: Path, idle: Callable[[Any], None]) -> None:
    session.scans.open_paths([parts / "test" / "bump" / "000.ply", parts / "test" / "good" / "000.ply"])
    idle(session)
    assert [e.key for e in session.catalog.loose] == ["000", "000"]
    assert len(session.scan) == 2500
    assert session.settings.recent == [str((parts / "test" / "bump" / "000.ply").resolve())]


def test_a_folder_is_offered_not_taken(session: Any, parts: Path) -> None:
    offered: list[Path] = []
    session.folder_offered.connect(offered.append)
    session.scans.open_path(parts)
    assert offered == [parts]
    assert session.catalog.categories == ()


def test_failing_score_leaves_the_worker_alive_and_the_scan_unjudged(
    trained: Any, stub: ModuleType, idle: Callable[[Any], None]
) -> None:
    errors: list[Exception] = []
    trained.jobs.failed.connect(lambda _, error: errors.append(error))
    stub.FAIL.append(RuntimeError("a bug"))
    trained.inspect()
    idle(trained)
    assert [str(e) for e in errors] == ["a bug"]
    assert trained.judged is None
    trained.inspect()
    idle(trained)
    assert trained.judged is not None


def test_cancelled_inspection_changes_nothing(
    trained: Any, stub: ModuleType, qtbot: QtBot, idle: Callable[[Any], None]
) -> None:
    stub.HOLD.clear()
    trained.inspect()
    assert stub.RUNNING.wait(5)
    assert not trained.can_inspect
    trained.jobs.cancel()
    idle(trained)
    assert trained.judged is None
    assert trained.undo_stack.count() == 0
    assert trained.can_inspect


def test_inspect_all_fills_the_verdicts_and_names_the_broken_one(
    trained: Any, broken: Any, idle: Callable[[Any], None]
) -> None:
    said: list[str] = []
    trained.message.connect(said.append)
    trained.inspect_all()
    idle(trained)
    verdicts = {e.key: trained.verdict_of(e.path) for e in trained.category.split("test")}
    assert all(verdicts[f"bump/{i:03}"] is Verdict.REJECT for i in range(3))
    assert all(verdicts[f"good/{i:03}"] is not Verdict.REJECT for i in range(3))
    assert verdicts["bump/003"] is None
    assert "bump/003" in said[-1]
    assert trained.inspection is not None, "the open scan shows its result"


def test_deleting_a_model_can_be_undone(trained: Any) -> None:
    path = trained.model_path
    trained.delete_model(path)
    assert not path.exists()
    assert trained.model_path is None
    assert trained.catalog.models("plate") == ()
    trained.undo_stack.undo()
    assert path.is_file()
    assert trained.model_path == path
    assert len(trained.catalog.models("plate")) == 1


def test_removing_a_category_can_be_undone(trained: Any, parts: Path) -> None:
    trained.remove_category("plate")
    assert trained.catalog.categories == ()
    assert parts.is_dir()
    trained.undo_stack.undo()
    assert [c.name for c in trained.catalog.categories] == ["plate"]


def test_a_damaged_model_is_reported_and_not_chosen(trained: Any, idle: Callable[[Any], None]) -> None:
    errors: list[Exception] = []
    trained.jobs.failed.connect(lambda _, error: errors.append(error))
    damaged = trained.model_path.with_name("damaged.nominal")
    damaged.write_bytes(trained.model_path.read_bytes()[:500])
    trained.choose_model(damaged)
    idle(trained)
    assert len(errors) == 1
    assert trained.model_path is None


def test_a_model_file_is_taken_into_the_library(trained: Any, tmp_path: Path, idle: Callable[[Any], None]) -> None:
    elsewhere = tmp_path / "from-a-colleague.nominal"
    elsewhere.write_bytes(trained.model_path.read_bytes())
    trained.scans.open_path(elsewhere)
    idle(trained)
    assert len(trained.catalog.models("plate")) == 2
    assert trained.model_path != elsewhere
    assert trained.model is not None


def test_inspect_on_open(trained: Any, idle: Callable[[Any], None]) -> None:
    trained.settings.inspect_on_open = True
    trained.scans.open(entry_of(trained, "good/002"))
    idle(trained)
    assert trained.inspection is not None
    assert trained.entry.key == "good/002"


def test_picking(inspected: Any) -> None:
    inspected.pick(17)
    assert inspected.picked == 17
    inspected.pick(-1)
    assert inspected.picked is None
    inspected.pick(10**9)
    assert inspected.picked is None
