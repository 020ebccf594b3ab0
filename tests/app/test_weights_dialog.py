"""The Weights dialog driven as a person would: drops, keys, questions; and what training says of features."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QLabel, QWidget
from pytestqt.qtbot import QtBot
from torch import Tensor

from app import several_work, work
from app.dialogs.error import ErrorDialog
from app.dialogs.train import TrainDialog
from app.dialogs.weights import WeightsDialog
from app.dialogs.weights_details import facts
from core.backbones import weights as sets
from core.backbones.resnet import ResNet
from core.errors import ScanError, WeightsError
from core.pipelines.config import setting
from core.progress import Progress

Idle = Callable[[Any], None]
SMALL, WIDE = "resnet18-imagenet1k_v1", "wide_resnet50_2-imagenet1k_v1"


@pytest.fixture(autouse=True)
def weights_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's weights folder, with one small set that ships and a fixed order of preference."""
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "point_mae-nominal.safetensors").write_bytes(b"no matter")
    card = {
        "architecture": "point_mae",
        "data": {"families": ["pipe", "sheet"]},
        "probe": [{"task": "t", "score": 0.5}],
    }
    (shipped / "point_mae-nominal.json").write_text(json.dumps(card))
    monkeypatch.setenv("NOMINAL_WEIGHTS", str(tmp_path / "user"))
    monkeypatch.setattr(sets, "shipped_folder", lambda: shipped)
    preferences = {"rgb": (WIDE, SMALL, "oriented_energy"), "rendered": ("oriented_energy",)}
    monkeypatch.setattr("core.pipelines.features.IMAGE_PREFERENCES", preferences)
    monkeypatch.setattr("core.backbones.image_features.IMAGE_PREFERENCES", preferences)
    return tmp_path / "user"


@pytest.fixture(scope="module")
def tensors() -> Mapping[str, Tensor]:
    """ResNet-18's stem and first stage: the smallest file that is recognised as one."""
    generator = torch.Generator().manual_seed(3)
    return {
        name: torch.tensor(5) if tensor.ndim == 0 else 0.5 + 0.1 * torch.rand(tensor.shape, generator=generator)
        for name, tensor in ResNet("resnet18", stages=1).state_dict().items()
    }


@pytest.fixture
def trunk(tensors: Mapping[str, Tensor], tmp_path: Path) -> Path:
    """A checkpoint that is recognised by its tensors."""
    torch.save(dict(tensors), tmp_path / "trunk.pth")
    return tmp_path / "trunk.pth"


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """A checkpoint of no network that is used."""
    torch.save({"head.weight": torch.zeros(3)}, tmp_path / "wrong.pth")
    return tmp_path / "wrong.pth"


@pytest.fixture
def seeing(stub: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub method names image features."""

    @dataclass(frozen=True)
    class SeeingConfig(stub.StubConfig):  # type: ignore[name-defined,misc]
        image_features: str = setting("auto:rgb", "What it sees with", features="image")

    monkeypatch.setattr(stub.StubPipeline, "Config", SeeingConfig)


@pytest.fixture
def window(seeing: None, trained: Any, make_window: Callable[..., Any], idle: Idle) -> Any:
    trained.workshop.prepare()
    made = make_window(trained)
    idle(trained)
    return made


@pytest.fixture
def dialog(window: Any, qtbot: QtBot, idle: Idle) -> Any:
    qtbot.keyClick(window, Qt.Key.Key_W, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    found = window.dialog(WeightsDialog)
    with qtbot.waitActive(found):
        pass
    idle(window.session)
    return found


def urls(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def drop(target: Any, *paths: Path) -> None:
    """Drag files over a window and let them go."""
    data = urls(*paths)
    buttons, keys, action = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, Qt.DropAction.CopyAction
    entering = QDragEnterEvent(QPoint(20, 20), action, data, buttons, keys)
    target.dragEnterEvent(entering)
    assert entering.isAccepted()
    target.dropEvent(QDropEvent(QPointF(20, 20), action, data, buttons, keys))


def come(dialog: Any, qtbot: QtBot, idle: Idle) -> None:
    """Wait until what was dropped or chosen is dealt with."""
    qtbot.wait(1)
    idle(dialog._session)


# -- looking


def test_lists_every_set_below_its_network_with_state_size_licence_and_users(dialog: Any) -> None:
    table = dialog.table
    groups = [table.topLevelItem(i).text(0) for i in range(table.topLevelItemCount())]
    assert groups == [
        "Point-MAE, for points", "Wide-ResNet-50-2, for images", "ResNet-18, for images", "ViT-B/8, for images"
    ]  # fmt: skip
    assert table.row("point_mae-nominal")[1] == "Ships with Nominal"
    assert table.row(WIDE)[1:4] == ("Not here", "138 MB", "BSD-3-Clause")
    assert {table.row(w.name)[4] for w in sets.known_weights()} == {""}, "oriented energy needs no set"
    assert "Stub: Oriented energy" in dialog.in_use.text()
    assert table.current.name == "point_mae-nominal", "what is here is shown first"
    text = dialog.details.text()
    assert "Trained on: families: pipe, sheet" in text
    assert "Probe: t: score 0.5" in text
    assert hashlib.sha256(b"no matter").hexdigest() in text
    assert not dialog.remove_button.isEnabled()
    assert not dialog.download_button.isEnabled()


def test_the_keys_walk_over_sets_only_and_copy_the_address(dialog: Any, qtbot: QtBot) -> None:
    table = dialog.table
    qtbot.keyClick(table, Qt.Key.Key_Down)
    assert table.current.name == WIDE
    qtbot.keyClick(table, Qt.Key.Key_Up)
    assert table.current.name == "point_mae-nominal"
    qtbot.keyClick(table, Qt.Key.Key_Home)
    assert table.current.name == "point_mae-shapenet"
    qtbot.keyClick(table, Qt.Key.Key_Up)
    assert table.current.name == "point_mae-shapenet", "the network's name is not chosen"
    qtbot.keyClick(table, Qt.Key.Key_End)
    assert table.current.name == "vit_base_patch8-dino"
    qtbot.mouseClick(dialog.details.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == table.current.url


def test_everything_that_takes_the_keyboard_has_a_name(dialog: Any) -> None:
    nameless = [
        type(widget).__name__
        for widget in dialog.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and widget.isVisibleTo(dialog)
        and not widget.objectName().startswith("qt_")
        and not (widget.accessibleName() or getattr(widget, "text", lambda: "")())
        and type(widget).__name__ not in ("QScrollArea", "QHeaderView", "WeightsDetails")
    ]
    assert nameless == []


def test_f5_looks_again_and_a_failing_list_is_told(
    dialog: Any, weights_home: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights_home.mkdir()
    (weights_home / "mine.safetensors").write_bytes(b"x")
    (weights_home / "mine.json").write_text('{"architecture": "resnet18", "title": "Mine"}')
    qtbot.keyClick(dialog, Qt.Key.Key_F5)
    assert dialog.table.row("mine")[:2] == ("Mine", "Yours")

    def broken() -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(sets, "known_weights", broken)
    qtbot.keyClick(dialog, Qt.Key.Key_F5)
    assert dialog.pages.currentIndex() == 1
    assert "the disk is gone" in dialog.failed.text()


def test_shows_the_folder(dialog: Any, weights_home: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    qtbot.mouseClick(dialog.folder_button, Qt.MouseButton.LeftButton)
    assert [Path(url.toLocalFile()) for url in opened] == [weights_home]
    assert weights_home.is_dir()


def test_facts_of_any_card_read_as_lines() -> None:
    card = {
        "title": "T", "loss curve": [[1, 2.0]], "steps": 1200, "probe": [{"task": "a", "accuracy": 0.5312, "n": 3}, 7],
        "data": {"share": 0.25, "of": ["x", "y"]}, "odd": None,
    }  # fmt: skip
    assert facts(card) == [
        ("Trained on", ["share: 0.25", "of: x, y"]),
        ("Probe", ["a: accuracy 0.531, n 3", "7"]),
        ("Steps", ["1 200"]),
        ("Odd", ["None"]),
    ]


# -- importing and removing


def test_a_dropped_file_is_imported_chosen_and_removed_again(
    dialog: Any, trunk: Path, weights_home: Path, qtbot: QtBot, idle: Idle
) -> None:
    name = f"resnet18-{hashlib.sha256(trunk.read_bytes()).hexdigest()[:8]}"
    drop(dialog, trunk)
    come(dialog, qtbot, idle)
    assert dialog.table.current.name == name
    assert dialog.table.row(name)[1] == "Yours"
    assert "Here now" in dialog.said.text()
    assert "choose it among the settings" in dialog.said.text()
    idle(dialog._session)
    assert sets.find(name).sha256 in dialog.details.text()
    assert "Drop files here" in dialog.drop_hint.text()

    qtbot.keyClick(dialog.table, Qt.Key.Key_Delete)
    qtbot.mouseClick(dialog.question.no, Qt.MouseButton.LeftButton)
    assert sets.find(name).available, "asked, and answered no"
    qtbot.keyClick(dialog.table, Qt.Key.Key_Delete)
    qtbot.mouseClick(dialog.question.yes, Qt.MouseButton.LeftButton)
    assert dialog.table.row(name) == ()
    assert list(weights_home.glob("*.safetensors")) == []


def test_ctrl_o_asks_for_files_and_a_wrong_one_does_not_stop_the_others(
    dialog: Any, window: Any, trunk: Path, wrong: Path, qtbot: QtBot, idle: Idle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(wrong), str(trunk)], ""))
    qtbot.keyClick(dialog, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    assert "Importing wrong.pth, trunk.pth" in dialog.drop_hint.text()
    assert not dialog.import_button.isEnabled()
    assert not dialog.bar.isHidden()
    idle(window.session)
    assert dialog.table.current.architecture == "resnet18"
    assert dialog.said.text() == "Not imported: wrong.pth."
    assert dialog.said.property("role") == "problem"
    qtbot.waitUntil(lambda: window.dialog(ErrorDialog) is not None, timeout=30_000)
    error = window.dialog(ErrorDialog)
    assert "wrong.pth" in error.error.problem
    assert not hasattr(error, "weights"), "the dialog is in sight already"


def test_an_import_waits_for_running_work_and_can_be_stopped(
    dialog: Any, window: Any, stub: ModuleType, trunk: Path, weights_home: Path, qtbot: QtBot, idle: Idle
) -> None:
    stub.HOLD.clear()
    stub.RUNNING.clear()
    window.do_inspect()
    assert stub.RUNNING.wait(5)
    qtbot.waitUntil(lambda: window.session.jobs.current.title.startswith("Inspecting"), timeout=30_000)
    drop(dialog, trunk)
    qtbot.waitUntil(lambda: "waits until this has ended: Inspecting" in dialog.drop_hint.text(), timeout=30_000)
    qtbot.mouseClick(dialog.stop, Qt.MouseButton.LeftButton)
    stub.HOLD.set()
    idle(window.session)
    assert dialog.said.text() == "The import was stopped."
    assert not weights_home.exists()


def test_a_set_that_a_model_needs_is_missed_when_it_is_gone(
    dialog: Any, window: Any, stub: ModuleType, trunk: Path, qtbot: QtBot, idle: Idle, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = window.session
    drop(dialog, trunk)
    come(dialog, qtbot, idle)
    chosen = dialog.table.current
    monkeypatch.setattr(stub.StubPipeline, "weights", property(lambda _: {chosen.name: chosen.sha256}))
    request = work.TrainRequest(session.category, "stub", "fast", name="needy")
    made = several_work.train(request, session.library, "cpu", False, Progress())
    session.catalog.refresh()

    qtbot.mouseClick(dialog.remove_button, Qt.MouseButton.LeftButton)
    words = " ".join(w.text() for w in dialog.question.findChildren(QLabel))
    assert "These of your models need it and will not load without it: needy." in words
    qtbot.mouseClick(dialog.question.yes, Qt.MouseButton.LeftButton)
    dialog.close()
    session.choose_model(made.path)
    idle(session)
    qtbot.waitUntil(lambda: window.dialog(ErrorDialog) is not None, timeout=30_000)
    assert chosen.name in window.dialog(ErrorDialog).error.problem
    qtbot.mouseClick(window.dialog(ErrorDialog).weights, Qt.MouseButton.LeftButton)
    assert window.dialog(WeightsDialog).isVisible()


def test_weights_dropped_on_the_window_are_offered_for_import(
    window: Any, trunk: Path, qtbot: QtBot, idle: Idle
) -> None:
    drop(window, trunk)
    qtbot.waitUntil(lambda: window.dialog(WeightsDialog) is not None, timeout=30_000)
    dialog = window.dialog(WeightsDialog)
    assert dialog.question is not None
    assert sets.available_weights("resnet18") == ()
    qtbot.mouseClick(dialog.question.yes, Qt.MouseButton.LeftButton)
    idle(window.session)
    assert len(sets.available_weights("resnet18")) == 1


# -- downloading


@dataclass
class Server:
    """What the server gives, and when it goes on."""

    content: bytes
    url: str = ""
    go_on: threading.Event = field(default_factory=threading.Event)
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def server(trunk: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Gives the checkpoint as torchvision's ResNet-18; after its first half it waits."""
    given = Server(trunk.read_bytes())
    half = len(given.content) // 2

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            given.asked.append(asked)
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(given.content) - start))
            self.end_headers()
            try:
                self.wfile.write(given.content[start : max(start, half)])
                self.wfile.flush()
                given.go_on.wait(20)
                self.wfile.write(given.content[max(start, half) :])
            except OSError:
                pass  # the other side hung up

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    given.url = f"http://127.0.0.1:{running.server_port}/resnet18-f37072fd.pth"
    publish(monkeypatch, trunk, given.url)
    yield given
    given.go_on.set()
    running.shutdown()
    running.server_close()
    thread.join()


def publish(monkeypatch: pytest.MonkeyPatch, trunk: Path, url: str) -> None:
    """Let the table's ResNet-18 be that file at that address."""
    digest, size = hashlib.sha256(trunk.read_bytes()).hexdigest(), trunk.stat().st_size
    changed = [
        replace(w, url=url, published_sha256=digest, published_size=size) if w.name == SMALL else w for w in sets._KNOWN
    ]
    monkeypatch.setattr(sets, "_KNOWN", tuple(changed))


def test_download_asks_shows_progress_and_the_set_is_used(
    dialog: Any, server: Server, window: Any, qtbot: QtBot, idle: Idle
) -> None:
    qtbot.keyClick(dialog, Qt.Key.Key_F5)
    dialog.table.choose(SMALL)
    qtbot.keyClick(dialog.table, Qt.Key.Key_Return)
    facts_of = dialog.question.facts
    assert facts_of["Address"] == server.url
    assert "research" in facts_of["Who may use it"]
    assert facts_of["Licence"] == "BSD-3-Clause"
    qtbot.mouseClick(dialog.question.no, Qt.MouseButton.LeftButton)
    assert server.asked == [], "no without a yes"
    qtbot.mouseClick(dialog.download_button, Qt.MouseButton.LeftButton)
    server.go_on.set()
    qtbot.mouseClick(dialog.question.yes, Qt.MouseButton.LeftButton)
    assert not dialog.download_button.isEnabled()
    idle(window.session)
    assert dialog.table.row(SMALL)[1] == "Yours"
    assert dialog.table.row(SMALL)[4] == "Stub"
    assert "From now on Stub takes it" in dialog.said.text()


def test_a_download_that_is_stopped_goes_on_the_next_time(
    dialog: Any, server: Server, window: Any, qtbot: QtBot, idle: Idle, weights_home: Path
) -> None:
    qtbot.keyClick(dialog, Qt.Key.Key_F5)
    dialog.table.choose(SMALL)
    dialog.download_action.trigger()
    qtbot.mouseClick(dialog.question.yes, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(server.asked) == 1, timeout=30_000)
    qtbot.waitUntil(lambda: "MB" in dialog.drop_hint.text(), timeout=30_000)
    qtbot.mouseClick(dialog.stop, Qt.MouseButton.LeftButton)
    assert "Stopping" in dialog.drop_hint.text()
    assert not dialog.stop.isEnabled()
    server.go_on.set()
    idle(window.session)
    if dialog.table.row(SMALL)[1] == "Yours":  # the rest came in one piece before it was asked to stop
        return
    assert "goes on from it" in dialog.said.text()
    dialog.download_action.trigger()
    qtbot.mouseClick(dialog.question.yes, Qt.MouseButton.LeftButton)
    idle(window.session)
    assert dialog.table.row(SMALL)[1] == "Yours"
    assert server.asked[-1] is not None, "only the rest was asked for"


def test_without_a_network_the_error_says_where_to_put_the_file(
    dialog: Any, window: Any, trunk: Path, qtbot: QtBot, idle: Idle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    publish(monkeypatch, trunk, "http://127.0.0.1:9/resnet18-f37072fd.pth")
    qtbot.keyClick(dialog, Qt.Key.Key_F5)
    dialog.table.choose(SMALL)
    dialog.download_action.trigger()
    dialog.question.accept()
    idle(window.session)
    qtbot.waitUntil(lambda: window.dialog(ErrorDialog) is not None, timeout=30_000)
    error = window.dialog(ErrorDialog).error
    assert "could not be reached" in error.problem
    assert "http://127.0.0.1:9/resnet18-f37072fd.pth" in error.remedy
    assert "import" in error.remedy
    assert dialog.download_button.isEnabled()


def test_a_closed_dialog_follows_nothing(dialog: Any, window: Any, idle: Idle) -> None:
    idle(window.session)
    followed = window.session.jobs.receivers("2changed()")
    dialog.close()
    assert window.session.jobs.receivers("2changed()") == followed - 1


# -- what training says of features


def test_the_train_line_follows_an_import(
    window: Any, trunk: Path, qtbot: QtBot, idle: Idle, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, trunk, "")
    window.do_train()
    train = window.dialog(TrainDialog)
    qtbot.waitUntil(lambda: train.form.category is not None, timeout=30_000)
    assert train.features.used.text() == "Oriented energy"
    assert "Wide-ResNet-50-2" in train.features.better.text()
    assert "no photograph" in train.features.better.text()
    qtbot.mouseClick(train.features.weights, Qt.MouseButton.LeftButton)
    dialog = window.dialog(WeightsDialog)
    assert dialog.isVisible()
    drop(dialog, trunk)
    come(dialog, qtbot, idle)
    assert "ResNet-18" in train.features.used.text()
    assert "Wide-ResNet-50-2" in train.features.better.text(), "still better"

    box = train.config.field("image_features")
    assert box.value == "auto:rgb"
    assert train.config.changes == {}
    names = [box.itemData(i) for i in range(box.count())]
    assert SMALL in names
    assert box.model().item(names.index(SMALL)).isEnabled()
    assert not box.model().item(names.index(WIDE)).isEnabled()
    box.choose("oriented_energy")
    assert train.config.changes == {"image_features": "oriented_energy"}
    assert train.features.used.text() == "Oriented energy"
    assert not train.features.better.isVisible()
    box.choose(WIDE)
    assert "not on this computer" in train.features.used.text()
    assert train.features.used.property("role") == "warning"
    train.close()


def test_a_method_without_a_backbone_says_so(
    trained: Any, make_window: Callable[..., Any], idle: Idle, qtbot: QtBot
) -> None:
    trained.workshop.prepare()
    window = make_window(trained)
    idle(trained)
    window.do_train()
    train = window.dialog(TrainDialog)
    qtbot.waitUntil(lambda: train.chosen_method is not None, timeout=30_000)
    assert "no backbone" in train.features.used.text()
    assert not train.features.weights.isVisible()
    train.close()


def test_refused_weights_lead_to_the_dialog(window: Any, qtbot: QtBot) -> None:
    window.session.failures.report(WeightsError("The weights of the model are others", "Import them"))
    qtbot.waitUntil(lambda: window.dialog(ErrorDialog) is not None, timeout=30_000)
    qtbot.mouseClick(window.dialog(ErrorDialog).weights, Qt.MouseButton.LeftButton)
    assert window.dialog(WeightsDialog).isVisible()
    assert window.dialog(ErrorDialog) is None
    window.session.failures.report(ScanError("The scan is empty", "Scan again"))
    qtbot.waitUntil(lambda: window.dialog(ErrorDialog) is not None, timeout=30_000)
    assert not hasattr(window.dialog(ErrorDialog), "weights")
