"""Where models come from: the methods and the device, the demo, a training, a file from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app import several_work, work
from app.jobs import Job

if TYPE_CHECKING:
    from app.session import Session
    from core.datasets.category import Category
    from core.several import Outcome


class Workshop(QObject):
    """Makes models in the worker and hands them to the session.

    Signals
    -------
    prepared
        ``methods`` and ``device_title`` are known, or could not be found out.
    trained(Trained)
        A model was trained; it is in the library and chosen.
    trained_several(tuple of Outcome)
        Several were; those that could be are in the library, and the best of them is chosen.
    demo_ready
        The demo is open.
    """

    prepared = Signal()
    trained = Signal(object)
    trained_several = Signal(object)
    demo_ready = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.methods: tuple[work.Method, ...] = ()
        self.device_title = ""

    def prepare(self) -> None:
        """Find the device and the methods: their imports take seconds."""
        device = self._session.settings.device

        def done(found: tuple[str, tuple[work.Method, ...]]) -> None:
            self.device_title, self.methods = found
            self.prepared.emit()

        def failed(error: Exception) -> None:
            self._session.settings.device = "auto"
            self.prepared.emit()
            raise error

        self._session.jobs.submit(
            Job(
                self.tr("Getting ready"),
                lambda _: (work.runtime(device).title, work.methods()),
                done=done,
                failed=failed,
                tag="prepare",
            )
        )

    def open_demo(self) -> None:
        """Make (where missing) and open the demo category."""
        session, device = self._session, self._session.settings.device

        def done(result: tuple[Category, Path]) -> None:
            category, model = result
            session.catalog.refresh()
            session.settings.last_model = str(model)
            session.take_category(category)
            session.choose_model(model)
            self.demo_ready.emit()

        session.jobs.submit(
            Job(
                self.tr("Preparing the demo"),
                lambda progress: work.demo(session.library, device, progress),
                done=done,
                tag="demo",
                replaces=True,
            )
        )

    def train(self, request: work.TrainRequest, *, validated: bool = False) -> Job:
        """Train a model; at the end it is in the library and chosen."""
        session, category, device = self._session, request.category, self._session.settings.device

        def done(trained: work.Trained) -> None:
            session.library.add_category(category.root, category.unit, category.name)
            session.catalog.refresh()
            session.models.put(trained.path, trained.model, session.model_path)
            if session.category is None or session.category.name != category.name:
                session.settings.last_model = str(trained.path)
                session.take_category(category)
            session.choose_model(trained.path)
            session.take_model(trained.path, trained.model)
            self.trained.emit(trained)

        return session.jobs.submit(
            Job(
                self.tr("Training {name}").format(name=category.name),
                lambda progress: several_work.train(request, session.library, device, validated, progress),
                done=done,
                tag="train",
            )
        )

    def train_several(self, request: work.TrainRequest, also: tuple[str, ...], *, validated: bool = True) -> Job:
        """Train the requested method and others on the same scans; models are in the library as they are ready."""
        session, category, device = self._session, request.category, self._session.settings.device

        def listed() -> None:
            session.library.add_category(category.root, category.unit, category.name)
            session.catalog.refresh()

        def done(outcomes: tuple[Outcome, ...]) -> None:
            from core.store.validation_score import best_of

            best = best_of([outcome.validation for outcome in outcomes])
            paths = [outcome.path for outcome in outcomes if outcome.path is not None]
            if paths:
                listed()
                chosen = outcomes[best[0]].path if best else paths[0]
                if session.category is None or session.category.name != category.name:
                    session.settings.last_model = str(chosen)
                    session.take_category(category)
                session.choose_model(chosen)
            self.trained_several.emit(outcomes)

        def cancelled() -> None:
            session.catalog.refresh()  # what was finished before stays

        return session.jobs.submit(
            Job(
                self.tr("Training {n} methods on {name}").format(n=1 + len(also), name=category.name),
                lambda progress: several_work.train_several(
                    request, also, session.library, device, validated, progress
                ),
                done=done,
                cancelled=cancelled,
                tag="train",
            )
        )

    def import_model(self, path: Path) -> None:
        """Take a model file into the library and choose it."""
        session = self._session

        def done(target: Path) -> None:
            session.remember(path)
            session.catalog.refresh()
            entry = session.catalog.model(target)
            if entry is not None and entry.card is not None:
                session.open_category(entry.card.category)
            session.choose_model(target)

        session.jobs.submit(
            Job(
                self.tr("Opening {name}").format(name=path.name),
                lambda _: work.import_model(path, session.library),
                done=done,
            )
        )
