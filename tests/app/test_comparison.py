"""Two maps held against each other: by keys and by the panel, and what the numbers mean."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.comparison import difference, scale_of
from app.fields import ANOMALY, color_range
from app.viewer.field import ViewMode
from core.inspection.calibration import calibrate
from core.scan import Scan
from core.scores import ScoreMap, Scores

Idle = Callable[[Any], None]
CAMERA = {"fit", "view", "fly_to", "look_at", "set_scan"}


@pytest.fixture
def window(stub: ModuleType, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, idle: Idle) -> Any:
    """An inspected plate of a method whose second score is the square of the first."""
    score = stub.StubPipeline.score

    def with_another(self: Any, scan: Scan, progress: Any) -> Scores:
        own = score(self, scan, progress)
        square = ScoreMap(own.points**2, "Squared", help="The square of the score.")
        return Scores(own.points, own.object, {**own.maps, "squared": square})

    monkeypatch.setattr(stub.StubPipeline, "score", with_another)
    session = request.getfixturevalue("trained")
    made = request.getfixturevalue("make_window")(session)
    session.inspect()
    idle(session)
    made.viewer.setFocus()
    return made


def choose(window: Any, title: str) -> None:
    others = window.maps.others
    others.setCurrentIndex(others.findText(title))
    others.activated.emit(others.currentIndex())


def row(window: Any, key: str) -> Any:
    tree = window.maps.list
    return next(
        tree.topLevelItem(i) for i in range(tree.topLevelItemCount()) if tree.topLevelItem(i).data(0, 256) == key
    )


def test_b_flips_between_two_maps_and_the_camera_stays(window: Any, qtbot: QtBot) -> None:
    session = window.session
    window.maps.list.setCurrentItem(row(window, "squared"))
    assert session.shown_map == "squared"
    del window.viewer.calls[:]
    for expected in (ANOMALY, "squared", ANOMALY):
        qtbot.keyClick(window, Qt.Key.Key_B)
        assert session.shown_map == expected
        assert window.viewer.last("set_field").title == session.maps()[expected].title
        assert window.maps.list.currentItem().data(0, 256) == expected
    assert not CAMERA & {name for name, _ in window.viewer.calls}


def test_flipping_goes_to_the_map_that_was_chosen_to_compare_with(window: Any, qtbot: QtBot) -> None:
    choose(window, "Gate")
    qtbot.keyClick(window, Qt.Key.Key_B)
    assert window.session.shown_map == "gate"
    assert window.maps.others.currentData() == ANOMALY, "what was shown became the other"


def test_the_difference_is_diverging_and_says_which_side_is_which(window: Any, qtbot: QtBot) -> None:
    session = window.session
    choose(window, "Squared")
    qtbot.mouseClick(window.maps.differ, Qt.MouseButton.LeftButton)
    field = window.viewer.last("set_field")
    assert field.diverging
    assert (field.low, field.high) == (-1, 1)
    assert field.ends == ("Squared", "Anomaly score")
    calibration = session.model.calibration
    middle = float(np.median(calibration.point_sample))
    low, high = calibration.map_scales["squared"]
    points = session.judged.scores.points
    expected = (points - middle) / (calibration.point_threshold - middle) - (points**2 - low) / (high - low)
    np.testing.assert_allclose(field.values, expected, rtol=1e-4, atol=1e-4)
    assert window.viewer.last("set_threshold_mark") is None, "the threshold is none of a difference"
    above = int((points > calibration.point_threshold).sum()), int((points**2 > high).sum())
    assert f"{above[0]} in Anomaly score, {above[1]} in Squared" in window.maps.help.text()
    qtbot.mouseClick(window.maps.differ, Qt.MouseButton.LeftButton)
    assert window.viewer.last("set_field").title == "Anomaly score"
    assert not window.actions_by_id["show_difference"].isChecked()


def test_x_shows_the_difference_from_any_mode_and_b_turns_it_round(window: Any, qtbot: QtBot) -> None:
    window.maps.set_mode(ViewMode.MASK)
    window.session.show_map("squared")
    qtbot.keyClick(window, Qt.Key.Key_X)
    assert window.maps.shown_mode is ViewMode.HEATMAP
    assert window.actions_by_id["show_difference"].isChecked()
    first = window.viewer.last("set_field")
    qtbot.keyClick(window, Qt.Key.Key_B)
    second = window.viewer.last("set_field")
    np.testing.assert_allclose(first.values, -second.values, atol=1e-5)
    assert first.ends == second.ends[::-1]


def test_the_picked_point_shows_its_difference(window: Any, qtbot: QtBot) -> None:
    window.viewer.picked.emit(1030)
    qtbot.keyClick(window, Qt.Key.Key_X)
    assert "−" in window.viewer.last("set_picked_note")
    value = float(window.viewer.last("set_field").values[1030])
    assert float(window.viewer.last("set_picked_note").split(": ")[1]) == pytest.approx(value, rel=1e-2)


def test_the_range_of_the_difference_is_its_own(window: Any, qtbot: QtBot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_X)
    assert (window.maps.low.value(), window.maps.high.value()) == (-1, 1)
    window.maps.high.setValue(0.5)
    assert window.viewer.last("set_field").high == 0.5
    qtbot.keyClick(window, Qt.Key.Key_X)
    assert window.viewer.last("set_field").high != 0.5
    qtbot.keyClick(window, Qt.Key.Key_X)
    qtbot.mouseClick(window.maps.auto, Qt.MouseButton.LeftButton)
    assert window.viewer.last("set_field").high == 1


def test_comparing_ends_with_no_other_map_and_lasts_over_scans(window: Any, qtbot: QtBot, idle: Idle) -> None:
    session = window.session
    choose(window, "Squared")
    qtbot.keyClick(window, Qt.Key.Key_X)
    session.scans.step(1)
    idle(session)
    assert session.judged is None
    assert session.comparison.current is None
    session.inspect()
    idle(session)
    assert window.viewer.last("set_field").ends == ("Squared", "Anomaly score")
    assert window.maps.differ.isChecked()
    choose(window, "no other map")
    assert window.viewer.last("set_field").title == "Anomaly score"


def test_without_a_result_there_is_nothing_to_compare(trained: Any, make_window: Callable[..., Any]) -> None:
    window = make_window(trained)
    for name in ("flip_maps", "show_difference"):
        assert not window.actions_by_id[name].isEnabled()
    assert not window.maps.others.isEnabled()


def test_scales_are_from_good_parts_where_the_model_knows_them() -> None:
    points = np.arange(1000, dtype=np.float32)
    good = Scores(points, 1.0, {"tenfold": ScoreMap(10 * points, "Tenfold")})
    calibration = calibrate([good], point_budget=0.1)
    bad = ScoreMap(np.full(4, 8990, np.float32), "Tenfold")
    scale = scale_of("tenfold", bad, calibration)
    assert scale.good
    np.testing.assert_allclose(scale(bad.values), (8990 - scale.zero) / (scale.one - scale.zero), rtol=1e-6)
    assert scale.zero == pytest.approx(5000, abs=10)
    assert scale.one == pytest.approx(9000, abs=10)
    low, high = color_range("tenfold", bad, calibration)
    assert (low + high) / 2 == pytest.approx(scale.one), "the colours have it in the middle"
    alone = scale_of("tenfold", ScoreMap(points, "Tenfold"), None)
    assert not alone.good
    assert (alone.zero, alone.one) == pytest.approx((499.5, np.quantile(points, 0.999)))


def test_a_difference_knows_what_it_cannot_know() -> None:
    one = ScoreMap(np.array([0, 1, np.nan, 2], np.float32), "One", "weight")
    two = ScoreMap(np.array([1, np.nan, 0, 0], np.float32), "Two", "weight")
    found = difference("one", one, "two", two, None)
    np.testing.assert_array_equal(found.map.values, np.array([-1, np.nan, np.nan, 2], np.float32))
    assert found.above == (1, 0, 0)
    assert found.map.kind == "selection"
    flat = ScoreMap(np.zeros(4, np.float32), "Flat")
    assert np.isfinite(difference("flat", flat, "flat", flat, None).map.values).all()
