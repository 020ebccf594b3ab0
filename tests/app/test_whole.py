"""The whole window with its real view: from the first start to a result, and nothing left when it closes."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PySide6.QtCore import QPointF, Qt
from pytestqt.qtbot import QtBot

from app import several_work, work
from app.application import make_window, start
from app.failures import Failures
from app.session import Session
from app.settings import SettingsFile
from app.viewer.field import ViewMode
from core.datasets.category import Category
from core.progress import Progress
from core.store.library import Library

Idle = Callable[[Any], None]


@pytest.fixture
def demo(stub: ModuleType, parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo that a first start makes, of plates instead of brackets."""

    def make(library: Library, device: str, progress: Progress) -> tuple[Category, Path]:
        category = work.recognise(parts, "mm", None)
        library.add_category(parts, "mm", category.name)
        return category, several_work.train(
            work.TrainRequest(category, "stub", "fast"), library, device, False, progress
        ).path

    monkeypatch.setattr(work, "demo", make)


def test_first_start_inspect_drag_undo_pick_and_close(demo: None, qtbot: QtBot, tmp_path: Path, idle: Idle) -> None:
    window = make_window(Failures(), SettingsFile(tmp_path / "conf"), Library(tmp_path / "library"))
    session: Session = window.session
    failures: list[BaseException] = []
    session.failures.happened.connect(failures.append)
    window.show()
    start(window)
    qtbot.waitUntil(lambda: session.can_inspect and not session.jobs.busy, timeout=30_000)
    assert window.guide.isVisible()
    assert window.viewer.mode is not ViewMode.HEATMAP
    qtbot.mouseClick(window.inspect_panel.button, Qt.MouseButton.LeftButton)
    idle(session)
    assert window.inspect_panel.banner.word == "REJECT"
    assert window.viewer.mode is ViewMode.HEATMAP

    marked = int(session.inspection.defects.mask.sum()) if session.inspection is not None else 0
    assert session.thresholds is not None
    session.threshold_control.change(point=session.thresholds.point / 2)
    session.flush()
    assert session.inspection is not None
    assert int(session.inspection.defects.mask.sum()) > marked
    window.do_undo()
    session.flush()
    assert int(session.inspection.defects.mask.sum()) == marked

    index = 30 + 50 * 20
    qtbot.wait(50)
    x, y = window.viewer.pixel_of(index)
    window.viewer._on_clicked(QPointF(x, y))
    assert session.picked is not None
    assert window.maps.picked.text().startswith(f"Point {session.picked}")
    assert window.status.points.text().endswith("points")

    window.do_next_defect()
    for name in ("iso", "front", "top"):
        window.viewer.view(name)
    window.do_mode_mask()
    qtbot.wait(50)
    assert not window.viewer.screenshot().isNull()
    window._choose_theme("dark")
    qtbot.wait(20)
    assert window.close()
    assert failures == []
    assert session.ended
    assert not any(t.name == "nominal-worker" and t.is_alive() for t in threading.enumerate())
    window.deleteLater()


def test_second_start_opens_what_was_open(demo: None, qtbot: QtBot, tmp_path: Path, idle: Idle) -> None:
    file, library = SettingsFile(tmp_path / "conf"), Library(tmp_path / "library")
    first = make_window(Failures(), file, library)
    start(first)
    qtbot.waitUntil(lambda: first.session.can_inspect and not first.session.jobs.busy, timeout=30_000)
    chosen = first.session.model_path
    first.close()
    first.deleteLater()
    second = make_window(Failures(), file, library)
    start(second)
    qtbot.waitUntil(lambda: second.session.can_inspect and not second.session.jobs.busy, timeout=30_000)
    assert second.session.model_path == chosen
    assert second.session.category is not None
    assert second.session.category.name == "plate"
    second.close()
    second.deleteLater()


def test_a_closed_window_lets_scans_and_models_go(demo: None, qtbot: QtBot, tmp_path: Path, idle: Idle) -> None:
    window = make_window(Failures(), SettingsFile(tmp_path / "conf"), Library(tmp_path / "library"))
    session: Session = window.session
    start(window)
    qtbot.waitUntil(lambda: session.can_inspect and not session.jobs.busy, timeout=30_000)
    window.do_inspect()
    idle(session)
    held = [weakref.ref(session.scan), weakref.ref(session.judged), weakref.ref(session.model)]
    window.close()
    qtbot.wait(5)
    gc.collect()
    assert [one() for one in held] == [None, None, None]
    window.deleteLater()
