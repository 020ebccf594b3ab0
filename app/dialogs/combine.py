"""The Combine dialog: which models of a category judge together, and what their good parts can promise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHeaderView,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app import combine_work
from app.jobs import Job
from app.model_comparison import validation_of
from app.panels.inspect import model_tip, model_title
from app.panels.panel import label
from app.session import Session
from core.progress import Progress
from core.store.validation_score import comparable

PATH = Qt.ItemDataRole.UserRole
_TELLS, _KNOWS = 1, 2
"""Columns."""
_LEAST_PARTS = 3
_ENOUGH = 19
"""Common good parts from which on a false-reject rate of 5 % is supported."""


class CombineDialog(QDialog):
    """Offers a category's models; what it makes is in the library and chosen.

    Parameters
    ----------
    session : Session
    category : str
        Its name.
    """

    def __init__(self, session: Session, category: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Combine models"))
        self.setMinimumSize(560, 420)
        self._session, self._category = session, category
        self._known: Mapping[Path, frozenset[str]] = {}
        self.job: Job | None = None
        self._over = False  # closed: what a job still brings is not shown any more

        self.models = QTreeWidget()
        self.models.setHeaderLabels([self.tr("Model"), self.tr("Tells defects"), self.tr("Good parts it knows")])
        self.models.headerItem().setToolTip(
            _TELLS, self.tr("P-AUPR on validation parts: 1 if every defective point scores above every good one.")
        )
        self.models.setRootIsDecorated(False)
        self.models.setUniformRowHeights(True)
        self.models.setAccessibleName(self.tr("Models to combine"))
        header = self.models.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (_TELLS, _KNOWS):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.combination = QComboBox()
        self.combination.addItem(self.tr("Models must agree (Fisher)"), "fisher")
        self.combination.addItem(self.tr("Follow the surest model (harmonic mean)"), "harmonic")
        self.combination.setAccessibleName(self.tr("How they decide"))
        self.weighing = QComboBox()
        self.weighing.addItem(self.tr("By how well each tells defects"), "validation")
        self.weighing.addItem(self.tr("All the same"), "equal")
        self.weighing.setAccessibleName(self.tr("What each model counts"))
        self.said = label(width=480)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.combine = QPushButton(self.tr("Combine"))
        self.combine.setProperty("role", "primary")
        self.buttons.addButton(self.combine, QDialogButtonBox.ButtonRole.AcceptRole)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(10)
        layout.addWidget(label(self.tr("Several models of {name} as one").format(name=category), "heading", width=480))
        layout.addWidget(
            label(
                self.tr(
                    "Each model says how surprising a part is against the good parts that none of them was fitted on. "
                    "Their consensus judges by all of it, with thresholds from the same good parts, and its maps show "
                    "who flags what. An inspection takes as long as all of them together."
                ),
                "muted",
                width=480,
            )
        )
        layout.addWidget(self.models, 1)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(self.tr("&Decision"), self.combination)
        form.addRow(self.tr("What each &counts"), self.weighing)
        layout.addLayout(form)
        layout.addWidget(self.said)
        layout.addWidget(self.buttons)

        guarded = session.failures.guarded
        self.models.itemChanged.connect(guarded(lambda *_: self._say()))
        self.weighing.currentIndexChanged.connect(guarded(lambda *_: self._say()))
        self.buttons.rejected.connect(self.reject)
        self.combine.clicked.connect(guarded(self._combine))
        self._fill()
        self._say()
        self._look()

    @property
    def chosen(self) -> list[Path]:
        """The models that are ticked, the oldest first: methods run in the order in which they were trained."""
        rows = reversed(self._rows())
        return [item.data(0, PATH) for item in rows if item.checkState(0) == Qt.CheckState.Checked]

    def _rows(self) -> list[QTreeWidgetItem]:
        rows = (self.models.topLevelItem(i) for i in range(self.models.topLevelItemCount()))
        return [item for item in rows if item is not None]

    def _fill(self) -> None:
        for entry in combine_work.candidates(self._session.catalog.models(self._category)):
            score = validation_of(entry)
            measured = score is not None and score.tells_points
            tells = f"{score.points:.2f}" if score and measured else self.tr("not measured")
            item = QTreeWidgetItem([model_title(entry), tells, self.tr("looking …")])
            item.setData(0, PATH, entry.path)
            item.setToolTip(0, model_tip(entry))
            item.setCheckState(0, Qt.CheckState.Unchecked)
            item.setDisabled(True)
            self.models.addTopLevelItem(item)

    def _look(self) -> None:
        """Read what each model knows, in the worker."""
        paths = [item.data(0, PATH) for item in self._rows()]
        self._session.jobs.submit(
            Job(
                self.tr("Looking at the models"),
                lambda _: combine_work.known_parts(paths),
                done=self._take_known,
                tag="combinable",
                replaces=True,
            )
        )

    def _take_known(self, known: Mapping[Path, frozenset[str]]) -> None:
        if self._over:
            return
        self._known = known
        methods: set[str] = set()
        for item in self._rows():
            path = item.data(0, PATH)
            count = len(known.get(path, ()))
            if not count:
                item.setText(_KNOWS, self.tr("none: train again"))
                item.setToolTip(_KNOWS, self.tr("It was trained before models remembered their good parts one by one."))
                continue
            item.setDisabled(False)
            item.setText(_KNOWS, str(count))
            entry = self._session.catalog.model(path)
            method = entry.card.pipeline if entry is not None and entry.card is not None else ""
            if method not in methods:  # the newest of each method
                methods.add(method)
                item.setCheckState(0, Qt.CheckState.Checked)
        self._say()

    def _say(self) -> None:
        chosen = self.chosen
        known = [self._known.get(path, frozenset()) for path in chosen]
        common = len(frozenset.intersection(*known)) if known else 0
        possible = len(chosen) > 1 and common >= _LEAST_PARTS and self.job is None
        self.combine.setEnabled(possible)
        if len(chosen) < 2:
            text = self.tr("Tick two models or more.")
        elif common < _LEAST_PARTS:
            text = self.tr(
                "These models were calibrated on different good parts ({n} in common). Train them again on the same "
                "folder."
            ).format(n=common)
        else:
            text = self.tr("{n} good parts are known to all {m}.").format(n=common, m=len(chosen))
            if common < _ENOUGH:
                text += " " + self.tr("They support a false-reject rate of {rate} % at best.").format(
                    rate=f"{100 / (common + 1):.2g}"
                )
            text += " " + self._weighing_said()
        self.said.setText(text)

    @property
    def _unmeasured(self) -> bool:
        """Whether the ticked models must be measured on validation parts before they can be weighed."""
        entries = [self._session.catalog.model(path) for path in self.chosen]
        return not comparable([None if entry is None else validation_of(entry) for entry in entries])

    def _weighing_said(self) -> str:
        if self.weighing.currentData() == "equal" or not self._unmeasured:
            return ""
        if self._session.catalog.category(self._category) is None:
            return self.tr("Not all were measured on the same validation parts: they will all count the same.")
        return self.tr("Not all were measured on the same validation parts: this is done first and takes some minutes.")

    def _combine(self) -> None:
        session, paths = self._session, self.chosen
        library, device = session.library, session.settings.device
        combination, weighing = str(self.combination.currentData()), str(self.weighing.currentData())
        measured_on = session.catalog.category(self._category) if weighing == "validation" else None

        def run(progress: Progress) -> combine_work.Trained:
            return combine_work.combine(paths, combination, weighing, measured_on, library, device, progress)

        def made_one(made: combine_work.Trained) -> None:
            session.catalog.refresh()
            session.models.put(made.path, made.model, session.model_path)
            session.choose_model(made.path)
            session.take_model(made.path, made.model)
            session.message.emit(
                self.tr("{name} is ready. {weighing}").format(
                    name=made.card.name, weighing=combine_work.weighing_said(made.model)
                )
            )
            if not self._over:
                self.accept()

        self.job = session.jobs.submit(
            Job(
                self.tr("Combining models of {name}").format(name=self._category),
                run,
                done=made_one,
                failed=self._failed,
                cancelled=self._stopped,
                tag="combine",
            )
        )
        self.said.setText(
            self.tr("Measuring the models on validation parts …")
            if measured_on is not None and self._unmeasured
            else self.tr("Loading the models and comparing their good parts …")
        )
        self.combine.setEnabled(False)
        self.models.setEnabled(False)
        self.weighing.setEnabled(False)
        self.combination.setEnabled(False)

    def _stopped(self) -> None:
        self.job = None
        if self._over:
            return
        for one in (self.models, self.weighing, self.combination):
            one.setEnabled(True)
        self._say()

    def _failed(self, error: Exception) -> None:
        self._stopped()
        raise error

    def done(self, result: int) -> None:
        """Close; a consensus that is still being made is given up."""
        if self.job is not None and result == QDialog.DialogCode.Rejected:
            self.job.cancel()
        self._over = True
        super().done(result)
