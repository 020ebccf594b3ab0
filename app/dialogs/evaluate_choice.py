"""Choosing what to evaluate: a model, a folder with good and defective parts, and which of its scans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app import evaluation_work, work
from app.evaluation_words import split_state, split_title
from app.evaluation_work import EvaluationRequest
from app.icons import icon
from app.jobs import Job
from app.links import Links
from app.panels.inspect import model_tip
from app.panels.panel import label, named, rerole
from app.session import Session
from app.theme import Theme
from core.datasets.category import Category
from core.datasets.entry import Split
from core.errors import NominalError
from core.store.library import ModelEntry

if TYPE_CHECKING:
    from core.workflow import Model

SPLITS: tuple[Split, ...] = ("test", "validation", "train")


class EvaluateChoice(QWidget):
    """Asks for model, folder and split, and looks into the folder in the worker.

    Parameters
    ----------
    session : Session
    links : Links
        Of the dialog that this is in.
    model : Path, optional
        To start with; the session's if not given.

    Signals
    -------
    changed
        ``request`` may be another.
    """

    changed = Signal()

    def __init__(self, session: Session, links: Links, model: Path | None = None) -> None:
        super().__init__()
        self._session = session
        self._asked = self._looked = 0
        self._touched = False  # a folder that the user chose stays when the model changes
        self.category: Category | None = None
        self._possible = False

        self.model = QComboBox()
        self.model.setAccessibleName(self.tr("Model"))
        self.model.setToolTip(self.tr("The model whose scores are held against what is known of the parts."))
        self.model.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.model.setMinimumContentsLength(24)
        self.folder = QComboBox()
        self.folder.setEditable(True)
        self.folder.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.folder.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.folder.setMinimumContentsLength(24)
        self.folder.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.folder.setAccessibleName(self.tr("Folder of parts"))
        self.folder.setToolTip(
            self.tr("A category's folder: below it test/good, and beside that a folder for each kind of defect.")
        )
        line = self.folder.lineEdit()
        assert line is not None
        line.setPlaceholderText(self.tr("Folder with good and defective parts"))
        self.browse = QPushButton(self.tr("Browse …"))
        self.browse.setAutoDefault(False)
        self.split = QComboBox()
        self.split.setAccessibleName(self.tr("Scans"))
        self.split.setToolTip(self.tr("Test scans are the ones that neither training nor calibration has seen."))
        for split in SPLITS:
            self.split.addItem(split_title(split), split)
        self.found = label(width=300)
        self.notes = label(role="warning", width=300)
        self.alone = QCheckBox(self.tr("&Judge all scans by shape alone"))
        self.alone.setToolTip(self.tr("All of them, so that their scores are on one scale; by that mode's thresholds."))
        self.why_alone = label(role="muted", width=300)

        row = QHBoxLayout()
        row.addWidget(self.folder, 1)
        row.addWidget(self.browse)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(self.tr("&Model"), self.model)
        form.addRow(named(self.tr("&Folder"), self.folder), row)
        form.addRow(self.tr("&Scans"), self.split)
        form.addRow(self.tr("Found"), self.found)
        form.addRow("", self.notes)
        form.addRow("", self.alone)
        form.addRow("", self.why_alone)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addStretch()

        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(250)
        guarded = session.failures.guarded
        self._wait.timeout.connect(guarded(self._recognise))
        self.model.currentIndexChanged.connect(guarded(lambda _: self._choose_model()))
        self.folder.editTextChanged.connect(guarded(lambda _: self._edit()))
        self.folder.activated.connect(guarded(lambda _: self._edit()))
        self.split.currentIndexChanged.connect(guarded(lambda _: self._judge()))
        self.browse.clicked.connect(guarded(self._browse))
        self.alone.toggled.connect(guarded(lambda _: self.changed.emit()))
        self._offer_alone("")
        links.add(session.catalog.changed, guarded(self.refill))
        self._wanted = model or session.model_path
        self.refill()

    # -- what is chosen

    @property
    def entry(self) -> ModelEntry | None:
        """The chosen model."""
        return self._session.catalog.model(self.model.currentData())

    @property
    def request(self) -> EvaluationRequest | None:
        """What to evaluate, None while something is missing."""
        entry = self.entry
        if entry is None or self.category is None or not self._possible:
            return None
        alone = not self.alone.isHidden() and self.alone.isChecked()
        return EvaluationRequest(entry.path, self.category, self.split.currentData(), alone)

    def choose(self, model: Path) -> None:
        """Choose a model, and its own category's folder."""
        self._touched = False
        row = self._row_of(model)
        if row == self.model.currentIndex():
            self._choose_model()
        elif row >= 0:
            self.model.setCurrentIndex(row)

    def end(self) -> None:
        """The dialog is closed: answers are awaited no longer."""
        self._asked += 1
        self._looked += 1
        self._wait.stop()

    def set_theme(self, theme: Theme) -> None:
        self.browse.setIcon(icon("open", theme))

    # -- models

    def refill(self) -> None:
        """List the library's models and folders anew; what was chosen stays chosen."""
        wanted = self.model.currentData() or self._wanted
        with QSignalBlocker(self.model):
            self.model.clear()
            for known in self._session.catalog.all_models():
                assert known.card is not None
                self.model.addItem(known.card.name, known.path)
                self.model.setItemData(self.model.count() - 1, model_tip(known), Qt.ItemDataRole.ToolTipRole)
            self.model.setEnabled(self.model.count() > 0)
            self.model.setCurrentIndex(max(0, self._row_of(wanted)) if self.model.count() else -1)
        self._list_folders()
        self._choose_model()

    def _row_of(self, model: Path | None) -> int:
        return next((row for row in range(self.model.count()) if self.model.itemData(row) == model), -1)

    def _choose_model(self) -> None:
        entry = self.entry
        if entry is None or entry.card is None:
            self._take(None)
            self._say(self.tr("There is no model yet. Train one, or open a model file, and come back."), "problem")
            return
        if not self._touched or not self.folder.currentText().strip():
            known = self._session.catalog.category(entry.card.category)
            folder = str(known.folder) if known is not None else entry.card.source
            with QSignalBlocker(self.folder):
                self.folder.setEditText(folder)
        self._recognise()

    # -- folders

    def _list_folders(self) -> None:
        folders = [*self._session.settings.evaluated, *(str(c.folder) for c in self._session.catalog.categories)]
        text = self.folder.currentText()
        with QSignalBlocker(self.folder):
            self.folder.clear()
            self.folder.addItems(list(dict.fromkeys(folders)))
            self.folder.setEditText(text)

    def _edit(self) -> None:
        self._touched = True
        self._take(None)
        self._wait.start()

    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("Folder of parts"), self.folder.currentText())
        if folder:
            self.folder.setEditText(folder)

    def _recognise(self) -> None:
        self._wait.stop()
        self._asked += 1
        asked = self._asked
        entry, text = self.entry, self.folder.currentText().strip()
        self._take(None)
        if entry is None or entry.card is None:
            return
        if not text:
            self._say(self.tr("Choose a folder with test/good, and beside it a folder for each kind of defect."))
            return
        folder, unit = Path(text).expanduser(), entry.card.unit
        known = next((c for c in self._session.catalog.categories if c.folder == folder), None)
        self._say(self.tr("Looking …"))

        def done(category: Category) -> None:
            if asked == self._asked:
                self._take(category)

        def failed(error: Exception) -> None:
            if asked != self._asked:
                return
            if not isinstance(error, NominalError):
                raise error
            self._say(str(error), "problem")

        self._session.jobs.submit(
            Job(
                self.tr("Looking into {name}").format(name=folder.name),
                lambda _: work.recognise(folder, unit, known.name if known is not None else None),
                done=done,
                failed=failed,
                tag="evaluate-folder",
                replaces=True,
            )
        )

    def _take(self, category: Category | None) -> None:
        self.category = category
        model = self.split.model()
        for row, split in enumerate(SPLITS):
            there = category is None or bool(category.split(split))
            model.setData(  # greyed, but it can still be chosen: what is missing is then said
                model.index(row, 0),
                None if there else self.palette().placeholderText(),
                Qt.ItemDataRole.ForegroundRole,
            )
        self._judge()

    def _judge(self) -> None:
        """Say what the chosen scans can be measured for."""
        self._possible = False
        self.notes.clear()
        self.notes.setVisible(False)
        if self.category is not None:
            text, role, self._possible = split_state(self.category, self.split.currentData())
            self._say(text, role)
            notes = [f"⚠ {warning}" for warning in self.category.warnings]
            entry = self.entry
            if entry is not None and entry.card is not None and entry.card.category != self.category.name:
                notes.append(
                    self.tr("⚠ The model was trained on {trained}, these are scans of {name}.").format(
                        trained=entry.card.category, name=self.category.name
                    )
                )
            self.notes.setText("\n".join(notes))
            self.notes.setVisible(bool(notes))
        self._look_for_images()
        self.changed.emit()

    # -- the mode

    def _look_for_images(self) -> None:
        """Ask in the worker whether scans lack what the model was trained with."""
        self._offer_alone("")
        self._looked += 1
        looked, request, session = self._looked, self.request, self._session
        if request is None or all(entry.image is not None for entry in request.category.split(request.split)):
            return
        loaded, device = session.models.find(request.model), session.settings.device

        def done(found: tuple[str, Model | None]) -> None:
            lacking, model = found
            if model is not None:
                session.models.put(request.model, model, session.model_path)
            if looked == self._looked:
                self._offer_alone(lacking)
                self.changed.emit()

        def failed(error: Exception) -> None:  # a model that cannot be read says so when it is to evaluate
            if not isinstance(error, NominalError):
                raise error

        session.jobs.submit(
            Job(
                self.tr("Looking at the scans of {name}").format(name=request.category.name),
                lambda _: evaluation_work.lacking(request, loaded, device),
                done=done,
                failed=failed,
                tag="evaluate-images",
                replaces=True,
            )
        )

    def _offer_alone(self, lacking: str) -> None:
        """Offer to judge by shape alone, where scans lack this; take the offer back where they lack nothing."""
        for widget in (self.alone, self.why_alone):
            widget.setVisible(bool(lacking))
        if not lacking:
            with QSignalBlocker(self.alone):
                self.alone.setChecked(False)
            return
        text = self.tr(
            "Some of these scans have {lacking}, and the model was trained with it. Judged in full, such scans are "
            "left out; by shape alone all are judged, but what shows in the image only is not looked for."
        )
        self.why_alone.setText(text.format(lacking=lacking))

    def _say(self, text: str, role: str = "muted") -> None:
        self.found.setText(text)
        rerole(self.found, role)
