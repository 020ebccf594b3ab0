"""Why a point has its score, asked as a person would: pick, press W, look, go to the good scan and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from app.dialogs.error import ErrorDialog
from app.explaining import Stage, lies_on
from core.errors import ScanError
from core.pipelines.explanation import Explanation
from core.progress import Progress
from core.scan import Scan

Idle = Callable[[Any], None]
BUMP = 20 * 50 + 30  # of the plates' points, the top of the bump
LIFT = np.float32([0.0, 0.0, 0.25])


def _last(names: list[str], name: str) -> int:
    return len(names) - names[::-1].index(name)


@pytest.fixture
def method(stub: ModuleType, parts: Path, monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """The stub explains: by the plate of the same place, of the first good scan; nothing left of x = 5.

    Errors put into what this gives are raised by the next explanation.
    """
    from app import work

    category = work.recognise(parts, "mm", None)
    entry = category.good_train()[0]
    good = category.load(entry)
    errors: list[Exception] = []

    def explain(self: Any, scan: Scan, point: int, progress: Progress) -> Explanation | None:
        stub._wait(progress)
        if errors:
            raise errors.pop()
        if scan.points[point, 0] < 5:
            return None
        near = np.linalg.norm(good.points[:, :2] - scan.points[point, :2], axis=1) < 4
        surface = good.points[near]
        return Explanation("Nearest plate", "It is flatter there.", entry.key, surface, surface + LIFT, 0.5)

    monkeypatch.setattr(stub.StubPipeline, "explains", True)
    monkeypatch.setattr(stub.StubPipeline, "explain", explain)
    return errors


@pytest.fixture
def window(method: list[Exception], trained: Any, make_window: Callable[..., Any], idle: Idle) -> Any:
    """The window with an inspected plate and its bump picked."""
    made = make_window(trained)
    trained.inspect()
    idle(trained)
    made.viewer.setFocus()
    made.viewer.picked.emit(BUMP)
    return made


@pytest.fixture
def explained(window: Any, qtbot: QtBot, idle: Idle) -> Any:
    """The same after W."""
    qtbot.keyClick(window, Qt.Key.Key_W)
    idle(window.session)
    return window


def test_w_shows_the_good_surface_over_the_picked_place(explained: Any) -> None:
    card = explained.card
    assert card.isVisible()
    assert card.heading.text() == "Nearest plate"
    assert card.text.text() == "It is flatter there."
    source = explained.session.category.good_train()[0].key
    assert source in card.source.text()
    points, words = explained.viewer.last("set_explained")
    picked = explained.session.scan.points[BUMP]
    assert np.linalg.norm(points[:, :2] - picked[:2], axis=1).max() <= 4
    assert points[:, 2].mean() == pytest.approx(0.25, abs=0.02), "as placed, not as measured"
    assert source in words
    assert not explained.maps.why.isEnabled(), "it is answered"


def test_the_button_beside_the_values_asks_too(window: Any, qtbot: QtBot, idle: Idle) -> None:
    assert not window.card.isVisible()
    window._docks["maps"].raise_()
    qtbot.waitUntil(window.maps.why.isVisible, timeout=30_000)
    qtbot.mouseClick(window.maps.why, Qt.MouseButton.LeftButton)
    idle(window.session)
    assert window.card.isVisible()


def test_the_menu_of_the_view_offers_it(window: Any, qtbot: QtBot, idle: Idle) -> None:
    window.viewer.menu_wanted.emit(window.mapToGlobal(QPoint(300, 300)))
    menu, why = window.view_menu, window.actions_by_id["explain"]
    qtbot.waitUntil(menu.isVisible, timeout=30_000)
    qtbot.mouseClick(menu, Qt.MouseButton.LeftButton, pos=menu.actionGeometry(why).center())
    idle(window.session)
    assert not menu.isVisible()
    assert window.card.isVisible()


def test_escape_takes_it_away(explained: Any, qtbot: QtBot) -> None:
    qtbot.keyClick(explained, Qt.Key.Key_Escape)
    assert not explained.card.isVisible()
    assert explained.viewer.last("set_explained")[0] is None
    assert explained.session.picked == BUMP, "the point stays picked"
    assert explained.maps.why.isEnabled()


def test_another_point_takes_it_away(explained: Any) -> None:
    explained.viewer.picked.emit(BUMP + 3)
    assert not explained.card.isVisible()
    assert explained.viewer.last("set_explained")[0] is None


def test_where_there_is_nothing_the_card_says_so(window: Any, qtbot: QtBot, idle: Idle) -> None:
    window.viewer.picked.emit(1)
    qtbot.keyClick(window, Qt.Key.Key_W)
    idle(window.session)
    assert window.card.isVisible()
    assert "Nothing" in window.card.heading.text()
    assert not window.card.open.isVisible()
    assert window.viewer.last("set_explained")[0] is None


def test_an_error_is_shown_and_leaves_nothing(window: Any, method: list[Exception], qtbot: QtBot, idle: Idle) -> None:
    method.append(ScanError("The plate cannot be looked at", "Turn it round"))
    qtbot.keyClick(window, Qt.Key.Key_W)
    idle(window.session)
    assert "cannot be looked at" in str(window.dialog(ErrorDialog).error)
    assert not window.card.isVisible()
    assert window.session.explaining.stage is Stage.NONE
    assert window.maps.why.isEnabled(), "it can be tried again"


@pytest.mark.parametrize("how", ["button", "escape", "status bar"])
def test_it_can_be_stopped(window: Any, stub: ModuleType, qtbot: QtBot, idle: Idle, how: str) -> None:
    stub.HOLD.clear()
    qtbot.keyClick(window, Qt.Key.Key_W)
    qtbot.waitUntil(lambda: window.session.jobs.is_busy_with("explain"), timeout=30_000)
    assert "Looking" in window.card.heading.text()
    if how == "button":
        qtbot.mouseClick(window.card.stop, Qt.MouseButton.LeftButton)
    elif how == "escape":
        qtbot.keyClick(window, Qt.Key.Key_Escape)
    else:
        qtbot.keyClick(window, Qt.Key.Key_Period, Qt.KeyboardModifier.ControlModifier)
    idle(window.session)
    assert not window.card.isVisible()
    assert window.dialog(ErrorDialog) is None
    stub.HOLD.set()
    qtbot.keyClick(window, Qt.Key.Key_W)
    idle(window.session)
    assert window.card.heading.text() == "Nearest plate"


def test_an_answer_for_a_scan_that_is_gone_is_dropped(window: Any, stub: ModuleType, qtbot: QtBot, idle: Idle) -> None:
    session = window.session
    stub.HOLD.clear()
    qtbot.keyClick(window, Qt.Key.Key_W)
    place = session.explaining.place
    session.scans.step(1)
    stub.HOLD.set()
    idle(session)
    assert session.entry != place.entry
    assert not window.card.isVisible()
    session.explaining._answered(place, Explanation("Late", "", "", *[session.scan.points] * 2, 0.0))
    assert not window.card.isVisible()


def test_the_good_scan_opens_with_the_matching_place_and_leads_back(explained: Any, qtbot: QtBot, idle: Idle) -> None:
    window, session = explained, explained.session
    judged = session.entry
    qtbot.mouseClick(window.card.open, Qt.MouseButton.LeftButton)
    idle(session)
    assert session.entry == session.category.good_train()[0]
    points, words = window.viewer.last("set_explained")
    assert abs(points[:, 2].mean()) < 0.02, "as measured, in the good scan's own frame"
    assert judged.key in words
    names = [name for name, _ in window.viewer.calls]
    assert _last(names, "set_scan") < _last(names, "set_explained") < _last(names, "look_at"), "else it would be lost"
    low, high = window.viewer.last("look_at")
    np.testing.assert_array_equal((low, high), (points.min(axis=0), points.max(axis=0)))
    assert "held against" in window.card.text.text()
    window.viewer.picked.emit(7)
    assert window.card.isVisible(), "values of the good scan can be read meanwhile"
    qtbot.mouseClick(window.card.back, Qt.MouseButton.LeftButton)
    idle(session)
    assert session.entry == judged
    assert session.picked == BUMP
    assert session.inspection is not None
    assert window.card.heading.text() == "Nearest plate"
    names = [name for name, _ in window.viewer.calls]
    assert _last(names, "set_scan") < _last(names, "set_explained")
    assert window.viewer.last("set_explained")[0][:, 2].mean() == pytest.approx(0.25, abs=0.02)


def test_it_says_when_the_good_scan_is_another_than_it_was(
    explained: Any, parts: Path, qtbot: QtBot, idle: Idle
) -> None:
    from core.formats.ply_writer import write_ply

    session = explained.session
    path = session.category.good_train()[0].path
    sound = path.read_bytes()
    try:
        write_ply(path, session.scan.points + np.float32([0, 0, 30]))
        qtbot.mouseClick(explained.card.open, Qt.MouseButton.LeftButton)
        idle(session)
        assert "not as it was" in explained.card.text.text()
    finally:
        path.write_bytes(sound)


def test_a_good_scan_that_is_not_in_the_library_cannot_be_opened(explained: Any, idle: Idle) -> None:
    session = explained.session
    session.remove_category(session.category.name)
    idle(session)
    assert explained.card.isVisible()
    assert not explained.card.open.isVisible()
    assert "not in the library" in explained.card.source.text()


def test_from_another_category_its_own_is_opened_first(
    explained: Any, parts: Path, tmp_path: Path, qtbot: QtBot, idle: Idle
) -> None:
    session = explained.session
    own = session.category.name
    session.close_category(own)
    assert explained.card.open.isVisible()
    qtbot.mouseClick(explained.card.open, Qt.MouseButton.LeftButton)
    idle(session)
    assert session.category.name == own
    assert session.entry == session.category.good_train()[0]
    assert session.explaining.stage is Stage.SOURCE


def test_undoing_the_inspection_takes_it_away(explained: Any) -> None:
    explained.session.undo_stack.undo()
    assert explained.session.judged is None
    assert not explained.card.isVisible()
    assert not explained.actions_by_id["explain"].isEnabled()


def test_a_method_that_explains_nothing_offers_nothing(
    trained: Any, make_window: Callable[..., Any], idle: Idle
) -> None:
    window = make_window(trained)
    trained.inspect()
    idle(trained)
    window.viewer.picked.emit(BUMP)
    assert not window.actions_by_id["explain"].isVisible()
    assert window.maps.why.isHidden()
    assert not window.actions_by_id["end_explanation"].isEnabled()


def test_the_card_stays_in_the_view_and_gives_way_to_the_part(explained: Any, qtbot: QtBot) -> None:
    card, view = explained.card, explained.viewer
    assert card.area.isVisible()
    assert card.area.verticalScrollBar().maximum() == 0, "the words fit"
    card.text.setText("A long text. " * 300)
    card._place()
    assert view.geometry().contains(card.geometry())
    qtbot.waitUntil(lambda: card.area.verticalScrollBar().maximum() > 0, timeout=30_000)
    card.refresh()
    explained.resize(900, 420)
    qtbot.waitUntil(lambda: not card.area.isVisible(), timeout=30_000)
    assert view.geometry().contains(card.geometry())
    assert card.height() < 110
    assert "flatter" in card.toolTip()


def test_a_surface_lies_on_its_scan_or_does_not() -> None:
    x, y = np.meshgrid(np.arange(40.0), np.arange(40.0))
    scan = Scan(np.column_stack([x.ravel(), y.ravel(), np.zeros(1600)]).astype(np.float32))
    patch = scan.points[:80]
    assert lies_on(patch, scan)
    assert lies_on(patch + np.float32([0.3, 0, 0]), scan)
    assert not lies_on(patch + np.float32([0, 0, 5]), scan)
    assert not lies_on(patch + np.float32([500, 0, 0]), scan)
