"""The pictures of docs/: the real window on the demo category, a reject, a training, the weights, an evaluation.

Run under a display, real or virtual, of at least 1600 x 1000:
``xvfb-run -a -s "-screen 0 1600x1000x24" python -m benchmarks.screenshots [folder]``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEventLoop, Qt
from PySide6.QtGui import QGuiApplication, QPainter
from PySide6.QtWidgets import QApplication, QWidget

from app.application import make_application, make_window, start
from app.dialogs.evaluate import EvaluateDialog
from app.dialogs.train import TrainDialog
from app.failures import Failures
from app.main_window import MainWindow
from app.settings import SettingsFile
from core.inspection.verdict import Verdict
from core.store.library import Library

SIZE = (1600, 1000)
PATIENCE = 900.0


def main(folder: Path) -> None:
    application = make_application()
    failures = Failures()
    failures.happened.connect(lambda error: sys.exit(f"failed: {error}"))
    with tempfile.TemporaryDirectory() as settings:
        window = make_window(failures, SettingsFile(Path(settings)), Library())
        window.setWindowFlag(Qt.WindowType.FramelessWindowHint)
        window.setGeometry(0, 0, *SIZE)
        window.show()
        start(window)
        _wait(application, lambda: bool(window.session.workshop.methods))
        window.session.workshop.open_demo()
        _ready(application, window)
        folder.mkdir(parents=True, exist_ok=True)

        _show(application, window, lambda kind: kind in ("", "good"), Verdict.ACCEPT)
        window.theme.choose("light")
        _save(application, window, folder / "window-light.png")
        window.guide.dismiss.click()
        _show(application, window, lambda kind: kind in ("hole", "break"), Verdict.REJECT)
        window.do_next_defect()
        _save(application, window, folder / "window-reject.png")
        _show(application, window, lambda kind: kind in ("bulge", "dent"), Verdict.REJECT)
        window.theme.choose("dark")
        window.do_next_defect()
        window._docks["maps"].raise_()
        _save(application, window, folder / "window-dark.png")

        window.theme.choose("light")
        window._docks["thresholds"].raise_()
        window.do_train()
        dialog = window.dialog(TrainDialog)
        assert isinstance(dialog, TrainDialog)
        _wait(application, lambda: dialog.form.category is not None)
        root = Path(dialog.form.folder.text())
        if root.is_relative_to(Path.home()):  # the picture is for everyone
            dialog.form.folder.setText(f"~/{root.relative_to(Path.home())}")
            _wait(application, lambda: dialog.form.category is not None)
        dialog.move((SIZE[0] - dialog.width()) // 2, 150)
        _save(application, window, folder / "train-choose.png", dialog)
        dialog.start.click()
        _wait(
            application,
            lambda: sum(len(c[0]) for c in dialog._curves.values()) >= 5 or dialog.pages.currentIndex() == 2,
        )
        _save(application, window, folder / "train-running.png", dialog)
        dialog.stop.click()
        _wait(application, lambda: not window.session.jobs.busy)
        dialog.close()
        weights = window.do_weights()
        weights.table.choose("wide_resnet50_2-imagenet1k_v1")  # one whose details hold no path of this computer
        _wait(application, lambda: not window.session.jobs.busy)
        weights.move((SIZE[0] - weights.width()) // 2, 150)
        _save(application, window, folder / "weights.png", weights)
        weights.close()
        window.do_evaluate()
        evaluate = window.dialog(EvaluateDialog)
        assert isinstance(evaluate, EvaluateDialog)
        _wait(application, lambda: evaluate.start.isEnabled() and not window.session.jobs.busy)
        evaluate.start.click()
        _wait(application, lambda: not window.session.jobs.busy)
        evaluate.results.tabs.setCurrentIndex(3)
        evaluate.move((SIZE[0] - evaluate.width()) // 2, 120)
        _save(application, window, folder / "evaluate.png", evaluate)
        evaluate.close()
        window.close()


def _show(application: QApplication, window: MainWindow, kind: Callable[[str], bool], verdict: Verdict) -> None:
    """Inspect test scans of a kind until one has the verdict."""
    session = window.session
    assert session.category is not None
    for entry in session.category.split("test"):
        if not kind(entry.defect):
            continue
        session.scans.open(entry)
        _ready(application, window)
        session.inspect()
        _wait(application, lambda: not session.jobs.busy)
        if session.inspection is not None and session.inspection.verdict is verdict:
            return


def _ready(application: QApplication, window: MainWindow) -> None:
    _wait(application, lambda: window.session.can_inspect and not window.session.jobs.busy)


def _wait(application: QApplication, done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > end:
            sys.exit("waited too long")
        application.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 50)
        time.sleep(0.005)


def _settle(application: QApplication, seconds: float = 3.0) -> None:
    end = time.monotonic() + seconds
    _wait(application, lambda: time.monotonic() > end)


def _save(application: QApplication, window: MainWindow, path: Path, above: QWidget | None = None) -> None:
    """The window as it is on the screen; ``above`` is laid over it where there is no window manager to do so."""
    _settle(application)
    picture = QGuiApplication.primaryScreen().grabWindow(window.winId())
    if above is not None:
        painter = QPainter(picture)
        painter.fillRect(above.geometry().adjusted(-1, -1, 1, 1), Qt.GlobalColor.darkGray)
        painter.drawPixmap(above.pos(), above.grab())
        painter.end()
    picture.save(str(path))
    print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs"))
