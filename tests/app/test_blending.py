"""Blending from the measured to the reconstructed part: the slider, the key and the menu drive one share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

Idle = Callable[[Any], None]


@pytest.fixture
def window(trained: Any, make_window: Callable[..., Any], idle: Idle) -> Any:
    made = make_window(trained)
    idle(trained)
    return made


@pytest.fixture
def reconstructing(stub: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub method says of every part that it should lie in the plane."""
    score = stub.StubPipeline.score

    def flat(model: Any, scan: Any, progress: Any) -> Any:
        return dataclasses.replace(score(model, scan, progress), reconstruction=scan.points * np.float32([1, 1, 0]))

    monkeypatch.setattr(stub.StubPipeline, "score", flat)


def test_without_a_reconstruction_there_is_nothing_to_blend_and_it_is_said_why(window: Any, idle: Idle) -> None:
    action = window.actions_by_id["show_reconstruction"]
    assert not action.isEnabled()
    assert "Inspect the scan" in action.toolTip()
    window.do_inspect()
    idle(window.session)
    assert not action.isEnabled()
    assert "Stub judges the part without reconstructing it" in action.toolTip()
    assert window.blend_bar.isHidden()


def test_slider_key_and_menu_are_one(window: Any, idle: Idle, qtbot: QtBot, reconstructing: None) -> None:
    window.do_inspect()
    idle(window.session)
    bar, viewer, action = window.blend_bar, window.viewer, window.actions_by_id["show_reconstruction"]
    assert bar.isVisible()
    assert action.isEnabled()
    assert viewer.last("set_blend")[0] == 0.0
    assert viewer.last("set_reconstruction").shape == window.session.scan.points.shape
    bar.slider.setValue(40)
    assert viewer.last("set_blend") == (0.4, "40 % reconstructed")
    assert bar.number.text() == "40 %"
    assert action.isChecked()
    idle(window.session)
    points, carried = viewer.last("set_reconstruction")
    assert points is window.session.judged.scores.reconstruction
    assert np.abs(carried.targets[:, 2]).max() < 0.05, "every measured point has a place in the plane"
    qtbot.keyClick(window, Qt.Key.Key_R)
    assert viewer.last("set_blend")[0] == 0.0
    assert bar.slider.value() == 0
    qtbot.keyClick(window, Qt.Key.Key_R)
    assert bar.slider.value() == 40
    qtbot.mouseClick(bar.reconstructed, Qt.MouseButton.LeftButton)
    assert viewer.last("set_blend") == (1.0, "reconstructed")
    qtbot.mouseClick(bar.measured, Qt.MouseButton.LeftButton)
    assert not action.isChecked()


def test_the_share_is_kept_over_scans(window: Any, idle: Idle, reconstructing: None) -> None:
    session = window.session
    window.do_inspect()
    idle(session)
    window.blending.choose(0.7)
    idle(session)
    window.do_next()
    idle(session)
    assert session.judged is None
    assert window.blend_bar.isHidden()
    assert window.viewer.last("set_blend")[0] == 0.0
    window.do_inspect()
    idle(session)
    assert window.blend_bar.slider.value() == 70
    assert window.viewer.last("set_blend")[0] == 0.7


def test_the_bar_stays_within_the_view(window: Any, idle: Idle, reconstructing: None) -> None:
    window.do_inspect()
    idle(window.session)
    for width in (1400, 700):
        window.resize(width, 700)
        bar, view = window.blend_bar.geometry(), window.viewer.geometry()
        assert view.contains(bar)
        assert window.blend_bar.measured.isVisibleTo(window) == (width == 1400)  # whole words or none
