"""A scan without the image that its model was trained with: the window asks once, and says how it judged."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PySide6.QtWidgets import QDialogButtonBox

from app.dialogs.question import Question
from app.known_verdicts import Known, KnownVerdicts
from app.reduced_mode import of_threshold_key, threshold_key
from core.inspection.verdict import Verdict

Idle = Callable[[Any], None]


@pytest.fixture
def window(lacking: ModuleType, trained: Any, make_window: Callable[..., Any]) -> Any:
    assert trained.model.reduced is not None
    return make_window(trained)


def test_the_key_of_thresholds_tells_the_mode(tmp_path: Any) -> None:
    key = threshold_key(tmp_path / "m.nominal", True)
    assert key != tmp_path / "m.nominal"
    assert of_threshold_key(key) == (tmp_path / "m.nominal", True)
    assert of_threshold_key(tmp_path / "m.nominal") == (tmp_path / "m.nominal", False)


def test_it_asks_once_then_judges_and_says_how(window: Any, idle: Idle) -> None:
    session = window.session
    assert session.lacking == "no RGB image"
    window.do_inspect()
    question = window.dialog(Question)
    assert question is not None
    assert session.inspection is None, "nothing is judged before the answer"
    question.yes.click()
    idle(session)
    assert session.inspection.lacking == "no RGB image"
    assert "By shape alone: no RGB image" in window.inspect_panel.banner.line
    assert session.thresholds == session.model.reduced.thresholds()
    assert window.thresholds.note.text().lstrip("⚠ ").startswith("By shape alone (no RGB image)")
    session.scans.step(1)
    idle(session)
    window.do_inspect()
    assert window.dialog(Question) is None, "asked once"
    idle(session)
    assert session.inspection is not None


def test_a_no_leaves_it_unjudged_and_the_button_asks_again(window: Any, idle: Idle) -> None:
    session = window.session
    window.do_inspect()
    window.dialog(Question).findChild(QDialogButtonBox).rejected.emit()
    idle(session)
    assert session.inspection is None
    session.inspect(unasked=True)
    assert window.dialog(Question) is None, "opening scans does not ask again"
    window.do_inspect()
    assert window.dialog(Question) is not None


def test_each_mode_keeps_its_own_thresholds(window: Any, idle: Idle) -> None:
    session = window.session
    window.do_inspect()
    window.dialog(Question).yes.click()
    idle(session)
    full = session.model.calibration.thresholds()
    session.threshold_control.change(part=123.0)
    assert session.thresholds.part == 123.0
    assert session.threshold_control.in_mode(session.model, session.model_path, "") == full
    session.undo_stack.undo()
    assert session.thresholds == session.model.reduced.thresholds()


def test_a_batch_judges_what_it_can_and_asks_for_the_rest(window: Any, idle: Idle) -> None:
    session = window.session
    window.do_inspect_all()
    idle(session)
    question = window.dialog(Question)
    assert question is not None
    tests = session.category.split("test")
    assert [session.verdict_of(e.path) for e in tests if "good/" in e.key].count(None) == 0
    assert all(session.verdict_of(e.path) is None for e in tests if "bump/" in e.key)
    question.yes.click()
    idle(session)
    found = [session.verdict_of(e.path) for e in tests]
    assert None not in found
    assert found.count(Verdict.REJECT) >= 3
    assert np.isfinite(session.thresholds.part)


def test_the_history_and_the_library_say_in_which_mode(window: Any, idle: Idle) -> None:
    session = window.session
    window.do_inspect()
    window.dialog(Question).yes.click()
    idle(session)
    path = session.entry.path
    row = session.history.last(path)
    assert row.lacking == "no RGB image"
    assert "By shape alone: no RGB image" in window.library._scans[path].toolTip()
    again = KnownVerdicts(session.history, session.failures).of(path, session.model_path)
    assert again == Known(session.inspection.verdict, "no RGB image"), "what the next start of the program knows"
