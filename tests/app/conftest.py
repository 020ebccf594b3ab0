"""A small world for tests of the window: made plates, a method that takes no time, a view without graphics."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

_NAME = "nominal_stub_pipeline"


@pytest.fixture(scope="session", autouse=True)
def _constants() -> None:
    """As the program does when it starts."""
    from app.constants_held import hold_constants

    hold_constants()


class FakeViewer(QWidget):
    """Takes what the view is told, and keeps it."""

    picked = Signal(int)
    menu_wanted = Signal(QPoint)
    shown_points_changed = Signal(int, int)

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.setMinimumSize(200, 150)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def last(self, name: str) -> Any:
        """The arguments of the last call of that name; one argument stands alone."""
        arguments = next(a for n, a in reversed(self.calls) if n == name)
        return arguments[0] if len(arguments) == 1 else arguments

    def screenshot(self) -> QImage:
        image = QImage(8, 8, QImage.Format.Format_RGB32)
        image.fill(0)
        return image

    def __getattr__(self, name: str) -> Callable[..., None]:
        names = "fly_to look_at outline fit view shut"
        if name.startswith("set_") or name in names.split():
            return lambda *arguments: self.calls.append((name, arguments))
        raise AttributeError(name)


@pytest.fixture(scope="session")
def stub_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location(_NAME, Path(__file__).with_name("stub_pipeline.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def stub(stub_module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The stub method, in the registry in the place of the others."""
    from app import work
    from core.pipelines import registry

    monkeypatch.setattr(registry, "_PIPELINES", {"stub": f"{_NAME}:StubPipeline"})
    work.methods.cache_clear()
    stub_module.HOLD.set()
    stub_module.RUNNING.clear()
    stub_module.FAIL.clear()
    yield stub_module
    stub_module.HOLD.set()
    work.methods.cache_clear()


@pytest.fixture
def lacking(stub: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The stub as a method that saw images in training: bumped plates lack one."""
    cls = stub.StubPipeline

    def reduced(self: Any) -> Any:
        if getattr(self, "alone", False):
            return None
        other = cls(self.config, self.runtime)
        other.spread, other.alone = 2.0 * self.spread, True
        return other

    def lacks(self: Any, scan: Any) -> str | None:
        training = scan.name.startswith("0") or "good/" in scan.name
        return None if training or getattr(self, "alone", False) else "no RGB image"

    monkeypatch.setattr(cls, "reduced", reduced)
    monkeypatch.setattr(cls, "lacks", lacks)
    return stub


def plate(seed: int, bump: float = 0.0) -> np.ndarray:
    """A noisy plate of 2,500 points, 50 mm wide, with a bump of that height near its middle."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(50.0), np.arange(50.0))
    z = rng.normal(0, 0.02, x.shape) + bump * np.exp(-((x - 30) ** 2 + (y - 20) ** 2) / 8)
    return np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float32)


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A category: 24 good plates to train on, tests that are good or bumped."""
    from core.formats.ply_writer import write_ply

    root = tmp_path_factory.mktemp("parts") / "plate"
    for i in range(24):
        write_ply(root / "train" / "good" / f"{i:03}.ply", plate(i))
    for i in range(3):
        write_ply(root / "test" / "good" / f"{i:03}.ply", plate(100 + i))
        write_ply(root / "test" / "bump" / f"{i:03}.ply", plate(200 + i, bump=1.0))
    write_ply(root / "test" / "bump" / "003.ply", plate(203, bump=1.0))
    return root


@pytest.fixture
def session(qtbot: QtBot, stub: ModuleType, tmp_path: Path) -> Iterator[Any]:
    """A session on an empty library, its worker ended afterwards."""
    from app.failures import Failures
    from app.jobs import Jobs
    from app.session import Session
    from app.settings import Settings
    from core.store.history import History
    from core.store.library import Library

    library = Library(tmp_path / "library")
    made = Session(Jobs(), library, History(library.root / "history.sqlite"), Settings(device="cpu"), Failures())
    made.catalog.refresh()
    yield made
    made.close()
    assert made.ended


@pytest.fixture
def idle(qtbot: QtBot) -> Callable[[Any], None]:
    """Wait until a session's worker has nothing to do, and what it reported has reached the window."""

    def wait(session: Any) -> None:
        qtbot.waitUntil(lambda: not session.jobs.busy, timeout=60_000)
        QApplication.processEvents()  # failures are reported through the event queue

    return wait


@pytest.fixture
def trained(session: Any, parts: Path, idle: Callable[[Any], None]) -> Any:
    """A session with the plates open, a stub model trained and chosen, and a bumped plate shown."""
    from app import several_work, work
    from core.progress import Progress

    category = work.recognise(parts, "mm", None)
    made = several_work.train(work.TrainRequest(category, "stub", "fast"), session.library, "cpu", False, Progress())
    session.add_category(category)
    session.choose_model(made.path)
    idle(session)
    return session


@pytest.fixture
def broken(trained: Any) -> Iterator[Any]:
    """The entry of a scan whose file was damaged after its category was opened."""
    entry = next(e for e in trained.category.split("test") if e.key == "bump/003")
    sound = entry.path.read_bytes()
    entry.path.write_bytes(sound[: len(sound) // 2])
    yield entry
    entry.path.write_bytes(sound)


@pytest.fixture
def make_window(qtbot: QtBot, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes the main window on a session, with a view without graphics unless another is given."""
    from app.main_window import MainWindow
    from app.settings import SettingsFile
    from app.theme import ThemeController

    made: list[Any] = []

    def make(session: Any, viewer: Callable[[], QWidget] = FakeViewer) -> MainWindow:
        theme = ThemeController("light")
        theme.apply()
        window = MainWindow(session, theme, SettingsFile(tmp_path / "settings"), viewer)
        theme.setParent(window)
        made.append(window)
        window.resize(1400, 900)
        window.show()
        window.activateWindow()
        with qtbot.waitActive(window):
            pass
        return window

    yield make
    for window in made:
        window.close()
        window.deleteLater()
    qtbot.wait(1)
