"""Combining models in the window, as a person does it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PySide6.QtCore import Qt

from app import several_work, work
from app.dialogs.combine import CombineDialog
from app.kept import Document
from core.inspection.defects import DefectFinder
from core.progress import Progress
from core.scores import Scores
from core.workflow import Judged


def train(session, gain: float):
    request = work.TrainRequest(session.category, "stub", "fast", {"gain": gain}, name=f"plate gain {gain:g}")
    made = several_work.train(request, session.library, "cpu", False, Progress())
    session.catalog.refresh()
    return made


@pytest.fixture
def several(trained):
    """A session with three models of the plates."""
    train(trained, 2.0)
    train(trained, 4.0)
    return trained


@pytest.fixture
def dialog(qtbot, several, idle):
    made = CombineDialog(several, "plate")
    made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(made)
    made.show()
    idle(several)
    qtbot.waitUntil(lambda: not made.models.topLevelItem(0).isDisabled())
    return made


def test_what_is_combined_is_in_the_library_and_judges(qtbot, several, dialog, idle):
    assert len(dialog.chosen) == 1  # the newest of the one method
    assert not dialog.combine.isEnabled()
    for i in range(2):
        dialog.models.topLevelItem(i).setCheckState(0, Qt.CheckState.Checked)
    assert "24 good parts are known to all 2" in dialog.said.text()
    with qtbot.waitSignal(dialog.accepted, timeout=20_000):
        dialog.combine.click()
    assert several.model.card.name.startswith("plate Consensus of ")
    assert several.model.card.pipeline == "consensus"
    assert several.model_path.is_file()
    entry = next(e for e in several.category.split("test") if e.key == "bump/000")
    several.scans.open(entry)
    idle(several)
    several.inspect()
    idle(several)
    assert str(several.inspection.verdict) == "reject"
    assert {"who", "flags", "disagreement"} <= set(several.maps())
    assert several.maps()["who"].names[0] == "nobody"


def test_models_that_were_not_measured_are_measured_first(qtbot, several, dialog):
    from core import workflow
    from core.runtime import Runtime

    rows = [dialog.models.topLevelItem(i) for i in range(2)]
    for row in rows:
        row.setCheckState(0, Qt.CheckState.Checked)
    calm = workflow.load(dialog.chosen[0], Runtime.choose("cpu"))
    workflow.save(dataclasses.replace(calm, card=dataclasses.replace(calm.card, validation={})), dialog.chosen[0])
    several.catalog.refresh()
    dialog.weighing.setCurrentIndex(1)
    assert "this is done first" not in dialog.said.text()
    dialog.weighing.setCurrentIndex(0)
    assert "Not all were measured on the same validation parts: this is done first" in dialog.said.text()
    said: list[str] = []
    several.message.connect(said.append)
    with qtbot.waitSignal(dialog.accepted, timeout=60_000):
        dialog.combine.click()
    assert any("They count by how well they tell defects of validation parts" in text for text in said)
    assert several.model.pipeline.member_weights == pytest.approx([0.5, 0.5], abs=0.01)
    assert several.catalog.model(dialog.chosen[0]).card.validation["points"] > 0, "its file keeps what was measured"


def test_a_consensus_is_not_combined_again(several, idle):
    from app import combine_work

    paths = [e.path for e in combine_work.candidates(several.catalog.models("plate"))]
    made = combine_work.combine(paths, "harmonic", "equal", None, several.library, "cpu", Progress())
    several.catalog.refresh()
    assert made.card.preset == "harmonic"
    assert [e.path for e in combine_work.candidates(several.catalog.models("plate"))] == paths


def test_models_from_before_are_offered_for_training_again(qtbot, several, idle):
    from core import workflow

    old = train(several, 8.0)
    calibration = dataclasses.replace(old.model.calibration, held_out=None)
    workflow.save(dataclasses.replace(old.model, calibration=calibration), old.path)
    made = CombineDialog(several, "plate")
    made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(made)
    made.show()
    idle(several)
    rows = [made.models.topLevelItem(i) for i in range(made.models.topLevelItemCount())]
    before = {row.data(0, Qt.ItemDataRole.UserRole) == old.path: row for row in rows}
    qtbot.waitUntil(lambda: not before[False].isDisabled())
    assert before[True].isDisabled()
    assert before[True].text(2) == "none: train again"


def test_closing_gives_up_what_is_being_made(qtbot, several, dialog, stub, idle):
    for i in range(3):
        dialog.models.topLevelItem(i).setCheckState(0, Qt.CheckState.Checked)
    before = len(several.catalog.models("plate"))
    dialog.combine.click()
    dialog.reject()
    idle(several)
    several.catalog.refresh()
    assert len(several.catalog.models("plate")) <= before + 1


def test_the_menu_offers_it_where_there_are_two_models(trained, make_window):
    window = make_window(trained)
    assert not window.actions_by_id["combine"].isEnabled()
    train(trained, 2.0)
    window._refresh_actions()
    assert window.actions_by_id["combine"].isEnabled()
    window.actions_by_id["combine"].trigger()
    assert window.dialog(CombineDialog) is not None


def test_a_left_out_member_is_told_beside_the_verdict(trained, make_window):
    window = make_window(trained)
    scan = trained.scan
    scores = Scores(np.zeros(len(scan), np.float32), 0.0, notes=("SCA could not judge this scan.",))
    judged = Judged(scan, scores, DefectFinder(scan, scores), "consensus", 0.1)
    trained.put_document(Document(trained.entry, scan, trained.model_path, judged))
    assert "⚠ SCA could not judge this scan." in window.inspect_panel.warnings.text()
