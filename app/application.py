"""The application: theme, translations, the hook for what nobody caught, and the one window."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from PySide6.QtCore import QLibraryInfo, QLocale, Qt, QTimer, QTranslator
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from app.constants_held import hold_constants
from app.failures import Failures
from app.jobs import Jobs
from app.main_window import MainWindow
from app.session import Session
from app.settings import SettingsFile
from app.theme import ThemeController
from core.store.history import History
from core.store.library import Library

_log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window, with the scans, folders or models named in ``argv``, and run until it is closed."""
    multiprocessing.freeze_support()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    arguments = list(sys.argv[1:] if argv is None else argv)
    application = make_application()
    failures = Failures()
    failures.install()
    settings_file = SettingsFile()
    window = make_window(failures, settings_file, Library())
    signal.signal(signal.SIGINT, lambda *_: window.close())
    ticker = QTimer()  # lets Python see the signal while Qt waits for events
    ticker.start(500)
    ticker.timeout.connect(lambda: None)
    window.show()
    start(window, [Path(a) for a in arguments])
    status = application.exec()
    if not window.session.ended:
        # The worker sits in a step that cannot be interrupted. Everything is saved; leaving at once is the clean end.
        logging.shutdown()
        os._exit(status)
    return status


def make_application() -> QApplication:
    """The one QApplication, named, styled and translated."""
    hold_constants()
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    application = QApplication(sys.argv[:1] or ["nominal"])
    application.setApplicationName("nominal")
    application.setApplicationDisplayName("Nominal")
    application.setDesktopFileName("nominal")
    application.setStyle("Fusion")  # the one style that takes a palette whole on every system
    translate(application, QLocale())
    return application


def translate(application: QApplication, locale: QLocale) -> None:
    """Load Qt's and Nominal's texts for a locale, where there are any."""
    folder = resources.files("resources") / "translations"
    places = (("qtbase", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)), ("nominal", str(folder)))
    for name, place in places:
        translator = QTranslator(application)
        if translator.load(locale, name, "_", place):
            application.installTranslator(translator)


def make_window(failures: Failures, settings_file: SettingsFile, library: Library) -> MainWindow:
    """The window and what it stands on."""
    settings = settings_file.load()
    theme = ThemeController(settings.theme)
    theme.apply()
    session = Session(Jobs(), library, History(library.root / "history.sqlite"), settings, failures)
    window = MainWindow(session, theme, settings_file)
    theme.setParent(window)
    return window


def start(window: MainWindow, paths: Sequence[Path] = ()) -> None:
    """What happens once the window is on the screen: the device is found, and something to look at is opened."""
    session = window.session
    session.workshop.prepare()
    session.failures.guarded(session.catalog.refresh)()
    if paths:
        session.failures.guarded(window.open_paths)(paths)
    elif not session.catalog.categories:
        session.workshop.open_demo()
    else:
        names = [c.name for c in session.catalog.categories]
        last = session.settings.last_category
        session.open_category(last if last in names else names[0])


if __name__ == "__main__":
    sys.exit(main())
