"""The train dialog says what the scans hold and in which mode they would be judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PySide6.QtWidgets import QFormLayout, QWidget
from pytestqt.qtbot import QtBot

from app import work
from app.dialogs.mode_note import ModeNote
from core.pipelines.config import setting

Idle = Callable[[Any], None]


@pytest.fixture
def moded(stub: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The stub as a method with modes."""

    @dataclasses.dataclass(frozen=True)
    class ModedConfig(stub.StubConfig):  # type: ignore[name-defined, misc]
        mode: str = setting("auto", "What is looked at", choices=("auto", "2d+3d", "3d", "2d"))

    monkeypatch.setattr(stub.StubPipeline, "Config", ModedConfig)
    return stub


def note_in_form(session: Any, qtbot: QtBot) -> tuple[ModeNote, QWidget]:
    holder = QWidget()
    qtbot.addWidget(holder)
    note = ModeNote(session)
    note.put_into(QFormLayout(holder), "Mode")
    holder.show()
    return note, holder


def test_it_says_what_the_scans_hold_and_the_mode(
    moded: ModuleType, session: Any, parts: Path, idle: Idle, qtbot: QtBot
) -> None:
    note, _ = note_in_form(session, qtbot)
    category = work.recognise(parts, "mm", None)
    request = work.FeatureRequest("stub", "fast")
    note.show_for(request, None)
    assert "by what the scans hold" in note.text.text()
    note.show_for(request, category)
    idle(session)
    assert note.text.text().startswith("The scans have no grid and no RGB image. 3D: shape alone")
    note.show_for(dataclasses.replace(request, changes={"mode": "2d+3d"}), category)
    assert note.text.text().startswith("⚠")
    assert "needs an image" in note.text.text()
    note.show_for(dataclasses.replace(request, changes={"mode": "3d"}), category)
    assert "as chosen below" in note.text.text()


def test_images_drawn_of_clouds_are_told(
    stub: ModuleType, session: Any, parts: Path, idle: Idle, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclasses.dataclass(frozen=True)
    class DrawingConfig(stub.StubConfig):  # type: ignore[name-defined, misc]
        mode: str = setting("auto", "What is looked at", choices=("auto", "2d+3d", "3d", "2d"))
        pictures: str = setting("auto", "What the image is", choices=("photographs", "auto"))

    monkeypatch.setattr(stub.StubPipeline, "Config", DrawingConfig)
    note, _ = note_in_form(session, qtbot)
    category = work.recognise(parts, "mm", None)
    request = work.FeatureRequest("stub", "fast")
    note.show_for(request, category)
    idle(session)
    assert "2D+3D: shape and image together, its images drawn of the shape" in note.text.text()
    note.show_for(dataclasses.replace(request, changes={"mode": "3d"}), category)
    assert note.text.text().endswith("3D: shape alone (as chosen below).")
    note.show_for(dataclasses.replace(request, changes={"pictures": "photographs"}), category)
    assert "3D: shape alone (chosen by that" in note.text.text()


def test_images_inside_or_beside_the_scans_count(
    moded: ModuleType, session: Any, parts: Path, idle: Idle, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "scan_facts", lambda category: work.ScanFacts(organised=True, image=True))
    note, _ = note_in_form(session, qtbot)
    note.show_for(work.FeatureRequest("stub", "fast"), work.recognise(parts, "mm", None))
    idle(session)
    assert note.text.text().startswith("The scans have a grid and an RGB image. 2D+3D: shape and image together")


def test_a_method_without_modes_has_no_such_row(session: Any, parts: Path, qtbot: QtBot) -> None:
    note, _ = note_in_form(session, qtbot)
    note.show_for(work.FeatureRequest("stub", "fast"), work.recognise(parts, "mm", None))
    assert not note.isVisible()
