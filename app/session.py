"""The open document: category, scan, model, result and thresholds as one object with signals. No widgets.

Panels show what is here and ask for changes; everything that takes time goes through the jobs; everything that
changes a result goes through the undo stack.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QUndoStack

from app import work
from app.catalog import Catalog
from app.category_run import CategoryRun
from app.chunk_verdicts import CHUNK_VERDICTS, verdict_map
from app.commands import ReplaceResult
from app.comparison import Comparison
from app.explaining import Explaining
from app.failures import Failures
from app.fields import ANOMALY
from app.jobs import Job, Jobs
from app.kept import KEPT_POINTS, Document, KeptModels, KeptResults
from app.known_verdicts import Known, KnownVerdicts
from app.library_commands import DeleteModel, RemoveCategory
from app.reduced_mode import ReducedMode, Wish
from app.scans import Scans, first_to_show
from app.settings import Settings
from app.threshold_control import ThresholdControl
from app.weight_store import WeightStore
from app.workshop import Workshop
from core.datasets.category import Category
from core.datasets.entry import ScanEntry
from core.errors import NominalError, ScanError
from core.inspection.thresholds import Thresholds
from core.inspection.verdict import Inspection, Verdict
from core.progress import Progress
from core.scan import Scan
from core.scores import ScoreMap
from core.store.history import History
from core.store.library import Library

if TYPE_CHECKING:
    from core.inspection.calibration import Calibration
    from core.workflow import Judged, Model

REFRESH_MS = 30
"""While a threshold is dragged the mask, defects and verdict follow at most this often."""


class Session(QObject):
    """What is open.

    Attributes
    ----------
    catalog : Catalog
        What can be opened.
    scans : Scans
        Opens scans and walks through them.
    workshop : Workshop
        Makes models.
    threshold_control : ThresholdControl
        Changes the thresholds in force.
    reduced_mode : ReducedMode
        Whether scans that lack something may be judged without it.
    weights : WeightStore
        The backbones' weights.
    comparison : Comparison
        The map that the shown one is compared with.
    explaining : Explaining
        Why the picked point has its score.

    Signals
    -------
    category_changed, scan_changed, model_changed
        Another one is open.
    result_changed
        Another scan, model or inspection: everything that shows a result starts anew.
    inspection_changed
        The same scores at other thresholds (also emitted after ``result_changed``).
    thresholds_changed
        The numbers alone, at once; the inspection follows.
    verdict_changed(path)
        A scan was judged, or could not be.
    picked_changed, map_changed
    message(text)
        For the status bar.
    folder_offered(path)
        A folder was dropped or opened that the user should say more of.
    recent_changed
    """

    category_changed = Signal()
    scan_changed = Signal()
    model_changed = Signal()
    result_changed = Signal()
    inspection_changed = Signal()
    thresholds_changed = Signal()
    verdict_changed = Signal(object)
    picked_changed = Signal()
    map_changed = Signal()
    message = Signal(str)
    folder_offered = Signal(object)
    recent_changed = Signal()

    def __init__(
        self,
        jobs: Jobs,
        library: Library,
        history: History,
        settings: Settings,
        failures: Failures,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.jobs, self.library, self.history = jobs, library, history
        self.settings, self.failures = settings, failures
        self.catalog = Catalog(library, self)
        self.models = KeptModels()
        self.scans = Scans(self)
        self.workshop = Workshop(self)
        self.reduced_mode = ReducedMode(self)
        self.weights = WeightStore(self)
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(100)
        self.category: Category | None = None
        self.inspection: Inspection | None = None
        self.picked: int | None = None
        self.shown_map = ANOMALY
        self.problems: dict[Path, str] = {}
        self._document = Document()
        self._kept = KeptResults()
        self._verdicts = KnownVerdicts(history, failures)
        self.threshold_control = ThresholdControl(self)
        self._refresh = QTimer(self)
        self._refresh.setSingleShot(True)
        self._refresh.setInterval(REFRESH_MS)
        self._refresh.timeout.connect(failures.guarded(self._reinspect))
        self.comparison = Comparison(self)
        self.explaining = Explaining(self)

    # -- what is open

    @property
    def entry(self) -> ScanEntry | None:
        return self._document.entry

    @property
    def scan(self) -> Scan | None:
        return self._document.scan

    @property
    def model_path(self) -> Path | None:
        return self._document.model_path

    @property
    def model(self) -> Model | None:
        """The chosen model, once it is loaded."""
        return self.models.find(self.model_path)

    @property
    def judged(self) -> Judged | None:
        return self._document.judged

    @property
    def thresholds(self) -> Thresholds | None:
        """The thresholds in force for the chosen model: the user's, else the calibrated ones."""
        return self.threshold_control.now

    @property
    def lacking(self) -> str:
        """What the open scan lacks of what the model was trained with and can judge without; empty for nothing."""
        if self.judged is not None:
            return self.judged.lacking
        if self.model is None or self.model.reduced is None or self.scan is None:
            return ""
        return self.model.lacks(self.scan) or ""

    @property
    def calibration(self) -> Calibration | None:
        """Of the chosen model, in the mode that judges the open scan."""
        return None if self.model is None else self.model.calibration_for(self.lacking)

    @property
    def can_inspect(self) -> bool:
        return self.scan is not None and self.model is not None and not self.jobs.is_busy_with("inspect")

    def maps(self) -> dict[str, ScoreMap]:
        """The maps of the result, the anomaly score first."""
        if self.judged is None:
            return {}
        scores = self.judged.scores
        own = ScoreMap(
            scores.points,
            self.tr("Anomaly score"),
            "score",
            self.tr("How far each point departs from the good parts. Higher is worse."),
        )
        verdicts = verdict_map(self.inspection)
        return {ANOMALY: own, **scores.maps, **({} if verdicts is None else {CHUNK_VERDICTS: verdicts})}

    # -- the library

    def add_category(self, category: Category) -> None:
        """Put a recognised category into the library and open it."""
        self.library.add_category(category.root, category.unit, category.name)
        self.remember(category.root)
        self.catalog.refresh()
        self.take_category(category)

    def remove_category(self, name: str) -> None:
        """Take a category from the library's list; undoable, its files stay."""
        known = self.catalog.category(name)
        if known is not None:
            self.undo_stack.push(RemoveCategory(self, known))

    def delete_model(self, path: Path) -> None:
        """Move a model to the trash; undoable."""
        entry = self.catalog.model(path)
        if entry is not None:
            self.undo_stack.push(DeleteModel(self, path, entry.card.name if entry.card else path.name))

    def open_category(self, name: str, *, then: str = "scan") -> None:
        """Look into a category's folder; ``then`` "scan" also opens its first test scan."""
        known = self.catalog.category(name)
        if known is None or (self.category is not None and self.category.name == name):
            return
        self.jobs.submit(
            Job(
                self.tr("Opening {name}").format(name=name),
                lambda _: work.recognise(known.folder, known.unit, known.name),
                done=lambda category: self.take_category(category, open_scan=then == "scan"),
                tag="category",
                replaces=True,
            )
        )

    def take_category(self, category: Category, *, open_scan: bool = True) -> None:
        """Open a category that was looked into, with its last or newest model; ``open_scan`` its first scan too."""
        self.category = category
        self.settings.last_category = category.name
        self.category_changed.emit()
        models = [e.path for e in self.catalog.models(category.name) if e.problem is None]
        last = Path(self.settings.last_model)
        if self.model_path not in models:
            self.choose_model(last if last in models else (models[0] if models else None))
        first = first_to_show(category)
        if open_scan and first is not None:
            self.scans.open(first)

    def close_category(self, name: str) -> None:
        """Show this category no longer; its open scan stays."""
        if self.category is not None and self.category.name == name:
            self.category = None
            self.category_changed.emit()

    def take_scan(self, opened: work.Opened) -> None:
        """Show a scan that was read, with its result where the chosen model has judged it."""
        self.problems.pop(opened.entry.path, None)
        kept = self._kept.find(opened.entry, self.model_path)
        self.put_document(kept or Document(opened.entry, opened.scan, self.model_path))
        if opened.scan.notes:
            self.message.emit(" ".join(opened.scan.notes))
        if self.settings.inspect_on_open and self.judged is None and self.can_inspect:
            self.inspect(unasked=True)

    # -- models

    def choose_model(self, path: Path | None) -> None:
        """Take another model; its thresholds and, where it has judged the open scan, its result are shown."""
        if path == self.model_path:
            return
        self.settings.last_model = str(path or "")
        self.put_document(self._kept.find(self.entry, path) or Document(self.entry, self.scan, path))

    def let_go_of_model(self, path: Path) -> None:
        """Go on without a model that is not to be had any more."""
        if self.model_path == path:
            self.put_document(Document(self.entry, self.scan))

    def _load_model(self, path: Path) -> None:
        device = self.settings.device

        def failed(error: Exception) -> None:
            self.let_go_of_model(path)
            raise error

        self.jobs.submit(
            Job(
                self.tr("Loading the model"),
                lambda _: work.load_model(path, device),
                done=lambda model: self.take_model(path, model),
                failed=failed,
                tag="model",
                replaces=True,
            )
        )

    def take_model(self, path: Path, model: Model) -> None:
        """Keep a model that was loaded or trained; if it is the chosen one, go on with it."""
        self.models.put(path, model, self.model_path)
        if path == self.model_path:
            self.model_changed.emit()
            self.thresholds_changed.emit()
            if self.judged is not None and self.inspection is None:  # its result was kept, its thresholds come now
                self.put_document(self._document)
            if self.settings.inspect_on_open and self.judged is None and self.can_inspect:
                self.inspect(unasked=True)

    def reload_models(self) -> None:
        """Load the chosen model anew, for another device."""
        self.models.clear()
        self.model_changed.emit()
        if self.model_path is not None:
            self._load_model(self.model_path)

    # -- inspecting

    def inspect(self, *, unasked: bool = False) -> None:
        """Score the open scan with the chosen model; ``unasked`` where no one pressed a button.

        Raises
        ------
        ScanError
            If there is no scan or no model.
        """
        if self.scan is None or self.entry is None:
            raise ScanError("There is no scan to inspect", "Open a scan first")
        if self.model is None or self.model_path is None or self.thresholds is None:
            raise ScanError("There is no model to inspect with", "Choose a model, or train one from good parts")
        before, model, thresholds = self._document, self.model, self.thresholds
        scan, path, model_path = self.scan, self.entry.path, self.model_path
        lacking = model.lacks(scan) if model.reduced is not None else None
        reduced = self.reduced_mode.allowed(model_path)
        if lacking and not reduced:
            if not unasked or not self.reduced_mode.settled(model_path):
                wish = Wish(model_path, model.card.name, lacking, (self.entry.key,), self.inspect)
                self.reduced_mode.ask(wish)
            return

        def run(progress: Progress) -> tuple[Judged, NominalError | None]:
            judged = work.score(model, scan, progress, reduced=reduced)
            return judged, work.note(judged, thresholds, self.history, path, model_path)

        def done(result: tuple[Judged, NominalError | None]) -> None:
            judged, problem = result
            self._limit_undo(len(scan))
            self.undo_stack.push(ReplaceResult(self, before, dataclasses.replace(before, judged=judged)))
            if problem is not None:
                self.failures.report(problem)

        self.jobs.submit(
            Job(self.tr("Inspecting {name}").format(name=self.entry.key), run, done=done, tag="inspect", replaces=True)
        )

    def inspect_all(self) -> None:
        """Judge every test scan of the category; the verdicts fill the library."""
        if self.category is None or self.model is None or self.model_path is None or self.thresholds is None:
            raise ScanError("There is no category with a model to inspect", "Open a category and train a model for it")
        CategoryRun(self, self.category, self.model, self.model_path).start()

    def verdict_of(self, path: Path) -> Verdict | None:
        """The verdict of the chosen model on a scan, from this run or the history."""
        known = self.known_of(path)
        return None if known is None else known.verdict

    def known_of(self, path: Path) -> Known | None:
        """The same, with the mode in which it was given."""
        return self._verdicts.of(path, self.model_path)

    def take_result(self, document: Document, verdict: Verdict) -> None:
        """A scan was judged that may not be the open one."""
        assert document.entry is not None
        assert document.model_path is not None
        self._kept.put(document)
        lacking = document.judged.lacking if document.judged is not None else ""
        self._verdicts.note(document.entry.path, document.model_path, verdict, lacking)
        self.problems.pop(document.entry.path, None)
        self.verdict_changed.emit(document.entry.path)
        if self.entry is not None and self.entry.path == document.entry.path and self.model_path == document.model_path:
            self.put_document(dataclasses.replace(self._document, judged=document.judged))

    def note_problem(self, entry: ScanEntry, error: Exception) -> None:
        """A scan could not be read or judged."""
        self.problems[entry.path] = str(error)
        self.verdict_changed.emit(entry.path)

    def refresh_soon(self) -> None:
        """The thresholds were changed: the inspection follows at the next refresh."""
        if not self._refresh.isActive():  # at most one pending
            self._refresh.start()

    def flush(self) -> None:
        """Bring the inspection up to date now instead of at the next refresh."""
        if self._refresh.isActive():
            self._refresh.stop()
            self._reinspect()

    def _reinspect(self) -> None:
        if self.judged is None or self.thresholds is None or self.entry is None or self.model_path is None:
            return
        self._judge(self.judged, self.thresholds, self.entry, self.model_path)
        if self.shown_map == CHUNK_VERDICTS:  # alone among the maps it follows the thresholds
            self.map_changed.emit()
        self.inspection_changed.emit()

    def _judge(self, judged: Judged, thresholds: Thresholds, entry: ScanEntry, model: Path) -> None:
        self.inspection = judged.inspect(thresholds)
        self._verdicts.note(entry.path, model, self.inspection.verdict, judged.lacking)
        self.verdict_changed.emit(entry.path)

    # -- looking

    def show_map(self, key: str) -> None:
        if key != self.shown_map:
            self.shown_map = key
            self.map_changed.emit()

    def pick(self, index: int) -> None:
        """Take the point whose values are shown; -1 for none."""
        self.picked = index if self.scan is not None and 0 <= index < len(self.scan) else None
        self.picked_changed.emit()

    # -- behind what is shown

    def put_document(self, document: Document) -> None:
        """Behind every change of what is shown, undoable or not: this is open now."""
        lacked = self.lacking
        before, self._document = self._document, document
        self._kept.put(document)
        same_scan = document.scan is before.scan
        if not same_scan:
            self.picked = None
            self.scan_changed.emit()
        if document.model_path != before.model_path:
            if document.model_path is not None and self.models.find(document.model_path) is None:
                self._load_model(document.model_path)
            self.model_changed.emit()
            self.thresholds_changed.emit()
        elif self.lacking != lacked:
            self.thresholds_changed.emit()
        self.inspection = None
        thresholds = self.thresholds
        if document.judged and thresholds and document.entry and document.model_path:
            self._judge(document.judged, thresholds, document.entry, document.model_path)
        if self.shown_map not in self.maps():
            self.shown_map = ANOMALY
        self.result_changed.emit()
        self.inspection_changed.emit()
        if not same_scan:
            self.picked_changed.emit()

    def _limit_undo(self, points: int) -> None:
        """Forget old steps before their results fill the memory."""
        if points * (self.undo_stack.count() + 1) > 4 * KEPT_POINTS:
            self.undo_stack.clear()

    def remember(self, path: Path) -> None:
        """Put a path among the recent ones."""
        self.settings.remember(path)
        self.recent_changed.emit()

    def close(self) -> None:
        """Stop everything, the worker gets a moment to end, and let the scans and models go."""
        self._refresh.stop()
        self.explaining.close()
        self.comparison.let_go()
        self.undo_stack.blockSignals(True)  # it empties itself while the window is taken apart
        self.ended = self.jobs.shutdown()
        self.undo_stack.clear()
        self._document, self.inspection = Document(), None
        self._kept.clear()
        self.models.clear()

    ended = True
    """Whether the worker has ended, once closed."""
