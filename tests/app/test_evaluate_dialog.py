"""The Evaluate dialog driven as a person would: choose, run, drag the threshold, open parts, save the report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from app import evaluation_work, several_work, work
from app.dialogs.evaluate import EvaluateDialog
from app.dialogs.evaluate_report import REPORT
from app.dialogs.question import Question
from app.panels.library import MODEL
from app.quantities import number
from app.theme import DARK
from core.errors import ScanError
from core.inspection.verdict import Verdict
from core.progress import Progress

Idle = Callable[[Any], None]
CHOICE, RUNNING, RESULTS = range(3)


@pytest.fixture
def window(trained: Any, make_window: Callable[..., Any], idle: Idle) -> Any:
    made = make_window(trained)
    idle(trained)
    return made


@pytest.fixture
def dialog(window: Any, qtbot: QtBot, idle: Idle) -> Any:
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(window, Qt.Key.Key_E, keys)
    found = window.dialog(EvaluateDialog)
    with qtbot.waitActive(found):
        pass
    idle(window.session)
    return found


@pytest.fixture
def results(dialog: Any, qtbot: QtBot, idle: Idle) -> Any:
    """The plates, evaluated: 3 good ones and 4 bumped ones, whose scores lie far apart."""
    qtbot.mouseClick(dialog.start, Qt.MouseButton.LeftButton)
    idle(dialog._session)
    assert dialog.pages.currentIndex() == RESULTS, dialog.problem.text()
    return dialog.results


def tabs(results: Any) -> list[str]:
    return [results.tabs.tabText(i) for i in range(results.tabs.count())]


def folder_of(session: Any, root: Path, idle: Idle, dialog: Any) -> None:
    """Type another folder."""
    dialog.choice.folder.setEditText(str(root))
    dialog.choice._recognise()
    idle(session)


# -- choosing


def test_starts_with_the_sessions_model_and_its_own_folder(dialog: Any, parts: Path) -> None:
    choice = dialog.choice
    assert choice.entry.path == dialog._session.model_path
    assert Path(choice.folder.currentText()) == parts
    assert choice.split.currentData() == "test"
    assert choice.found.text() == "3 good and 4 defective parts: 4 bump."
    assert dialog.start.isEnabled()
    everything = [type(w).__name__ for w in dialog.findChildren(QWidget) if _nameless(w, dialog)]
    assert everything == []


def _nameless(widget: QWidget, dialog: Any) -> bool:
    return (
        bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
        and widget.isVisibleTo(dialog)
        and not widget.objectName().startswith("qt_")
        and not (widget.accessibleName() or getattr(widget, "text", lambda: "")())
        and type(widget).__name__ not in ("QScrollArea", "QHeaderView", "QLineEdit", "QComboBoxListView")
    )


def test_the_librarys_menu_of_a_model_leads_here(window: Any, idle: Idle, parts: Path) -> None:
    session, library = window.session, window.library
    other = several_work.train(
        work.TrainRequest(session.category, "stub", "paper", name="Other"), session.library, "cpu", False, Progress()
    )
    session.catalog.refresh()
    item = next(i for i in library._items() if i.data(library_kind()) == MODEL and i.text().startswith("Other"))
    menu = library.menu_for(library.filtered.mapFromSource(library.model.indexFromItem(item)))
    next(action for action in menu.actions() if action.text().startswith("Evaluate")).trigger()
    idle(session)
    dialog = window.dialog(EvaluateDialog)
    assert dialog.choice.entry.path == other.path
    assert Path(dialog.choice.folder.currentText()) == parts
    window.do_evaluate()
    assert window.dialog(EvaluateDialog) is dialog, "one is enough"


def library_kind() -> int:
    from app.panels.library import KIND

    return KIND


def test_without_a_model_it_says_what_to_do(session: Any, make_window: Callable[..., Any], idle: Idle) -> None:
    window = make_window(session)
    window.do_evaluate()
    dialog = window.dialog(EvaluateDialog)
    assert not dialog.start.isEnabled()
    assert "no model yet" in dialog.choice.found.text()


def test_what_a_folder_lacks_is_said_before_the_work(dialog: Any, parts: Path, tmp_path: Path, idle: Idle) -> None:
    session, choice = dialog._session, dialog.choice
    root = tmp_path / "plate"
    shutil.copytree(parts / "train", root / "train")
    folder_of(session, root, idle, dialog)
    assert "no test scans" in choice.found.text()
    assert not dialog.start.isEnabled()
    choice.split.setCurrentIndex(2)
    assert "only false rejects" in choice.found.text()
    assert dialog.start.isEnabled()
    choice.split.setCurrentIndex(0)
    shutil.copytree(parts / "test" / "bump", root / "test" / "bump")
    folder_of(session, root, idle, dialog)
    assert "no good ones" in choice.found.text()
    assert not dialog.start.isEnabled()
    folder_of(session, tmp_path / "nowhere", idle, dialog)
    assert "not there" in choice.found.text()
    assert not dialog.start.isEnabled()
    folder_of(session, parts, idle, dialog)
    assert dialog.start.isEnabled()


def test_no_mode_is_offered_where_the_method_has_one_alone(dialog: Any) -> None:
    assert dialog.choice.alone.isHidden()
    assert not dialog.choice.request.reduced


def test_scans_without_the_image_can_be_evaluated_by_shape_alone(lacking: ModuleType, dialog: Any, idle: Idle) -> None:
    session, choice = dialog._session, dialog.choice
    assert choice.alone.isVisibleTo(dialog)
    assert "Some of these scans have no RGB image" in choice.why_alone.text()
    assert not choice.alone.isChecked(), "in full unless asked for"
    choice.split.setCurrentIndex(2)
    idle(session)
    assert choice.alone.isHidden(), "the training scans have it"
    choice.split.setCurrentIndex(0)
    idle(session)
    choice.alone.click()
    dialog.start.click()
    idle(session)
    results, model = dialog.results, session.models.find(session.model_path)
    assert dialog.pages.currentIndex() == RESULTS, dialog.problem.text()
    assert "judged by shape alone" in results.summary.text()
    assert results.evaluated.calibrated == model.reduced.thresholds() == results.thresholds
    assert not results.evaluated.evaluation.failures
    dialog._use(results.thresholds.replaced(part=123.0))
    assert session.threshold_control.in_mode(model, session.model_path, "no RGB image").part == 123.0
    assert session.threshold_control.in_mode(model, session.model_path, "") == model.calibration.thresholds()
    assert "by shape alone" in dialog.said.text()


# -- running


def test_progress_cancel_and_going_on_in_the_background(
    dialog: Any, window: Any, stub: ModuleType, qtbot: QtBot, idle: Idle
) -> None:
    stub.HOLD.clear()
    stub.RUNNING.clear()
    dialog.start.click()
    qtbot.waitUntil(stub.RUNNING.is_set, timeout=10_000)
    qtbot.waitUntil(lambda: "1 of 7" in dialog.what.text(), timeout=10_000)
    assert dialog.pages.currentIndex() == RUNNING
    assert "judges 7 parts of plate" in dialog.running_title.text()
    dialog.close()
    assert not dialog.isVisible()
    window.do_evaluate()
    assert window.dialog(EvaluateDialog) is dialog
    assert dialog.isVisible(), "a running evaluation was only hidden"
    dialog.stop.click()
    assert "Stopping" in dialog.what.text()
    idle(dialog._session)
    assert dialog.pages.currentIndex() == CHOICE
    stub.HOLD.set()
    assert dialog.start.isEnabled()


def test_it_says_what_it_waits_for(dialog: Any, stub: ModuleType, qtbot: QtBot, idle: Idle) -> None:
    session = dialog._session
    stub.HOLD.clear()
    stub.RUNNING.clear()
    session.inspect()
    qtbot.waitUntil(stub.RUNNING.is_set, timeout=10_000)
    dialog.start.click()
    assert "Waits until this has ended: Inspecting" in dialog.what.text()
    stub.HOLD.set()
    idle(session)
    assert dialog.pages.currentIndex() == RESULTS


def test_a_scan_that_cannot_be_judged_is_listed_with_its_reason(
    dialog: Any, stub: ModuleType, qtbot: QtBot, idle: Idle
) -> None:
    stub.FAIL.append(ScanError("It is bent", "Straighten it"))
    dialog.start.click()
    idle(dialog._session)
    results = dialog.results
    assert "Not judged (1)" in tabs(results)
    row = results.failures.topLevelItem(0)
    assert "It is bent" in row.text(2)
    assert any("1 scan of 7 could not be judged" in text for text in results.metrics.texts())


def test_when_nothing_can_be_judged_the_choice_says_so(
    dialog: Any, stub: ModuleType, monkeypatch: pytest.MonkeyPatch, idle: Idle
) -> None:
    def bent(*_: object) -> None:
        raise ScanError("It is bent", "Straighten it")

    monkeypatch.setattr(stub.StubPipeline, "score", bent)
    dialog.start.click()
    idle(dialog._session)
    assert dialog.pages.currentIndex() == CHOICE
    assert "None of the 7 scans could be judged" in dialog.problem.text()
    assert dialog.problem.isVisibleTo(dialog)


# -- the results


def test_figures_come_with_intervals_and_sentences(results: Any) -> None:
    texts = results.metrics.texts()
    assert texts[texts.index("O-AUROC") + 1] == "1.000"
    assert any("scores higher in 100 % of all pairs" in text for text in texts)
    assert any("costs 0" in text for text in texts)
    assert tabs(results) == ["Figures", "Kinds of defect", "Curves", "Worst misses", "False alarms"]
    assert "3 good and 4 defective parts" in results.summary.text()
    assert results.kinds.texts()[0][:2] == ("bump", "4")
    assert results.kinds.headerItem().text(0) == "Defect"
    assert len(results.roc.lines) == 1
    assert not results.overlap.isVisibleTo(results), "no ground truth of points, no overlap"


def test_dragging_the_line_moves_everything_and_computes_nothing(
    results: Any, dialog: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(dialog._session.jobs, "submit", asked.append)
    good = results._good
    plot = results.histogram
    start = plot.line_position().toPoint()
    qtbot.mousePress(plot.viewport(), Qt.MouseButton.LeftButton, pos=start)
    for x in range(start.x(), plot.width() - 3, 6):
        qtbot.mouseMove(plot.viewport(), QPoint(x, start.y()))
    qtbot.mouseRelease(plot.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(plot.width() - 3, start.y()))
    assert results.thresholds.part > good.max()
    results.change(part=float(results._bad.max()) * 2, guard=0.0)
    assert results.verdicts.count(True, Verdict.ACCEPT) == 4
    assert "4 of 4 defective parts accepted: 40 to 100 %" in results.effect.text()
    assert results.kinds.texts()[0][2] == "4"
    assert "ACCEPT" in results.misses.item(0).text()
    results.part.setValue(float(good.min()) / 2)
    assert results.verdicts.count(False, Verdict.REJECT) == 3
    assert results.roc.dot.getData()[0].tolist() == [1.0]
    assert results.use.isEnabled()
    results.reset.click()
    assert results.thresholds == results.evaluated.calibrated
    assert not results.use.isEnabled()
    assert asked == []


def test_the_worst_parts_are_pictures_that_open_in_the_view(
    results: Any, dialog: Any, window: Any, qtbot: QtBot, idle: Idle
) -> None:
    evaluation, session = results.evaluated.evaluation, window.session
    worst = evaluation.misses()[0].key
    assert results.misses.count() == 4
    assert results.alarms.count() == 3
    item = results.misses.item(0)
    assert item.text().startswith(worst)
    assert not item.icon().isNull()
    assert session.entry.key != worst or session.judged is None
    results.tabs.setCurrentIndex(3)
    qtbot.wait(20)
    place = results.misses.visualItemRect(item).center()
    qtbot.mouseClick(results.misses.viewport(), Qt.MouseButton.LeftButton, pos=place)
    idle(session)
    qtbot.waitUntil(lambda: session.judged is not None and not session.jobs.busy, timeout=20_000)
    assert session.entry.key == worst
    assert session.judged.scores.object == pytest.approx(evaluation.misses()[0].score)
    results.alarms.setCurrentRow(1)
    qtbot.keyClick(results.alarms, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: session.entry.key == evaluation.false_alarms()[1].key, timeout=20_000)
    qtbot.waitUntil(lambda: session.judged is not None and not session.jobs.busy, timeout=20_000)


def test_parts_of_a_folder_that_the_library_does_not_hold_open_too(
    dialog: Any, window: Any, parts: Path, tmp_path: Path, qtbot: QtBot, idle: Idle
) -> None:
    shutil.copytree(parts, tmp_path / "elsewhere")
    session = window.session
    folder_of(session, tmp_path / "elsewhere", idle, dialog)
    assert "trained on plate" in dialog.choice.notes.text()
    dialog.run()
    idle(session)
    results = dialog.results
    results.misses.opened.emit(results.evaluated.evaluation.misses()[0].key)
    idle(session)
    qtbot.waitUntil(lambda: session.judged is not None and not session.jobs.busy, timeout=20_000)
    assert session.entry.path.is_relative_to(tmp_path / "elsewhere")
    assert session.settings.evaluated[0] == str(tmp_path / "elsewhere")


def test_use_this_threshold_is_the_windows_and_can_be_undone(results: Any, dialog: Any, window: Any) -> None:
    session = window.session
    before = session.thresholds
    results.change(part=before.part * 1.5)
    results.use.click()
    assert session.thresholds.part == pytest.approx(before.part * 1.5)
    assert session.thresholds.point == before.point
    assert number(before.part * 1.5) in dialog.said.text()
    assert not results.use.isEnabled()
    window.do_undo()
    assert session.thresholds == before
    assert results.use.isEnabled()
    assert number(before.part) in results.in_force.text()


def test_the_report_is_written_at_the_present_threshold(
    results: Any, dialog: Any, tmp_path: Path, idle: Idle, monkeypatch: pytest.MonkeyPatch
) -> None:
    results.change(part=float(results._bad.max()) * 2, guard=0.0)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "report"))
    dialog.save.click()
    idle(dialog._session)
    assert {path.name for path in (tmp_path / "report").iterdir()} == set(REPORT)
    record = json.loads((tmp_path / "report" / "evaluation.json").read_text("utf-8"))
    assert record["confusion"]["defective"]["accept"] == 4
    assert {part["verdict"] for part in record["parts"]} == {"accept"}
    opened: list[Any] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    dialog.show_report.click()
    assert Path(opened[0].toLocalFile()) == tmp_path / "report" / "evaluation.html"
    dialog.save.click()
    question = next(q for q in dialog.findChildren(Question) if q.isVisible())
    assert "evaluation.html" in question.facts["Files"]
    (tmp_path / "report" / "parts.csv").write_text("old")
    question.yes.click()
    idle(dialog._session)
    assert "bump/000" in (tmp_path / "report" / "parts.csv").read_text("utf-8")
    (tmp_path / "file").write_text("in the way")
    dialog.save_to(tmp_path / "file" / "below")
    idle(dialog._session)
    assert "could not be written" in dialog.said.text()


def test_good_parts_alone_give_false_rejects(dialog: Any, monkeypatch: pytest.MonkeyPatch, idle: Idle) -> None:
    monkeypatch.setattr(evaluation_work, "PICTURES", 5)
    dialog.choice.split.setCurrentIndex(2)
    dialog.start.click()
    idle(dialog._session)
    results = dialog.results
    assert tabs(results) == ["Figures", "Highest scores"]
    assert any("only false rejects" in text for text in results.metrics.texts())
    results.change(part=0.0, guard=0.0)
    assert results.effect.text().startswith("24 of 24 good parts rejected by mistake: 86 to 100 %")
    assert results.alarms.count() == 5, "the memory for pictures is bounded"


def test_it_fits_a_small_screen_and_follows_the_theme(results: Any, dialog: Any, window: Any, qtbot: QtBot) -> None:
    dialog.resize(900, 600)
    qtbot.wait(1)
    assert (dialog.width(), dialog.height()) == (900, 600)
    window.theme.choose("dark")
    assert results.histogram.backgroundBrush().color().name() == DARK.base
    assert len(results.misses.item(0).text().splitlines()) == 2
    window.theme.choose("light")


def test_scores_over_decades_are_dragged_on_a_logarithmic_axis(qtbot: QtBot) -> None:
    from app.dialogs.evaluate_plots import PartsHistogram

    plot = PartsHistogram()
    qtbot.addWidget(plot)
    plot.set_parts(np.array([0.1, 0.2, 0.3]), np.array([5.0, 100.0, np.inf]), 0.4)
    plot.set_threshold(0.4)
    plot.set_band(0.4, 0.5)
    assert plot.line.value() == pytest.approx(np.log10(0.4))
    moved: list[float] = []
    plot.moved.connect(moved.append)
    plot.line.setValue(1.0)
    plot.line.sigDragged.emit(plot.line)
    assert moved == [pytest.approx(10.0)]
    plot.set_parts(np.zeros(0), np.array([1.0, 2.0]), 1.5)
    plot.set_threshold(1.5)
    assert plot.line.value() == pytest.approx(1.5)


def test_a_closed_dialog_follows_nothing(results: Any, dialog: Any, window: Any, qtbot: QtBot, idle: Idle) -> None:
    session, path = window.session, results.evaluated.request.model
    failures: list[BaseException] = []
    session.failures.happened.connect(failures.append)
    dialog.choice._recognise()  # its answer comes when nobody waits for it any more
    dialog.close()
    qtbot.waitUntil(lambda: window.dialog(EvaluateDialog) is None)
    qtbot.wait(5)
    session.catalog.refresh()
    session.threshold_control.change(part=session.thresholds.part * 2)
    session.choose_model(None)
    session.choose_model(path)
    idle(session)
    qtbot.wait(5)
    assert failures == []
