"""Several methods trained in one go, in the window and on the command line, and which of them is best."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from app import several_work, work
from app.cli import main
from app.dialogs.train import TrainDialog
from app.model_comparison import best_models
from core.errors import OutputError, ScanError
from core.pipelines import registry
from core.progress import CallbackProgress
from core.store.library import Library
from core.store.model_file import read_card

Idle = Callable[[Any], None]
DONE, ERROR = 0, 2


@pytest.fixture
def methods(stub: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three methods: the stub, one like it that is blind to heights, and one that cannot be fitted."""

    class Blind(stub.StubPipeline):  # type: ignore[name-defined,misc]
        title = "Blind"

        def score(self, scan: Any, progress: Any) -> Any:
            found = super().score(scan, progress)
            return type(found)(found.points, float(scan.points[0, 2]), found.maps)

    class Bent(stub.StubPipeline):  # type: ignore[name-defined,misc]
        title = "Bent"

        def fit(self, scans: Any, progress: Any) -> None:
            raise ScanError("It is bent", "Straighten it")

    monkeypatch.setattr(stub, "Blind", Blind, raising=False)
    monkeypatch.setattr(stub, "Bent", Bent, raising=False)
    name = stub.__name__
    monkeypatch.setattr(
        registry, "_PIPELINES", {"stub": f"{name}:StubPipeline", "blind": f"{name}:Blind", "bent": f"{name}:Bent"}
    )
    work.methods.cache_clear()


@pytest.fixture
def dialog(methods: None, trained: Any, make_window: Callable[..., Any], qtbot: QtBot, idle: Idle) -> Any:
    trained.workshop.prepare()
    window = make_window(trained)
    idle(trained)
    window.do_train()
    found = window.dialog(TrainDialog)
    qtbot.waitUntil(lambda: found.form.category is not None, timeout=30_000)
    idle(trained)
    return found


def test_the_dialog_trains_all_that_are_ticked_and_the_best_is_marked(dialog: Any, idle: Idle) -> None:
    session = dialog._session
    boxes = dialog.also._boxes
    assert [i for i, box in boxes.items() if box.isVisibleTo(dialog)] == ["blind", "bent"], "not the chosen one itself"
    for name in ("blind", "bent"):
        boxes[name].setChecked(True)
    assert "preset fast" in dialog.also.note.text()
    dialog.start.click()
    assert "3 methods learn plate from 24 good scans" in dialog.running_title.text()
    idle(session)
    assert dialog.pages.currentIndex() == 2
    assert "2 of 3 models are ready" in dialog.report_title.text()
    assert "copies of them with made defects" in dialog.report.text()
    seeing, blind, bent = dialog.several.texts()
    assert seeing[0] == "Stub: best"
    assert seeing[1].startswith("O-AUROC")
    assert blind[0] == "Blind"
    assert bent[:2] == ("Bent", "not trained")
    assert "Bent was not trained. It is bent" in dialog.verdict_note.text()
    models = session.catalog.models("plate")
    assert len(models) == 3
    best = best_models(models)
    assert best == {session.model_path}
    assert "made defects" in session.model.card.validation["basis"]
    assert session.catalog.model(session.model_path).card.pipeline == "stub"
    assert {name.partition(": ")[0] for name in dialog._curves} == {"blind"}, "the last method's curves alone"


def test_the_library_marks_the_best(dialog: Any, idle: Idle) -> None:
    session = dialog._session
    library = dialog.parent().library
    assert not any("best" in item.text() for item in library._items())
    dialog.also._boxes["blind"].setChecked(True)
    dialog.start.click()
    idle(session)
    marked = [item for item in library._items() if "best on validation" in item.text()]
    assert [item.text().split(" · ")[0] for item in marked] == ["★ Stub fast"]
    assert "O-AUROC" in marked[0].toolTip()
    assert "made defects" in marked[0].toolTip()


def test_cancelling_keeps_what_was_finished(dialog: Any, stub: ModuleType, qtbot: QtBot, idle: Idle) -> None:
    session = dialog._session
    before = len(session.catalog.models("plate"))
    dialog.also._boxes["blind"].setChecked(True)
    dialog.start.click()
    qtbot.waitUntil(lambda: "2 of 2, blind" in dialog.what.text() or dialog._job is None, timeout=20_000)
    stub.HOLD.clear()
    dialog.stop.click()
    idle(session)
    assert dialog.pages.currentIndex() in (0, 2)
    assert len(session.catalog.models("plate")) >= before + 1


def test_alone_a_model_is_measured_too_unless_not_wanted(dialog: Any, idle: Idle) -> None:
    session = dialog._session
    dialog.start.click()
    idle(session)
    assert "on validation" in dialog.report.text()
    assert session.model.card.validation["defective"] >= 12
    dialog.pages.setCurrentIndex(0)
    dialog.validated.setChecked(False)
    dialog.start.click()
    idle(session)
    assert session.model.card.validation == {}
    assert not dialog.several.isVisibleTo(dialog)


# -- the command line


def test_a_library_that_is_closed_is_told_before_the_training(stub: ModuleType, parts: Path, tmp_path: Path) -> None:
    library = Library(tmp_path)
    (tmp_path / "models").write_text("in the way")
    request = work.TrainRequest(work.recognise(parts, "mm", None), "stub", "fast")
    told: list[str] = []
    with pytest.raises(OutputError, match="could not be written"):
        several_work.train(request, library, "cpu", False, CallbackProgress(lambda share, what: told.append(what)))
    assert told == []


def test_the_verb_writes_a_file_for_each_and_tells_what_failed(
    methods: None, parts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "models"
    arguments = ["train", "--category", str(parts), "--out", str(out), "--name", "Line 3"]
    assert main([*arguments, "--pipeline", "all"]) == ERROR
    said = capsys.readouterr()
    assert sorted(path.name for path in out.iterdir()) == ["blind-fast.nominal", "stub-fast.nominal"]
    assert "bent could not be trained: It is bent" in said.err
    assert "Best on validation parts: stub." in said.out
    assert read_card(out / "stub-fast.nominal").name == "Line 3 Stub"
    assert main([*arguments, "--pipeline", "stub,blind", "--json"]) == DONE
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["pipeline"] for record in records] == ["stub", "blind"]
    assert records[0]["validation"]["value"] > records[1]["validation"]["value"]
    assert main([*arguments, "--pipeline", "stub,blind", "--json", "--no-validate"]) == DONE
    assert "validation" not in json.loads(capsys.readouterr().out.splitlines()[0])


def test_one_alone_is_a_file_and_its_failure_an_error(
    methods: None, parts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "one.nominal"
    assert main(["train", "--category", str(parts), "--out", str(out), "--pipeline", "stub", "--validate"]) == DONE
    assert read_card(out).validation["good"] > 0
    assert main(["train", "--category", str(parts), "--out", str(out), "--pipeline", "bent"]) == ERROR
    assert "Error: It is bent" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--pipeline", "stub,nothing"], "no pipeline 'nothing'"),
        (["--pipeline", ","], "names no method"),
        (["--pipeline", "stub,blind", "--set", "steps=3"], "a setting of one method"),
    ],
)
def test_mistakes_are_answered_before_anything_is_read(
    methods: None, parts: Path, tmp_path: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--category", str(parts), "--out", str(tmp_path / "x"), *arguments]) == ERROR
    assert says in capsys.readouterr().err
