"""Training: what to learn from, how, then progress with a live curve, then the calibration report."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QGroupBox,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from app.dialogs.category_form import CategoryForm
from app.dialogs.config_form import ConfigForm
from app.dialogs.feature_note import FeatureNote
from app.dialogs.mode_note import ModeNote
from app.dialogs.train_report import report_lines, validation_line
from app.dialogs.train_several import AlsoTrain, SeveralReport, reason
from app.jobs import Job
from app.links import Links
from app.panels.panel import label, rerole, scrolled
from app.quantities import duration
from app.session import Session
from app.theme import Theme
from app.work import FeatureRequest, Method, Trained, TrainRequest
from core.datasets.category import Category
from core.errors import CategoryError, ScanError

if TYPE_CHECKING:
    from core.several import Outcome

_COLORS = ("scan_bars", "good_bars", "part_line", "accept")


class TrainDialog(QDialog):
    """Three pages: the choice, the progress, the report.

    Parameters
    ----------
    session : Session
    theme : Theme
    folder, unit, name : optional
        Of the category to start with.

    Signals
    -------
    weights_wanted
        The user asked to see the backbone weights.
    """

    weights_wanted = Signal()

    def __init__(
        self,
        session: Session,
        theme: Theme,
        folder: Path | None = None,
        unit: str = "",
        name: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._theme = session, theme
        self._job: Job | None = None
        self._links = Links()
        self._started = 0.0
        self._finished: Callable[[], None] | None = None
        self.config: ConfigForm | None = None
        self._curves: dict[str, tuple[list[float], list[float], pg.PlotDataItem]] = {}
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Train a model"))
        self.resize(640, 620)
        self.pages = QStackedWidget()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 12)
        layout.addWidget(self.pages)
        self._build_choice(folder, unit, name)
        self._build_running()
        self._build_report()
        guarded = session.failures.guarded
        self._links.add(session.jobs.progressed, guarded(self._show_progress))
        self._links.add(session.jobs.measured, guarded(self._add_value))
        self._links.add(session.workshop.trained, guarded(self._show_report))
        self._links.add(session.workshop.trained_several, guarded(self._show_several))
        self._links.add(session.workshop.prepared, guarded(self._fill_methods))
        self._links.add(session.weights.changed, guarded(self._weights_changed))
        self.finished.connect(self._links.cut)
        self._fill_methods()

    # -- the choice

    def _build_choice(self, folder: Path | None, unit: str, name: str) -> None:
        page = QWidget()
        self.form = CategoryForm(self._session, folder, unit, name)
        self.method = QComboBox()
        self.method.setAccessibleName(self.tr("Method"))
        self.summary = label(role="muted", width=360)
        self.preset = QComboBox()
        self.preset.setAccessibleName(self.tr("Preset"))
        self.preset.setToolTip(
            self.tr("fast: what a CPU does in seconds to minutes. paper: the constants of the paper.")
        )
        self.features = FeatureNote(self._session.weights)
        self.mode = ModeNote(self._session)
        self.model_name = QLineEdit()
        self.model_name.setPlaceholderText(self.tr("category, method and preset"))
        self.model_name.setAccessibleName(self.tr("Name of the model"))
        self.budget = QDoubleSpinBox()
        self.budget.setRange(0.1, 50.0)
        self.budget.setDecimals(1)
        self.budget.setValue(5.0)
        self.budget.setSuffix(" %")
        self.budget.setAccessibleName(self.tr("False-reject budget"))
        self.budget.setToolTip(
            self.tr("How many good parts may be rejected by mistake. The part threshold is set from it.")
        )
        self.budget_note = label(role="muted", width=360)
        self.also = AlsoTrain()
        self.validated = QCheckBox(self.tr("&Measure on validation parts"))
        self.validated.setChecked(True)
        self.validated.setToolTip(
            self.tr(
                "So that methods can be compared: on labelled validation parts where there are some, else on made "
                "defects on good scans held out for this. Test scans are not looked at."
            )
        )
        self.advanced = QCollapsible(self.tr("All settings of the method"), expandedIcon="▾", collapsedIcon="▸")
        self.advanced.setDuration(0)

        what = QGroupBox(self.tr("Good parts"))
        box = QVBoxLayout(what)
        box.addWidget(self.form)
        how = QGroupBox(self.tr("Method"))
        grid = QFormLayout(how)
        grid.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        grid.addRow(self.tr("&Method"), self.method)
        grid.addRow("", self.summary)
        grid.addRow(self.tr("&Preset"), self.preset)
        self.mode.put_into(grid, self.tr("Mode"))
        grid.addRow(self.tr("Features"), self.features)
        grid.addRow(self.tr("Model &name"), self.model_name)
        grid.addRow(self.tr("False-reject &budget"), self.budget)
        grid.addRow("", self.budget_note)
        grid.addRow(self.tr("Also train"), self.also)
        grid.addRow("", self.validated)
        grid.addRow(self.advanced)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.start = QPushButton(self.tr("Train"))
        self.start.setProperty("role", "primary")
        self.start.setDefault(True)
        buttons.addButton(self.start, QDialogButtonBox.ButtonRole.AcceptRole)
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 4, 0)
        inner.addWidget(what)
        inner.addWidget(how)
        inner.addStretch()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolled(content), 1)
        layout.addWidget(buttons)
        self.pages.addWidget(page)

        guarded = self._session.failures.guarded
        buttons.rejected.connect(self.close)
        buttons.accepted.connect(guarded(self._train))
        self.form.recognised.connect(guarded(lambda _: self._check()))
        self.method.currentIndexChanged.connect(guarded(lambda _: self._choose_method()))
        self.preset.currentIndexChanged.connect(guarded(lambda _: self._choose_preset()))
        self.budget.valueChanged.connect(guarded(lambda _: self._check()))
        self.features.weights_wanted.connect(self.weights_wanted)
        self._check()

    def _fill_methods(self) -> None:
        if self.method.count() or not self._session.workshop.methods:
            return
        for method in self._session.workshop.methods:
            title = self.tr("{title} (reference)").format(title=method.title) if method.reference else method.title
            self.method.addItem(title, method)
        self.also.set_methods(self._session.workshop.methods)
        self._choose_method()

    @property
    def chosen_method(self) -> Method | None:
        found = self.method.currentData()
        return found if isinstance(found, Method) else None

    def _choose_method(self) -> None:
        method = self.chosen_method
        if method is None:
            return
        self.summary.setText(method.summary)
        self.preset.clear()
        for name in method.presets:
            self.preset.addItem(name, name)
        if "fast" in method.presets:
            self.preset.setCurrentText("fast")
        self._check()

    def _choose_preset(self) -> None:
        method, preset = self.chosen_method, self.preset.currentData()
        if method is None or preset is None:
            return
        if self.config is not None:
            self.advanced.removeWidget(self.config)
            self.config.hide()
            self.config.deleteLater()
        self.config = ConfigForm(method, preset)
        self.config.changed.connect(self._session.failures.guarded(self._show_features))
        self.advanced.addWidget(self.config)
        self._show_features()

    def _weights_changed(self) -> None:
        if self.config is not None:
            self.config.refresh()
        self._show_features()

    def _show_features(self) -> None:
        """What the method would see with, as chosen now."""
        method, preset = self.chosen_method, self.preset.currentData()
        if method is None or preset is None or self.config is None:
            return
        category = self.form.category
        images = category is not None and all(entry.image is not None for entry in category.good_train())
        request = FeatureRequest(method.id, preset, self.config.changes, images)
        self.mode.show_for(request, category)
        self.features.show_for(request, category)

    def _check(self) -> None:
        self._show_features()
        category, method = self.form.category, self.chosen_method
        good = 0 if category is None else len(category.good_train())
        enough = method is not None and good >= method.min_scans
        if method is not None:
            self.also.show_for(method, self.preset.currentData() or "", good)
        self.start.setEnabled(category is not None and enough)
        if category is None:
            self.budget_note.setText("")
            return
        if method is not None and not enough:
            rerole(self.budget_note, "problem")
            self.budget_note.setText(
                self.tr("{title} needs at least {n} good scans, the folder has {good}.").format(
                    title=method.title, n=method.min_scans, good=good
                )
            )
            return
        self._check_budget(category, good)

    def _check_budget(self, category: Category, good: int) -> None:
        """Say before the training whether the good parts can support the budget."""
        parts = good + len([e for e in category.split("validation") if not e.defect or e.defect == "good"])
        needed = int(-(-100 // self.budget.value())) - 1
        short = parts < needed
        rerole(self.budget_note, "warning" if short else "muted")
        self.budget_note.setText(
            self.tr(
                "⚠ {parts} good parts cannot prove {budget} %: it takes {needed}. The best they support is used."
            ).format(parts=parts, budget=f"{self.budget.value():g}", needed=needed)
            if short
            else self.tr("{parts} good parts are enough for this budget.").format(parts=parts)
        )

    def _train(self) -> None:
        method, category = self.chosen_method, self.form.category
        if method is None or category is None:
            return
        self._session.settings.unit = category.unit
        request = TrainRequest(
            category=category,
            pipeline=method.id,
            preset=self.preset.currentData(),
            changes=self.config.changes if self.config is not None else {},
            name=self.model_name.text().strip(),
            part_budget=self.budget.value() / 100,
        )
        also = self.also.chosen
        self._finished = None
        self._started = time.monotonic()
        self.what.setText(self.tr("Starting …"))
        self.left.clear()
        self.bar.setValue(0)
        self._clear_curves()
        self.running_title.setText(
            (
                self.tr("{n_methods} methods learn {category} from {n} good scans")
                if also
                else self.tr("{method} learns {category} from {n} good scans")
            ).format(method=method.title, n_methods=1 + len(also), category=category.name, n=len(category.good_train()))
        )
        self.pages.setCurrentIndex(1)
        workshop, validated = self._session.workshop, self.validated.isChecked()
        if also:
            job = workshop.train_several(request, also, validated=validated)
            self._finished = job.cancelled
        else:
            job = workshop.train(request, validated=validated)
        job.failed = self._fail
        job.cancelled = self._stopped
        self._job = job

    # -- the progress

    def _build_running(self) -> None:
        page = QWidget()
        self.running_title = label(role="heading")
        self.what = label()
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress of the training"))
        self.left = label(role="muted")
        self.plot = pg.PlotWidget()
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.setMouseEnabled(False, False)
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot.viewport().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot.setBackground(self._theme.base)
        self.plot.setAccessibleName(self.tr("Curve of the training"))
        for side in ("left", "bottom"):
            axis = self.plot.getAxis(side)
            axis.setPen(pg.mkPen(self._theme.border))
            axis.setTextPen(pg.mkPen(self._theme.muted))
        self.plot.showGrid(x=False, y=True, alpha=0.15)
        self._legend = self.plot.addLegend(offset=(-10, 10), labelTextColor=self._theme.text)
        self.no_curve = label(self.tr("The curve of the training appears here, for methods that have one."), "muted")
        buttons = QDialogButtonBox()
        self.hide_button = buttons.addButton(self.tr("Go on in the background"), QDialogButtonBox.ButtonRole.ActionRole)
        self.stop = buttons.addButton(self.tr("Cancel the training"), QDialogButtonBox.ButtonRole.RejectRole)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.running_title, self.what, self.bar, self.left):
            layout.addWidget(widget)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.no_curve)
        layout.addWidget(buttons)
        self.pages.addWidget(page)
        self.stop.clicked.connect(self._cancel)
        self.hide_button.clicked.connect(self.hide)

    def _show_progress(self, job: Job) -> None:
        if job is not self._job:
            return
        self.what.setText(job.what)
        self.bar.setValue(round(1000 * job.fraction))
        elapsed = time.monotonic() - self._started
        text = self.tr("{percent} %, {elapsed} so far").format(
            percent=round(100 * job.fraction), elapsed=duration(elapsed)
        )
        if job.fraction > 0.03 and elapsed > 2:
            text += self.tr(", about {left} left").format(left=duration(elapsed * (1 - job.fraction) / job.fraction))
        self.left.setText(text)

    def _add_value(self, job: Job, name: str, step: float, value: float) -> None:
        if job is not self._job:
            return
        method = name.partition(": ")[0] if ": " in name else ""
        if any(other.partition(": ")[0] != method for other in self._curves if method):
            self._clear_curves()  # another method's curves have another scale
        if name not in self._curves:
            color = getattr(self._theme, _COLORS[len(self._curves) % len(_COLORS)])
            self._curves[name] = ([], [], self.plot.plot(name=name, pen=pg.mkPen(color, width=2)))
            self.no_curve.hide()
        steps, values, curve = self._curves[name]
        steps.append(step)
        values.append(value)
        curve.setData(steps, values)

    def _clear_curves(self) -> None:
        for _, _, curve in self._curves.values():
            self.plot.removeItem(curve)
        self._curves.clear()
        self.no_curve.show()

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()
            self.what.setText(self.tr("Stopping at the next step …"))

    def _stopped(self) -> None:
        self._job = None
        text = self.tr("The training was cancelled. Nothing was kept.")
        if self._finished is not None:
            self._finished()
            text = self.tr("The training was cancelled. Models that were finished before are in the library.")
        self._session.message.emit(text)
        self.pages.setCurrentIndex(0)

    def _fail(self, error: Exception) -> None:
        self._job = None
        self.pages.setCurrentIndex(0)
        self.show()
        if isinstance(error, CategoryError | ScanError):
            self.form.found.setText(str(error))
            rerole(self.form.found, "problem")
        raise error

    # -- the report

    def _build_report(self) -> None:
        page = QWidget()
        self.report_title = label(role="heading")
        self.report = label()
        self.report.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.verdict_note = label()
        self.several = SeveralReport()
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        again = buttons.addButton(self.tr("Train another"), QDialogButtonBox.ButtonRole.ActionRole)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(self.report_title)
        layout.addWidget(self.report)
        layout.addWidget(self.verdict_note)
        layout.addWidget(self.several, 1)
        layout.addStretch()
        layout.addWidget(buttons)
        self.pages.addWidget(page)
        buttons.rejected.connect(self.close)
        again.clicked.connect(lambda: self.pages.setCurrentIndex(0))

    def _show_report(self, trained: Trained) -> None:
        if self._job is None:
            return
        self._job = None
        self.report_title.setText(self.tr("{name} is ready").format(name=trained.card.name))
        self.report.setText("\n".join(report_lines(trained, time.monotonic() - self._started)))
        sound = trained.calibration.sound
        self.verdict_note.setText(("" if sound else "⚠ ") + trained.calibration.advice)
        rerole(self.verdict_note, "" if sound else "warning")
        self.several.hide()
        self.pages.setCurrentIndex(2)
        self.show()

    def _show_several(self, outcomes: tuple[Outcome, ...]) -> None:
        """One row a method, and what they were compared on."""
        if self._job is None:
            return
        from core.store.validation_score import best_of

        self._job = None
        ready = [outcome for outcome in outcomes if outcome.card is not None]
        self.report_title.setText(self.tr("{n} of {of} models are ready").format(n=len(ready), of=len(outcomes)))
        measured = next((outcome.validation for outcome in ready if outcome.validation is not None), None)
        lines = [
            self.tr("Trained in {time}.").format(time=duration(time.monotonic() - self._started)),
            validation_line(measured),
        ]
        self.report.setText("\n".join(lines))
        titles = {method.id: method.title for method in self._session.workshop.methods}
        failed = (outcome for outcome in outcomes if outcome.card is None)
        self.verdict_note.setText(
            "\n".join(
                self.tr("⚠ {method} was not trained. {why}").format(
                    method=titles.get(outcome.choice.pipeline, outcome.choice.pipeline), why=reason(outcome)
                )
                for outcome in failed
            )
        )
        rerole(self.verdict_note, "warning")
        best = best_of([outcome.validation for outcome in outcomes])
        self.several.show_outcomes(outcomes, best, titles, self._theme)
        self.several.show()
        self.pages.setCurrentIndex(2)
        self.show()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._job is not None:  # a running training goes on; the status bar shows it
            event.ignore()
            self.hide()
            return
        super().closeEvent(event)

    def reject(self) -> None:
        if self._job is not None:
            self.hide()
        else:
            super().reject()
