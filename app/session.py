"""The open document: category, scan, model, result and thresholds as one object with signals. No widgets.

Panels show what is here and ask for changes; everything that takes time goes through the jobs; everything that
changes a result goes through the undo stack.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QUndoStack

from app import work
from app.commands import ChangeThresholds, DeleteModel, RemoveCategory, ReplaceResult
from app.failures import Failures
from app.jobs import Job, Jobs
from app.settings import Settings
from core.datasets.category import Category
from core.datasets.entry import ScanEntry
from core.errors import NominalError, ScanError
from core.inspection.thresholds import Thresholds
from core.inspection.verdict import Inspection, Verdict
from core.progress import Progress
from core.scan import Scan
from core.scores import ScoreMap
from core.store.history import History
from core.store.library import Library, LibraryCategory, ModelEntry
from core.store.model_file import SUFFIX

if TYPE_CHECKING:
    from core.workflow import Judged, Model

REFRESH_MS = 30
"""While a threshold is dragged the mask, defects and verdict follow at most this often."""
_KEPT_POINTS = 6_000_000
"""Results are kept at hand, for walking back and for undo, up to this many points together."""
_KEPT_MODELS = 3
_HISTORY_AT_MOST = 100_000
ANOMALY = "anomaly"
"""The map that is the score itself."""


@dataclass(frozen=True, eq=False)
class Document:
    """One state of what is shown: a scan, and what a model says of it. References only."""

    entry: ScanEntry | None = None
    scan: Scan | None = None
    model_path: Path | None = None
    judged: Judged | None = None

    @property
    def name(self) -> str:
        return self.entry.key if self.entry is not None else ""


class Session(QObject):
    """What is open.

    Signals
    -------
    library_changed
        Categories or models were added or removed.
    category_changed, scan_changed, model_changed
        Another one is open.
    result_changed
        Another scan, model or inspection: everything that shows a result starts anew.
    inspection_changed
        The same scores at other thresholds (also emitted after ``result_changed``).
    thresholds_changed
        The numbers alone, at once; the inspection follows.
    verdict_changed(path)
        A scan was judged.
    picked_changed, map_changed
    message(text)
        For the status bar.
    trained(Trained), demo_ready(), prepared()
        A model was trained; the demo is open; ``methods`` and ``device_title`` are known.
    folder_offered(path)
        A folder was dropped or opened that the user should say more of.
    """

    library_changed = Signal()
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
    trained = Signal(object)
    demo_ready = Signal()
    folder_offered = Signal(object)
    recent_changed = Signal()
    prepared = Signal()

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
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(100)
        self.categories: tuple[LibraryCategory, ...] = ()
        self.loose: list[ScanEntry] = []
        self.category: Category | None = None
        self.inspection: Inspection | None = None
        self.picked: int | None = None
        self.shown_map = ANOMALY
        self.problems: dict[Path, str] = {}
        self.methods: tuple[work.Method, ...] = ()
        self.device_title = ""
        self._document = Document()
        self._models: OrderedDict[Path, Model] = OrderedDict()
        self._kept: OrderedDict[tuple[Path, Path], Document] = OrderedDict()
        self._verdicts: dict[tuple[Path, Path], Verdict] = {}
        self._remembered: dict[Path, dict[Path, Verdict]] = {}
        self._thresholds: dict[Path, Thresholds] = {}
        self._models_by_category: dict[str, tuple[ModelEntry, ...]] = {}
        self._gesture = 0
        self._batch_left = 0
        self._batch_problems: list[str] = []
        self._refresh = QTimer(self)
        self._refresh.setSingleShot(True)
        self._refresh.setInterval(REFRESH_MS)
        self._refresh.timeout.connect(failures.guarded(self._reinspect))

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
        return None if self.model_path is None else self._models.get(self.model_path)

    @property
    def judged(self) -> Judged | None:
        return self._document.judged

    @property
    def thresholds(self) -> Thresholds | None:
        """The thresholds in force for the chosen model: the user's, else the calibrated ones."""
        if self.model_path is not None and self.model_path in self._thresholds:
            return self._thresholds[self.model_path]
        return None if self.model is None else self.model.calibration.thresholds()

    @property
    def thresholds_by_hand(self) -> bool:
        """Whether the thresholds in force are others than the calibrated ones."""
        return self.model is not None and self.thresholds != self.model.calibration.thresholds()

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
        return {ANOMALY: own, **scores.maps}

    # -- the library

    def refresh_library(self) -> None:
        """Read the lists of categories and models again."""
        self.categories = self.library.categories()
        found: dict[str, list[ModelEntry]] = {}
        for entry in self.library.models():
            found.setdefault(entry.card.category if entry.card else "", []).append(entry)
        self._models_by_category = {name: tuple(entries) for name, entries in found.items()}
        self.library_changed.emit()

    def models(self, category: str) -> tuple[ModelEntry, ...]:
        """The models for a category, newest first; for the empty name those whose card cannot be read."""
        return self._models_by_category.get(category, ())

    def model_entry(self, path: Path | None) -> ModelEntry | None:
        return next((e for entries in self._models_by_category.values() for e in entries if e.path == path), None)

    def add_category(self, category: Category) -> None:
        """Put a recognised category into the library and open it."""
        self.library.add_category(category.root, category.unit, category.name)
        self._remember(category.root)
        self.refresh_library()
        self._category_opened(category)

    def remove_category(self, name: str) -> None:
        """Take a category from the library's list; undoable, its files stay."""
        known = next((c for c in self.categories if c.name == name), None)
        if known is not None:
            self.undo_stack.push(RemoveCategory(self, known))

    def delete_model(self, path: Path) -> None:
        """Move a model to the trash; undoable."""
        entry = self.model_entry(path)
        if entry is not None:
            self.undo_stack.push(DeleteModel(self, path, entry.card.name if entry.card else path.name))

    def open_category(self, name: str, *, then: str = "scan") -> None:
        """Look into a category's folder; ``then`` "scan" also opens its first test scan."""
        known = next((c for c in self.categories if c.name == name), None)
        if known is None or (self.category is not None and self.category.name == name):
            return
        self._submit(
            Job(
                self.tr("Opening {name}").format(name=name),
                lambda _: work.recognise(known.folder, known.unit, known.name),
                done=lambda category: self._category_opened(category, open_scan=then == "scan"),
                tag="category",
                replaces=True,
            )
        )

    def _category_opened(self, category: Category, *, open_scan: bool = True) -> None:
        self.category = category
        self.settings.last_category = category.name
        self.category_changed.emit()
        models = [e.path for e in self.models(category.name) if e.problem is None]
        last = Path(self.settings.last_model)
        if self.model_path not in models:
            self.choose_model(last if last in models else (models[0] if models else None))
        first = first_to_show(category)
        if open_scan and first is not None:
            self.open_entry(first)

    # -- scans

    def open_path(self, path: Path) -> None:
        """Open whatever the user points at: a scan, a folder of parts, or a model.

        Raises
        ------
        ScanError
            If it is none of these.
        """
        from core.formats.reader import is_scan_file

        if path.is_dir():
            self.folder_offered.emit(path)
        elif path.suffix.lower() == SUFFIX:
            self.import_model(path)
        elif not path.exists():
            self.settings.recent = [p for p in self.settings.recent if p != str(path)]
            self.recent_changed.emit()
            raise ScanError(f"{path} is not there any more", "Open it from where it lies now")
        elif is_scan_file(path):
            self.open_entry(self._entry_of(path))
        else:
            raise ScanError(
                f"{path.name} is no scan, folder of scans or model that Nominal knows",
                "Open a PLY, PCD, XYZ, TIFF, NPZ, HDF5 or STL file, a folder of them, or a .nominal model",
            )

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Open what was dropped: the first is shown, further scans are listed in the library."""
        from core.formats.reader import is_scan_file

        for path in paths[1:]:
            if path.is_file() and is_scan_file(path):
                self._entry_of(path)
            elif path.suffix.lower() == SUFFIX:
                self.import_model(path)
        if paths:
            self.open_path(paths[0])
        self.library_changed.emit()

    def open_entry(self, entry: ScanEntry) -> None:
        """Read a scan and show it."""
        category = None if entry in self.loose else self.category
        unit = self.model.card.unit if self.model is not None else self.settings.unit
        self._submit(
            Job(
                self.tr("Opening {name}").format(name=entry.key),
                lambda _: work.open_entry(category, entry, unit),
                done=self._scan_opened,
                failed=lambda error: self._scan_failed(entry, error),
                tag="open",
                replaces=True,
            )
        )

    def step(self, by: int) -> None:
        """Open the next (1) or previous (-1) scan of the same split."""
        walk = self.walk()
        if not walk:
            return
        entry = self.pending_entry or self.entry
        at = next((i for i, e in enumerate(walk) if entry is not None and e.path == entry.path), None)
        target = (0 if by > 0 else len(walk) - 1) if at is None else at + by
        if 0 <= target < len(walk):
            self.pending_entry = walk[target]
            self.open_entry(walk[target])
        else:
            self.message.emit(self.tr("This is the last scan.") if by > 0 else self.tr("This is the first scan."))

    pending_entry: ScanEntry | None = None
    """The scan that is being opened while the user steps on."""

    def walk(self) -> tuple[ScanEntry, ...]:
        """The scans that next and previous go through."""
        if self.entry is not None and self.entry in self.loose:
            return tuple(self.loose)
        if self.category is None:
            return tuple(self.loose)
        split = self.entry.split if self.entry is not None else "test"
        return self.category.split(split) or self.category.entries

    def _scan_opened(self, opened: work.Opened) -> None:
        self.pending_entry = None
        self.problems.pop(opened.entry.path, None)
        if opened.entry in self.loose:
            self._remember(opened.entry.path)
        kept = None if self.model_path is None else self._kept.get((opened.entry.path, self.model_path))
        self._put_document(
            dataclasses.replace(
                self._document, entry=opened.entry, scan=opened.scan, judged=kept.judged if kept else None
            )
            if kept is None
            else kept
        )
        if opened.scan.notes:
            self.message.emit(" ".join(opened.scan.notes))
        if self.settings.inspect_on_open and self.judged is None and self.can_inspect:
            self.inspect()

    def _scan_failed(self, entry: ScanEntry, error: Exception) -> None:
        self.pending_entry = None
        if entry in self.loose and (self.entry is None or self.entry.path != entry.path):
            self.loose.remove(entry)
            self.library_changed.emit()
        elif isinstance(error, NominalError):
            self.problems[entry.path] = str(error)
            self.verdict_changed.emit(entry.path)
        raise error

    def _entry_of(self, path: Path) -> ScanEntry:
        """The category's entry for a file, else a loose one."""
        path = path.resolve()
        known = [*(self.category.entries if self.category is not None else ()), *self.loose]
        for entry in known:
            if entry.path.resolve() == path:
                return entry
        entry = ScanEntry(path=path, split="test", defect="", image=None, ground_truth=None, key=path.stem)
        self.loose.append(entry)
        self.library_changed.emit()
        return entry

    # -- models

    def choose_model(self, path: Path | None) -> None:
        """Take another model; its thresholds and, where it has judged the open scan, its result are shown."""
        if path == self.model_path:
            return
        self.settings.last_model = str(path or "")
        kept = None
        if path is not None and self.entry is not None:
            kept = self._kept.get((self.entry.path, path))
        self._put_document(kept or Document(self.entry, self.scan, path, None))

    def import_model(self, path: Path) -> None:
        """Take a model file into the library and choose it."""

        def done(target: Path) -> None:
            self._remember(path)
            self.refresh_library()
            entry = self.model_entry(target)
            if entry is not None and entry.card is not None:
                known = {c.name for c in self.categories}
                if entry.card.category in known:
                    self.open_category(entry.card.category)
            self.choose_model(target)

        self._submit(
            Job(self.tr("Opening {name}").format(name=path.name), lambda _: work.import_model(path, self.library), done)
        )

    def _load_model(self, path: Path) -> None:
        device = self.settings.device

        def failed(error: Exception) -> None:
            if self.model_path == path:
                self._put_document(Document(self.entry, self.scan, None, None))
            raise error

        self._submit(
            Job(
                self.tr("Loading the model"),
                lambda _: work.load_model(path, device),
                done=lambda model: self._model_loaded(path, model),
                failed=failed,
                tag="model",
                replaces=True,
            )
        )

    def _model_loaded(self, path: Path, model: Model) -> None:
        self._models[path] = model
        self._models.move_to_end(path)
        while len(self._models) > _KEPT_MODELS:
            oldest = next(p for p in self._models if p != self.model_path)
            del self._models[oldest]
        kept = self.settings.thresholds.get(str(path))
        if kept and path not in self._thresholds:
            self._thresholds[path] = _thresholds_from(kept, model.calibration.thresholds())
        if path == self.model_path:
            self.model_changed.emit()
            self.thresholds_changed.emit()
            if self.judged is not None and self.inspection is None:  # its result was kept, its thresholds come now
                self._put_document(self._document)
            if self.settings.inspect_on_open and self.judged is None and self.can_inspect:
                self.inspect()

    def reload_models(self) -> None:
        """Load the chosen model anew, for another device."""
        self._models.clear()
        self.model_changed.emit()
        if self.model_path is not None:
            self._load_model(self.model_path)

    def train(self, request: work.TrainRequest) -> Job:
        """Train a model in the worker; at the end it is in the library and chosen."""
        device = self.settings.device

        def done(trained: work.Trained) -> None:
            self.library.add_category(request.category.root, request.category.unit, request.category.name)
            self.refresh_library()
            self._models[trained.path] = trained.model
            if self.category is None or self.category.name != request.category.name:
                self.settings.last_model = str(trained.path)
                self._category_opened(request.category)
            self.choose_model(trained.path)
            self._model_loaded(trained.path, trained.model)
            self.trained.emit(trained)

        return self._submit(
            Job(
                self.tr("Training {name}").format(name=request.category.name),
                lambda progress: work.train(request, self.library, device, progress),
                done=done,
                tag="train",
            )
        )

    # -- inspecting

    def inspect(self) -> None:
        """Score the open scan with the chosen model.

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

        def run(progress: Progress) -> tuple[Judged, NominalError | None]:
            judged = work.score(model, scan, progress)
            return judged, work.note(judged, thresholds, self.history, path, model_path)

        def done(result: tuple[Judged, NominalError | None]) -> None:
            judged, problem = result
            self._limit_undo(len(scan))
            self.undo_stack.push(ReplaceResult(self, before, dataclasses.replace(before, judged=judged)))
            if problem is not None:
                self.failures.report(problem)

        self._submit(
            Job(self.tr("Inspecting {name}").format(name=self.entry.key), run, done=done, tag="inspect", replaces=True)
        )

    def inspect_all(self) -> None:
        """Judge every test scan of the category; the verdicts fill the library."""
        if self.category is None or self.model is None or self.model_path is None or self.thresholds is None:
            raise ScanError("There is no category with a model to inspect", "Open a category and train a model for it")
        entries = self.category.split("test") or self.category.entries
        self._batch_left = len(entries)
        self._batch_problems = []
        for entry in entries:
            self._submit_batch(entry)

    def _submit_batch(self, entry: ScanEntry) -> None:
        category, model, model_path, thresholds = self.category, self.model, self.model_path, self.thresholds
        assert model is not None
        assert model_path is not None
        assert thresholds is not None

        def run(progress: Progress) -> tuple[Scan, Judged]:
            scan = work.open_entry(category, entry, model.card.unit).scan
            judged = work.score(model, scan, progress)
            work.note(judged, thresholds, self.history, entry.path, model_path)
            return scan, judged

        def done(result: tuple[Scan, Judged]) -> None:
            scan, judged = result
            self._keep(Document(entry, scan, model_path, judged))
            self._verdicts[entry.path, model_path] = judged.inspect(thresholds).verdict
            self.problems.pop(entry.path, None)
            self.verdict_changed.emit(entry.path)
            if self.entry is not None and self.entry.path == entry.path and self.model_path == model_path:
                self._put_document(dataclasses.replace(self._document, judged=judged))
            self._batch_step()

        def failed(error: Exception) -> None:
            if not isinstance(error, NominalError):
                self.failures.report(error)
            self.problems[entry.path] = str(error)
            self._batch_problems.append(entry.key)
            self.verdict_changed.emit(entry.path)
            self._batch_step()

        title = self.tr("Inspecting {name}").format(name=entry.key)
        self._submit(Job(title, run, done=done, failed=failed, cancelled=self._batch_step, tag="batch"))

    def _batch_step(self) -> None:
        self._batch_left -= 1
        if self._batch_left == 0:
            if self._batch_problems:
                names = ", ".join(self._batch_problems[:5]) + (" …" if len(self._batch_problems) > 5 else "")
                text = self.tr("Done. {n} scans could not be inspected: {names}.")
                self.message.emit(text.format(n=len(self._batch_problems), names=names))
            else:
                self.message.emit(self.tr("All scans are inspected."))

    def verdict_of(self, path: Path) -> Verdict | None:
        """The verdict of the chosen model on a scan, from this run or the history."""
        if self.model_path is None:
            return None
        if self.model_path not in self._remembered:
            self._remembered[self.model_path] = self._from_history(self.model_path)
        known = self._verdicts.get((path, self.model_path))
        return known or self._remembered[self.model_path].get(path.resolve())

    def _from_history(self, model: Path) -> dict[Path, Verdict]:
        """Every scan's newest verdict by a model, read at once: a category may hold thousands of scans."""
        try:
            rows = self.history.rows(_HISTORY_AT_MOST)
        except NominalError as error:
            self.failures.report(error)
            return {}
        return {row.scan: row.verdict for row in reversed(rows) if row.model == str(model)}

    # -- thresholds

    def begin_gesture(self) -> int:
        """A number for the changes that are to be undone together, such as one drag."""
        self._gesture += 1
        return self._gesture

    def change_thresholds(self, gesture: int | None = None, **changes: Any) -> None:
        """Take other thresholds; undoable. Changes of the same ``gesture`` are one step."""
        before = self.thresholds
        if before is None or self.model_path is None:
            return
        after = before.replaced(**changes)
        if after != before:
            step = self.begin_gesture() if gesture is None else gesture
            self.undo_stack.push(ChangeThresholds(self, self.model_path, before, after, step))

    def reset_thresholds(self) -> None:
        """Back to the calibrated ones; undoable."""
        if self.model is not None:
            self.change_thresholds(**dataclasses.asdict(self.model.calibration.thresholds()))

    def _put_thresholds(self, model: Path, thresholds: Thresholds) -> None:
        self._thresholds[model] = thresholds
        loaded = self._models.get(model)
        if loaded is not None and thresholds == loaded.calibration.thresholds():
            self.settings.thresholds.pop(str(model), None)
        else:
            self.settings.thresholds[str(model)] = dataclasses.asdict(thresholds)
        if model == self.model_path:
            self.thresholds_changed.emit()
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
        self.inspection = self.judged.inspect(self.thresholds)
        self._verdicts[self.entry.path, self.model_path] = self.inspection.verdict
        self.verdict_changed.emit(self.entry.path)
        self.inspection_changed.emit()

    # -- looking

    def show_map(self, key: str) -> None:
        if key != self.shown_map:
            self.shown_map = key
            self.map_changed.emit()

    def pick(self, index: int) -> None:
        """Take the point whose values are shown; -1 for none."""
        self.picked = index if self.scan is not None and 0 <= index < len(self.scan) else None
        self.picked_changed.emit()

    # -- getting ready

    def prepare(self) -> None:
        """Find the device and the methods, in the worker: their imports take seconds."""
        device = self.settings.device

        def done(found: tuple[str, tuple[work.Method, ...]]) -> None:
            self.device_title, self.methods = found
            self.prepared.emit()

        def failed(error: Exception) -> None:
            self.settings.device = "auto"
            self.prepared.emit()
            raise error

        self._submit(
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
        device = self.settings.device

        def done(result: tuple[Category, Path]) -> None:
            category, model = result
            self.refresh_library()
            self.settings.last_model = str(model)
            self._category_opened(category)
            self.choose_model(model)
            self.demo_ready.emit()

        self._submit(
            Job(
                self.tr("Preparing the demo"),
                lambda progress: work.demo(self.library, device, progress),
                done=done,
                tag="demo",
                replaces=True,
            )
        )

    # -- behind the commands

    def _put_document(self, document: Document) -> None:
        before, self._document = self._document, document
        if document.judged is not None:
            self._keep(document)
        elif document.entry is not None and document.model_path is not None:
            self._kept.pop((document.entry.path, document.model_path), None)
        same_scan = document.scan is before.scan
        if not same_scan:
            self.picked = None
            self.scan_changed.emit()
        if document.model_path != before.model_path:
            if document.model_path is not None and document.model_path not in self._models:
                self._load_model(document.model_path)
            self.model_changed.emit()
            self.thresholds_changed.emit()
        self.inspection = None
        thresholds = self.thresholds
        if document.judged is not None and thresholds is not None and document.entry is not None:
            self.inspection = document.judged.inspect(thresholds)
            assert document.model_path is not None
            self._verdicts[document.entry.path, document.model_path] = self.inspection.verdict
            self.verdict_changed.emit(document.entry.path)
        if self.shown_map not in self.maps():
            self.shown_map = ANOMALY
        self.result_changed.emit()
        self.inspection_changed.emit()
        if not same_scan:
            self.picked_changed.emit()

    def _keep(self, document: Document) -> None:
        assert document.entry is not None
        assert document.model_path is not None
        key = (document.entry.path, document.model_path)
        self._kept[key] = document
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and sum(len(d.scan) for d in self._kept.values() if d.scan) > _KEPT_POINTS:
            self._kept.popitem(last=False)

    def _limit_undo(self, points: int) -> None:
        """Forget old steps before their results fill the memory."""
        if points * (self.undo_stack.count() + 1) > 4 * _KEPT_POINTS:
            self.undo_stack.clear()

    def _trash_model(self, path: Path) -> Path | None:
        try:
            trashed = self.library.delete_model(path)
        except NominalError as error:
            self.failures.report(error)
            return None
        if self.model_path == path:
            self._put_document(Document(self.entry, self.scan, None, None))
        self.refresh_library()
        return trashed

    def _restore_model(self, trashed: Path, path: Path) -> None:
        try:
            self.library.restore_model(trashed, path)
        except NominalError as error:
            self.failures.report(error)
            return
        self.refresh_library()
        if self.model_path is None:
            self.choose_model(path)

    def _forget_category(self, name: str) -> None:
        self.library.remove_category(name)
        if self.category is not None and self.category.name == name:
            self.category = None
            self.category_changed.emit()
        self.refresh_library()

    def _remember_category(self, category: LibraryCategory) -> None:
        self.library.add_category(category.folder, category.unit, category.name)
        self.refresh_library()

    def _remember(self, path: Path) -> None:
        self.settings.remember(path)
        self.recent_changed.emit()

    def close(self) -> None:
        """Stop everything, the worker gets a moment to end, and let the scans and models go."""
        self._refresh.stop()
        self.undo_stack.blockSignals(True)  # it empties itself while the window is taken apart
        self.ended = self.jobs.shutdown()
        self.undo_stack.clear()
        self._document, self.inspection = Document(), None
        self._kept.clear()
        self._models.clear()

    ended = True
    """Whether the worker has ended, once closed."""

    def _submit(self, job: Job) -> Job:
        return self.jobs.submit(job)


def first_to_show(category: Category) -> ScanEntry | None:
    """The scan that says most on opening a category: a defective test scan, else a test scan, else any."""
    tests = category.split("test")
    defective = [e for e in tests if e.defect and e.defect != "good"]
    for entries in (defective, tests, category.entries):
        if entries:
            return entries[0]
    return None


def _thresholds_from(values: dict[str, Any], default: Thresholds) -> Thresholds:
    """Thresholds from kept values; what is not a number falls back to the calibrated value."""
    known = {f.name for f in dataclasses.fields(Thresholds)}
    sound = {k: v for k, v in values.items() if k in known and isinstance(v, int | float)}
    return default.replaced(**sound)
