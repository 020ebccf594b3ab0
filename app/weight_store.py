"""The backbone weights as the window sees them: which sets there are, who uses them, bringing sets here and away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app import work
from app.jobs import Job

if TYPE_CHECKING:
    from app.features_in_use import FeaturesInUse
    from app.session import Session
    from core.backbones.weights import WeightSet
    from core.pipelines.features import FeatureUse

SUFFIXES = (".safetensors", ".pth", ".pt")
"""Of files that are offered; what a file holds is told by its tensors alone."""


def is_weights_file(path: Path) -> bool:
    """Whether a file's name says that it holds weights."""
    return path.suffix.lower() in SUFFIXES


class WeightStore(QObject):
    """Lists the sets and changes them, imports and downloads in the worker.

    Attributes
    ----------
    job : Job or None
        The import or download that runs or waits.

    Signals
    -------
    changed
        A set came or went.
    working
        ``job`` is another one.
    said(text, role)
        What came of the last work, in one of the style sheet's roles.
    brought(name)
        A set was imported or downloaded.
    """

    changed = Signal()
    working = Signal()
    said = Signal(str, str)
    brought = Signal(str)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.job: Job | None = None

    # -- what there is

    def sets(self) -> tuple[WeightSet, ...]:
        """Every set that is here or known. Light: reads cards, no weights."""
        from core.backbones.weights import known_weights

        return known_weights()

    def in_use(self) -> tuple[FeaturesInUse, ...]:
        """What each method would use now; nothing until the methods are loaded."""
        if not self._session.workshop.methods:
            return ()
        from app.features_in_use import features_in_use

        return features_in_use()

    def uses_of(self, request: work.FeatureRequest) -> tuple[FeatureUse, ...]:
        """What a method's settings would use now.

        Raises
        ------
        WeightsError
            If an automatic choice finds nothing.
        """
        return work.feature_uses(request)

    def models_with(self, name: str) -> tuple[str, ...]:
        """Names of the library's models that were fitted with a set."""
        catalog = self._session.catalog
        return tuple(
            entry.card.name
            for category in catalog.categories
            for entry in catalog.models(category.name)
            if entry.card is not None and name in entry.card.weights
        )

    def folder(self) -> Path:
        """Where the user's sets lie; made if missing."""
        from core.backbones.weights import weights_folder

        folder = weights_folder()
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def read_hash(self, chosen: WeightSet, take: Callable[[str], None]) -> None:
        """Find the SHA-256 of a set's file in the worker and hand it to ``take``; large files take seconds."""
        self._session.jobs.submit(
            Job(
                self.tr("Reading {name}").format(name=chosen.name),
                lambda _: chosen.sha256,
                done=take,
                tag="weights-hash",
                replaces=True,
            )
        )

    # -- changing it

    def import_files(self, paths: Sequence[Path]) -> None:
        """Import files, one after the other; those that are no weights do not stop the others."""
        names = ", ".join(path.name for path in paths)

        def done(outcome: work.Imported) -> None:
            for name in outcome.names:
                self.brought.emit(name)
            if outcome.problems:
                self.said.emit(self.tr("Not imported: {names}.").format(names=", ".join(outcome.refused)), "problem")
            elif outcome.names:
                self.said.emit(self._here(outcome.names), "")
            for problem in outcome.problems:
                self._session.failures.report(problem)

        self._submit(
            Job(
                self.tr("Importing {names}").format(names=names),
                lambda progress: work.import_weights(paths, progress),
                done=done,
                cancelled=lambda: self.said.emit(self.tr("The import was stopped."), ""),
                tag="weights",
            )
        )

    def download(self, name: str) -> None:
        """Download a set. Only ever called after the user agreed: it uses the network."""

        def done(brought: str) -> None:
            self.brought.emit(brought)
            self.said.emit(self._here([brought]), "")

        self._submit(
            Job(
                self.tr("Downloading {name}").format(name=name),
                lambda progress: work.download_weights(name, progress),
                done=done,
                cancelled=lambda: self.said.emit(
                    self.tr("The download was stopped. What came is kept; the next download goes on from it."), ""
                ),
                tag="weights",
            )
        )

    def remove(self, name: str) -> None:
        """Delete a set of the user's.

        Raises
        ------
        WeightsError, OutputError
        """
        from core.backbones.weights import remove

        remove(name)
        self.said.emit(self.tr("{name} was removed.").format(name=name), "")
        self.changed.emit()

    def cancel(self) -> None:
        if self.job is not None:
            self.job.cancel()
            self.working.emit()

    def _here(self, names: Sequence[str]) -> str:
        """That sets are here, and who uses them now."""
        titles = {chosen.name: chosen.title for chosen in self.sets()}
        users = [use.title for use in self.in_use() if any(use.uses(name) for name in names)]
        text = self.tr("Here now: {titles}.").format(titles=", ".join(titles.get(name, name) for name in names))
        if users:
            return f"{text} " + self.tr("From now on {methods} takes it.").format(methods=", ".join(users))
        return f"{text} " + self.tr("No method takes it by itself: choose it among the settings when you train.")

    def _submit(self, job: Job) -> None:
        """Queue a work whose end also changes the list."""
        done, cancelled = job.done, job.cancelled

        def ended() -> None:
            self.job = None
            self.working.emit()
            self.changed.emit()

        def finish(result: object) -> None:
            ended()
            if done is not None:
                done(result)

        def stop() -> None:
            ended()
            if cancelled is not None:
                cancelled()

        def fail(error: Exception) -> None:
            ended()
            self.said.emit(self.tr("That did not work: {title}.").format(title=job.title), "problem")
            raise error

        job.done, job.cancelled, job.failed = finish, stop, fail
        self.job = self._session.jobs.submit(job)
        self.said.emit("", "")
        self.working.emit()
