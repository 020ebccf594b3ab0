"""The window driven as a person would: clicks, drags, keys, drops."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.dialogs.about import AboutDialog, KeysDialog
from app.dialogs.add_category import AddCategoryDialog
from app.dialogs.error import ErrorDialog
from app.dialogs.export import ExportDialog
from app.dialogs.train import TrainDialog
from app.viewer.field import ViewMode
from core.errors import ScanError
from core.inspection.verdict import Verdict

Idle = Callable[[Any], None]


@pytest.fixture
def window(trained: Any, make_window: Callable[..., Any]) -> Any:
    return make_window(trained)


@pytest.fixture
def judged(window: Any, qtbot: QtBot, idle: Idle) -> Any:
    """The window after a click on Inspect."""
    qtbot.mouseClick(window.inspect_panel.button, Qt.MouseButton.LeftButton)
    idle(window.session)
    return window


def test_click_inspect_shows_verdict_mask_defects_and_heatmap(judged: Any) -> None:
    panel = judged.inspect_panel
    assert panel.banner.word == "REJECT"
    assert "threshold" in panel.banner.line
    assert judged.defects.model.rowCount() == 1
    assert judged.viewer.last("set_mask").sum() > 10
    field = judged.viewer.last("set_field")
    calibration = judged.session.model.calibration
    assert field.low + field.high == pytest.approx(2 * calibration.point_threshold, rel=1e-5), (
        "the calibrated threshold is the middle of the colours"
    )
    assert judged.viewer.last("set_mode") is ViewMode.HEATMAP
    assert "bump/000" in judged.windowTitle()


def test_the_inspect_key_works(window: Any, qtbot: QtBot, idle: Idle) -> None:
    qtbot.keyClick(window, Qt.Key.Key_I, Qt.KeyboardModifier.ControlModifier)
    idle(window.session)
    assert window.session.inspection is not None


def test_dragging_the_line_moves_mask_and_table_and_ctrl_z_takes_it_back(judged: Any, qtbot: QtBot) -> None:
    session, plot = judged.session, judged.thresholds.histogram
    before, marked = session.thresholds, int((session.inspection.defects.ids > 0).sum())
    start = plot.line_position().toPoint()
    view = plot.viewport()
    QTest.mouseMove(view, start)
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 9):
        QTest.mouseMove(view, start - QPoint(5 * step, 0))
        qtbot.wait(5)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=start - QPoint(40, 0))
    assert session.thresholds.point < before.point
    assert judged.thresholds.point.value() == pytest.approx(session.thresholds.point, rel=1e-3)
    assert int(judged.viewer.last("set_mask").sum()) > marked
    assert session.undo_stack.count() == 2, "the inspection and one drag"
    qtbot.keyClick(judged, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    session.flush()
    assert session.thresholds == before
    assert int(judged.viewer.last("set_mask").sum()) == marked


def test_spin_boxes_move_the_verdict(judged: Any, qtbot: QtBot) -> None:
    spin = judged.thresholds.part
    spin.setFocus()
    spin.selectAll()
    qtbot.keyClicks(spin, "100000")
    qtbot.keyClick(spin, Qt.Key.Key_Return)
    judged.session.flush()
    assert judged.session.thresholds.part == 100000
    assert judged.inspect_panel.banner.word == "ACCEPT"
    assert judged.thresholds.effect.text().startswith("0 of 24")
    qtbot.mouseClick(judged.thresholds.reset, Qt.MouseButton.LeftButton)
    judged.session.flush()
    assert judged.inspect_panel.banner.word == "REJECT"


def test_live_counts_are_those_of_the_calibration(judged: Any) -> None:
    scores = judged.session.model.calibration.part_scores
    judged.session.threshold_control.change(part=float(scores[-4]), guard=0.0)
    assert judged.thresholds.effect.text().startswith("3 of 24 good parts would be rejected")


def test_a_large_smallest_defect_empties_the_table(judged: Any, qtbot: QtBot) -> None:
    judged.thresholds.min_points.setValue(4000)
    judged.session.flush()
    assert judged.defects.model.rowCount() == 0
    assert judged.defects.stack.currentWidget() is judged.defects.empty
    assert "groups smaller than the smallest defect" in judged.defects.empty.text()
    assert judged.session.inspection.defects.mask.any()
    assert not judged.viewer.last("set_mask").any(), "marks that are no defect are not drawn as one"


def test_picking_shows_the_value_in_every_map(judged: Any) -> None:
    judged.viewer.picked.emit(1240)
    tree = judged.maps.list
    shown = [tree.topLevelItem(row).text(1) for row in range(tree.topLevelItemCount())]
    assert len(shown) == 3
    assert all(shown)
    value = float(judged.session.maps()["anomaly"].values[1240])
    assert float(shown[0]) == pytest.approx(value, rel=1e-3)
    assert "Point 1240" in judged.maps.picked.text()


def test_a_scan_without_normals_is_shaded_by_estimated_ones(window: Any, idle: Idle) -> None:
    assert window.session.scan.normals is None
    idle(window.session)
    normals = window.viewer.last("set_shading_normals")
    assert normals.shape == (2500, 3)
    assert np.median(np.abs(normals[:, 2])) > 0.99, "the plate lies flat"


def test_a_scan_without_a_model_leads_to_one(
    session: Any, parts: Path, make_window: Callable[..., Any], idle: Idle, qtbot: QtBot
) -> None:
    window = make_window(session)
    assert not window.inspect_panel.without_model.isVisible()
    session.scans.open_path(parts / "test" / "bump" / "000.ply")
    idle(session)
    panel = window.inspect_panel
    assert "Train a model" in panel.banner.line
    assert panel.train_first.isVisible()
    assert panel.open_first.isVisible()
    assert window.thresholds.effect.text().startswith("No thresholds")
    assert window.thresholds.point.text() == "–"
    assert not window.thresholds.point.isEnabled()
    assert window.defects.empty.text() == "Defects are listed here after an inspection."
    qtbot.mouseClick(panel.train_first, Qt.MouseButton.LeftButton)
    assert window.dialog(TrainDialog) is not None


def test_choosing_a_map_and_a_range(judged: Any) -> None:
    judged.maps.list.setCurrentItem(judged.maps.list.topLevelItem(1))
    field = judged.viewer.last("set_field")
    assert field.title == "Height"
    assert field.kind == "height"
    assert field.unit == "mm"
    assert field.low == -field.high
    judged.maps.high.setValue(99.0)
    assert judged.viewer.last("set_field").high == 99.0
    judged.maps.auto.click()
    assert judged.viewer.last("set_field").high == field.high


def test_choosing_a_defect_flies_to_it_and_copies(judged: Any, qtbot: QtBot) -> None:
    qtbot.keyClick(judged, Qt.Key.Key_D)
    defect = judged.session.inspection.defects.defects[0]
    assert judged.viewer.last("fly_to") is defect
    assert judged.viewer.last("outline") is defect
    judged.defects.copy.trigger()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].split("\t")[:2] == ["#", "Position (mm)"]
    assert lines[1].split("\t")[0] == str(defect.id)


def test_a_chosen_defect_stays_chosen_while_the_threshold_moves(judged: Any) -> None:
    judged.do_next_defect()
    judged.session.threshold_control.change(point=judged.session.thresholds.point * 0.9)
    judged.session.flush()
    assert len(judged.defects.selected) == 1


def test_export_writes_what_was_asked_and_remembers(judged: Any, idle: Idle, tmp_path: Path) -> None:
    judged.actions_by_id["export"].trigger()
    dialog = judged.dialog(ExportDialog)
    dialog.folder.setText(str(tmp_path / "out"))
    for name, box in dialog.formats.items():
        box.setChecked(name in ("ply", "json", "csv", "npz", "png"))
    dialog.save.click()
    idle(judged.session)
    stem = tmp_path / "out" / "bump_000"
    assert {p.name for p in stem.parent.iterdir()} == {f"bump_000.{e}" for e in ("ply", "json", "csv", "npz", "png")}
    scores = np.load(stem.with_suffix(".npz"))["scores"]
    assert np.array_equal(scores, judged.session.inspection.scores.points)
    assert json.loads(stem.with_suffix(".json").read_text("utf-8"))
    assert len(list(csv.reader(stem.with_suffix(".csv").open(encoding="utf-8")))) >= 2
    assert judged.session.settings.export_folder == str(tmp_path / "out")
    assert judged.dialog(ExportDialog) is None


def test_export_to_where_nothing_can_be_written_is_told(judged: Any, idle: Idle, tmp_path: Path, qtbot: QtBot) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    judged.do_export()
    dialog = judged.dialog(ExportDialog)
    dialog.folder.setText(str(blocked / "below"))
    dialog.save.click()
    idle(judged.session)
    qtbot.waitUntil(lambda: judged.dialog(ErrorDialog) is not None, timeout=30_000)
    assert "could not be written" in judged.dialog(ErrorDialog).error.problem


def test_a_broken_scan_gives_a_two_part_message(window: Any, broken: Any, idle: Idle, qtbot: QtBot) -> None:
    window.session.scans.open(broken)
    idle(window.session)
    qtbot.waitUntil(lambda: window.dialog(ErrorDialog) is not None, timeout=30_000)
    error = window.dialog(ErrorDialog).error
    assert isinstance(error, ScanError)
    assert error.remedy
    assert window.dialog(ErrorDialog).details == ""


def test_a_bug_in_the_worker_is_shown_with_a_traceback_and_the_program_lives(
    window: Any, stub: ModuleType, idle: Idle, qtbot: QtBot
) -> None:
    stub.FAIL.append(KeyError("inner"))
    window.do_inspect()
    idle(window.session)
    qtbot.waitUntil(lambda: window.dialog(ErrorDialog) is not None, timeout=30_000)
    dialog = window.dialog(ErrorDialog)
    assert "KeyError" in dialog.details
    assert "stub_pipeline.py" in dialog.details
    dialog.copy()
    assert QGuiApplication.clipboard().text() == dialog.details
    dialog.close()
    window.do_inspect()
    idle(window.session)
    assert window.inspect_panel.banner.word == "REJECT"


def test_the_exception_hook_shows_what_nobody_caught(
    window: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "excepthook", window.session.failures._hook)
    try:
        raise RuntimeError("nobody caught me")
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    qtbot.waitUntil(lambda: window.dialog(ErrorDialog) is not None, timeout=30_000)
    assert "nobody caught me" in window.dialog(ErrorDialog).details


def test_the_same_failure_does_not_pile_up_dialogs(window: Any, qtbot: QtBot) -> None:
    for _ in range(20):
        window.session.failures.report(RuntimeError("again and again"))
    qtbot.wait(20)
    assert sum(isinstance(d, ErrorDialog) for d in window._dialogs) == 1


def test_dropping_a_scan_and_a_folder(window: Any, parts: Path, idle: Idle, qtbot: QtBot) -> None:
    def drop(path: Path) -> None:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        event = QDropEvent(
            QPointF(20, 20), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        )
        window.dropEvent(event)

    drop(parts / "test" / "good" / "001.ply")
    qtbot.waitUntil(lambda: window.session.entry.key == "good/001", timeout=30_000)
    drop(parts)
    qtbot.waitUntil(lambda: window.dialog(AddCategoryDialog) is not None, timeout=30_000)
    dialog = window.dialog(AddCategoryDialog)
    qtbot.waitUntil(lambda: dialog.form.category is not None, timeout=30_000)
    assert "24 good for training" in dialog.form.found.text()
    assert dialog.add.isEnabled()
    dialog.form.folder.setText("/nowhere/at/all")
    qtbot.waitUntil(lambda: dialog.form.found.property("role") == "problem", timeout=30_000)
    assert not dialog.add.isEnabled()


def test_library_opens_scans_and_shows_verdicts(judged: Any, idle: Idle) -> None:
    panel = judged.library
    item = panel._scans[judged.session.entry.path]
    assert item.data(Qt.ItemDataRole.AccessibleDescriptionRole) == "REJECT"
    assert item.font().bold()
    other = next(e for e in judged.session.category.split("test") if e.key == "good/000")
    index = panel.filtered.mapFromSource(panel.model.indexFromItem(panel._scans[other.path]))
    panel.tree.clicked.emit(index)
    idle(judged.session)
    assert judged.session.entry == other
    panel.search.setText("bump")
    assert panel.filtered.rowCount() == 1
    menu = panel.menu_for(panel.filtered.index(0, 0))
    assert not menu.isEmpty()


def test_letters_move_through_the_folder_but_not_while_typing(window: Any, idle: Idle, qtbot: QtBot) -> None:
    first = window.session.entry
    window.library.search.setFocus()
    qtbot.keyClicks(window.library.search, "n")
    idle(window.session)
    assert window.session.entry is first
    assert window.library.search.text() == "n"
    window.library.search.clear()
    window.viewer.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    window.viewer.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_N)
    idle(window.session)
    assert window.session.entry.path != first.path


def test_train_dialog_trains_reports_and_chooses_the_model(window: Any, idle: Idle, qtbot: QtBot) -> None:
    window.session.workshop.prepare()
    idle(window.session)
    before = window.session.model_path
    window.actions_by_id["train"].trigger()
    dialog = window.dialog(TrainDialog)
    qtbot.waitUntil(lambda: dialog.form.category is not None, timeout=30_000)
    assert dialog.preset.currentText() == "fast"
    dialog.model_name.setText("mine")
    dialog.config.field("gain").setValue(2.0)
    assert dialog.config.changes == {"gain": 2.0}
    dialog.budget.setValue(1.0)
    assert "cannot prove 1 %" in dialog.budget_note.text()
    dialog.start.click()
    assert dialog.pages.currentIndex() == 1
    qtbot.waitUntil(lambda: dialog.pages.currentIndex() == 2, timeout=20_000)
    assert "mine" in dialog.report_title.text()
    assert "24 good scans" in dialog.report.text()
    assert "1 %" in dialog.verdict_note.text()
    steps, values, _ = dialog._curves["loss"]
    assert values == [1.0, 0.5]
    assert steps == [0, 1]
    card = window.session.model.card
    assert card.name == "mine"
    assert card.preset == "custom"
    assert card.config["gain"] == 2.0
    assert window.session.model_path != before
    assert window.inspect_panel.models.currentText().startswith("mine")


def test_cancelled_training_leaves_nothing_behind(window: Any, stub: ModuleType, idle: Idle, qtbot: QtBot) -> None:
    window.session.workshop.prepare()
    idle(window.session)
    root = window.session.library.root
    before = {p for p in root.rglob("*") if p.is_file()}
    window.do_train()
    dialog = window.dialog(TrainDialog)
    qtbot.waitUntil(lambda: dialog.form.category is not None, timeout=30_000)
    idle(window.session)
    stub.HOLD.clear()
    stub.RUNNING.clear()
    dialog.start.click()
    assert stub.RUNNING.wait(5)
    dialog.close()
    assert window.dialog(TrainDialog) is dialog, "a running training is only hidden"
    window.do_train()
    assert dialog.isVisible()
    dialog.stop.click()
    idle(window.session)
    assert dialog.pages.currentIndex() == 0
    assert {p for p in root.rglob("*") if p.is_file()} == before
    dialog.close()
    assert window.dialog(TrainDialog) is None


def test_status_bar_shows_what_runs_and_stops_it(window: Any, stub: ModuleType, idle: Idle, qtbot: QtBot) -> None:
    window.session.workshop.prepare()
    idle(window.session)
    assert "CPU" in window.status.device.text()
    assert not window.status.bar.isVisible()
    stub.HOLD.clear()
    window.do_inspect()
    assert stub.RUNNING.wait(5)
    qtbot.waitUntil(lambda: window.status.doing.text().startswith("Inspecting"), timeout=30_000)
    assert window.status.cancel.isVisible()
    window.resize(1600, 900)
    doing = window.status.doing
    doing.setText("Inspecting dent/000: a method (2 of 6)")
    QApplication.processEvents()
    assert doing.width() > doing.fontMetrics().horizontalAdvance(doing.text())
    assert window.inspect_panel.banner.word == "Inspecting …"
    assert not window.inspect_panel.button.isEnabled()
    qtbot.mouseClick(window.status.cancel, Qt.MouseButton.LeftButton)
    idle(window.session)
    assert window.inspect_panel.banner.word == "No verdict yet"


def test_closing_during_work_ends_the_worker_and_keeps_the_settings(
    window: Any, stub: ModuleType, tmp_path: Path
) -> None:
    stub.HOLD.clear()
    window.session.settings.point_size = 5.0
    window.do_inspect()
    assert stub.RUNNING.wait(5)
    window.close()
    assert window.session.ended
    kept = json.loads((tmp_path / "settings" / "settings.json").read_text("utf-8"))
    assert kept["settings"]["point_size"] == 5.0
    assert (tmp_path / "settings" / "window.ini").exists()


def test_guide_leads_through_the_first_steps(window: Any, idle: Idle) -> None:
    window.session.workshop.demo_ready.emit()
    assert window.guide.isVisible()
    window.guide.act.click()
    idle(window.session)
    assert "Drag the line" in window.guide.text
    window.session.threshold_control.change(point=1.0)
    assert "Undo" in window.guide.text
    window.guide.dismiss.click()
    assert not window.guide.isVisible()
    assert window.session.settings.guide_done


def test_themes_and_sheets(window: Any, qtbot: QtBot) -> None:
    window._choose_theme("dark")
    assert window.viewer.last("set_theme") is True
    assert QApplication.palette().window().color().lightness() < 60
    window._choose_theme("light")
    assert QApplication.palette().window().color().lightness() > 200
    qtbot.keyClick(window, Qt.Key.Key_F1)
    assert window.dialog(KeysDialog) is not None
    window.do_about()
    assert window.dialog(AboutDialog) is not None


def test_everything_that_takes_the_keyboard_has_a_name(window: Any) -> None:
    nameless = [
        widget
        for widget in window.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and widget.isVisibleTo(window)
        and not widget.objectName().startswith("qt_")
        and not (widget.accessibleName() or getattr(widget, "text", lambda: "")())
        and type(widget).__name__ not in ("FakeViewer", "QTabBar", "QScrollArea", "QHeaderView")
    ]
    assert [(type(w).__name__, w.objectName(), type(w.parent()).__name__) for w in nameless] == []


def test_session_verdicts_and_words_agree(judged: Any) -> None:
    assert judged.session.verdict_of(judged.session.entry.path) is Verdict.REJECT
