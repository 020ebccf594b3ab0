"""What came out of an evaluation: figures, curves, parts, and the threshold to drag through them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.dialogs.evaluate_gallery import Gallery
from app.dialogs.evaluate_plots import CurvePlot, Line, PartsHistogram
from app.dialogs.evaluate_tables import DefectTable, FailureTable, MetricTable, VerdictTable
from app.evaluation_words import confusion_sentences
from app.evaluation_work import Evaluated
from app.icons import icon
from app.panels.panel import label, named, scrolled
from app.panels.thresholds import ScoreSpin
from app.quantities import number
from app.theme import LIGHT, Theme
from core.evaluation.curves import precision_recall_curve, roc_curve
from core.evaluation.ranking import Ranking
from core.evaluation.reports.tables import summary_line
from core.evaluation.results import Evaluation
from core.inspection.thresholds import Thresholds


class EvaluateResults(QWidget):
    """Shows an evaluation. Dragging the threshold moves verdicts, confusion and dots at once; nothing is recomputed.

    Signals
    -------
    use_wanted(Thresholds)
        The present thresholds are to hold for the model.
    part_wanted(key)
        A part is to be opened in the view.
    """

    use_wanted = Signal(object)
    part_wanted = Signal(str)

    def __init__(self, guarded: Callable[[Callable[..., None]], Callable[..., None]]) -> None:
        super().__init__()
        self._theme = LIGHT
        self._good = self._bad = np.zeros(0)
        self.evaluated: Evaluated | None = None
        self.thresholds: Thresholds | None = None
        self._in_force: Thresholds | None = None

        self.summary = label(role="strong", width=400)
        self.histogram = PartsHistogram()
        self.histogram.setMinimumHeight(120)
        self.histogram.setToolTip(
            self.tr("Drag the line: parts to the right of it are rejected. Nothing is computed again.")
        )
        self._legend = label(wrap=False)
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        self.verdicts = VerdictTable()
        self.effect = label(width=260)
        self.part = ScoreSpin(self.tr("Part threshold"), self.tr("A part with a higher object score is rejected."))
        self.guard = ScoreSpin(
            self.tr("Review band"),
            self.tr("Parts this close to the part threshold, on either side, are for review by a person."),
            low=0.0,
        )
        self.reset = QPushButton(self.tr("Calibrated"))
        self.reset.setAutoDefault(False)
        self.reset.setToolTip(self.tr("Back to the threshold that the good parts of the training gave."))
        self.use = QPushButton(self.tr("&Use this threshold"))
        self.use.setAutoDefault(False)
        self.use.setToolTip(
            self.tr("Inspect with this threshold from now on, as if it had been set in the window. Undo takes it back.")
        )
        self.in_force = label(role="muted", width=260)

        self.metrics = MetricTable()
        self.kinds = DefectTable()
        self.roc = CurvePlot(self.tr("ROC"), self.tr("good ones rejected"), self.tr("defective ones found"))
        self.precision = CurvePlot(
            self.tr("Precision and recall"), self.tr("defective ones found"), self.tr("of the rejected, defective")
        )
        self.overlap = CurvePlot(
            self.tr("Overlap with the defects (AUPRO)"), self.tr("good points marked"), self.tr("of a defect, marked")
        )
        self.dot_note = label(
            self.tr("The dot is the part threshold. Solid: parts; dashed: points of parts."), "muted", width=260
        )
        self.misses = Gallery(self.tr("Defective parts with the lowest scores"))
        self.alarms = Gallery(self.tr("Good parts with the highest scores"))
        self.misses_note, self.alarms_note = label(role="muted", width=260), label(role="muted", width=260)
        self.failures = FailureTable()
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName(self.tr("Results"))
        self.tabs.setDocumentMode(True)
        self._lay_out()
        self.histogram.moved.connect(guarded(lambda value: self.change(part=value)))
        self.part.valueChanged.connect(guarded(lambda value: self.change(part=float(value))))
        self.guard.valueChanged.connect(guarded(lambda value: self.change(guard=float(value))))
        self.reset.clicked.connect(guarded(lambda *_: self._reset()))
        self.use.clicked.connect(guarded(lambda *_: self.use_wanted.emit(self.thresholds)))
        for gallery in (self.misses, self.alarms):
            gallery.opened.connect(guarded(lambda key: self.part_wanted.emit(key)))

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(named(self.tr("&Part threshold"), self.part))
        row.addWidget(self.part, 1)
        row.addWidget(named(self.tr("&band ±"), self.guard))
        row.addWidget(self.guard, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.use)
        buttons.addWidget(self.reset)
        buttons.addStretch()
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 6, 0)
        column.setSpacing(6)
        column.addWidget(self._legend)
        column.addWidget(self.histogram, 1)
        column.addLayout(row)
        column.addWidget(self.verdicts)
        column.addWidget(self.effect)
        column.addLayout(buttons)
        column.addWidget(self.in_force)
        curves = QWidget()
        grid = QGridLayout(curves)
        grid.setContentsMargins(4, 6, 4, 4)
        grid.addWidget(self.roc, 0, 0)
        grid.addWidget(self.precision, 0, 1)
        grid.addWidget(self.overlap, 1, 0, 1, 2)
        grid.addWidget(self.dot_note, 2, 0, 1, 2)
        self._pages = {
            "figures": scrolled(self.metrics),
            "kinds": self.kinds,
            "curves": scrolled(curves),
            "misses": _page(self.misses, self.misses_note),
            "alarms": _page(self.alarms, self.alarms_note),
            "failures": self.failures,
        }
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(left)
        self.splitter.addWidget(self.tabs)
        self.splitter.setStretchFactor(0, 2)
        self.splitter.setStretchFactor(1, 3)
        self.splitter.setSizes([420, 630])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.summary)
        layout.addWidget(self.splitter, 1)

    # -- showing

    @property
    def shown(self) -> Evaluation | None:
        """The evaluation at the present thresholds."""
        if self.evaluated is None or self.thresholds is None:
            return None
        return self.evaluated.evaluation.at(self.thresholds)

    def show_evaluated(self, evaluated: Evaluated, in_force: Thresholds) -> None:
        """Show another evaluation, at the thresholds that are in force for its model."""
        self.evaluated, self._in_force = evaluated, in_force
        evaluation = evaluated.evaluation
        self.summary.setText(summary_line(evaluation))
        self._good, self._bad = (
            np.array([part.score for part in evaluation.judged if part.defective is bad], np.float64)
            for bad in (False, True)
        )
        self.histogram.set_parts(self._good, self._bad, in_force.part)
        self.metrics.show_evaluation(evaluation)
        self._show_curves(evaluation)
        self.misses.set_parts(evaluation.misses(), evaluated.pictures)
        self.alarms.set_parts(evaluation.false_alarms(), evaluated.pictures)
        self.failures.show_parts(evaluation.failures, self._theme)
        self._fill_tabs(evaluation)
        self._apply(in_force, anew=True)

    def _fill_tabs(self, evaluation: Evaluation) -> None:
        """The tabs that there is something for."""
        kept = self.tabs.currentWidget()
        self.tabs.clear()
        failed = len(evaluation.failures)
        known = bool(evaluation.metrics)
        for key, text, there in (
            ("figures", self.tr("Figures"), True),
            ("kinds", self.tr("Kinds of defect"), bool(evaluation.by_defect)),
            ("curves", self.tr("Curves"), known),
            ("misses", self.tr("Worst misses"), self.misses.count() > 0),
            ("alarms", self.tr("False alarms") if known else self.tr("Highest scores"), self.alarms.count() > 0),
            ("failures", self.tr("Not judged ({n})").format(n=failed), failed > 0),
        ):
            if there:
                self.tabs.addTab(self._pages[key], text)
        if kept is not None and self.tabs.indexOf(kept) >= 0:
            self.tabs.setCurrentWidget(kept)

    def _show_curves(self, evaluation: Evaluation) -> None:
        judged = evaluation.judged
        roc: list[Line] = []
        precision: list[Line] = []
        ranking = Ranking.of([p.score or 0.0 for p in judged], [p.defective for p in judged])
        if not ranking.one_class:
            roc.append(Line(self.tr("parts"), roc_curve(ranking)))
            precision.append(Line(self.tr("parts"), precision_recall_curve(ranking)))
        curves = evaluation.curves
        if "p_roc" in curves:
            roc.append(Line(self.tr("points"), curves["p_roc"], second=True))
            precision.append(Line(self.tr("points"), curves["p_pr"], second=True))
        self.roc.set_lines(*roc)
        self.precision.set_lines(*precision)
        self.overlap.setVisible("overlap" in curves)
        if "overlap" in curves:
            line = curves["overlap"]
            self.overlap.set_lines(Line(self.tr("defects"), line, second=True), x_end=float(line.x[-1]) or 1.0)

    def set_theme(self, theme: Theme) -> None:
        """Dress in a theme."""
        self._theme = theme
        self.histogram.dress(theme, theme.part_line)
        for plot in (self.roc, self.precision, self.overlap):
            plot.dress(theme)
        swatch = '<span style="color:{}">■</span>&nbsp;{}'
        self._legend.setText(
            "&nbsp;&nbsp;".join(
                (
                    swatch.format(theme.good_bars, self.tr("good parts, upwards")),
                    swatch.format(theme.scan_bars, self.tr("defective, downwards")),
                    f'<span style="color:{theme.part_line}">┃</span>&nbsp;' + self.tr("threshold"),
                )
            )
        )
        self.verdicts.set_theme(theme)
        self.reset.setIcon(icon("reset", theme))
        self.use.setIcon(icon("accept", theme))
        for gallery in (self.misses, self.alarms):
            gallery.set_theme(theme, self.thresholds)
        if self.evaluated is not None and self.thresholds is not None:
            self.failures.show_parts(self.evaluated.evaluation.failures, theme)
            self._apply(self.thresholds)

    # -- the threshold

    def change(self, **changes: float) -> None:
        """Try other thresholds."""
        if self.thresholds is not None:
            self._apply(self.thresholds.replaced(**changes))

    def set_in_force(self, thresholds: Thresholds) -> None:
        """Say which thresholds hold for the model now."""
        self._in_force = thresholds
        if self.thresholds is not None:
            self._apply(self.thresholds)

    def _reset(self) -> None:
        if self.evaluated is not None:
            calibrated = self.evaluated.calibrated
            self.change(part=calibrated.part, guard=calibrated.guard)

    def _apply(self, thresholds: Thresholds, *, anew: bool = False) -> None:
        """Everything that follows the threshold."""
        self.thresholds = thresholds
        assert self.evaluated is not None
        evaluation = self.evaluated.evaluation
        self.histogram.set_threshold(thresholds.part)
        self.histogram.set_band(thresholds.part, thresholds.guard)
        self.part.show_value(thresholds.part, thresholds.part)
        self.guard.show_value(thresholds.guard, thresholds.part)
        confusion = evaluation.confusion(thresholds)
        self.verdicts.show_confusion(confusion)
        self.effect.setText("\n".join(confusion_sentences(confusion)))
        if evaluation.by_defect:
            self.kinds.show_evaluation(evaluation.at(thresholds), anew=anew)
        for gallery in (self.misses, self.alarms):
            gallery.show_verdicts(thresholds)
        self.misses_note.setText(
            self.tr(
                "Defective parts, the lowest score first; {n} of {of} are accepted at this threshold. What is known "
                "of a defect is outlined."
            ).format(n=confusion.misses.count, of=confusion.misses.of)
        )
        self.alarms_note.setText(
            self.tr("Good parts, the highest score first; {n} of {of} are rejected at this threshold.").format(
                n=confusion.false_rejects.count, of=confusion.false_rejects.of
            )
        )
        self._place_dots(thresholds)
        calibrated, in_force = self.evaluated.calibrated, self._in_force
        same = in_force is not None and (in_force.part, in_force.guard) == (thresholds.part, thresholds.guard)
        self.use.setEnabled(not same)
        self.reset.setEnabled((calibrated.part, calibrated.guard) != (thresholds.part, thresholds.guard))
        text = self.tr("This is the threshold that the model inspects with.")
        if not same and in_force is not None:
            text = self.tr("The model inspects with {part} ± {guard}.").format(
                part=number(in_force.part), guard=number(in_force.guard, 2)
            )
        self.in_force.setText(text)

    def _place_dots(self, thresholds: Thresholds) -> None:
        """Where the threshold stands on the curves of the parts."""
        if not len(self._good) or not len(self._bad):
            self.roc.set_dot(None)
            self.precision.set_dot(None)
            return
        false, found = int((self._good > thresholds.part).sum()), int((self._bad > thresholds.part).sum())
        recall = found / len(self._bad)
        self.roc.set_dot((false / len(self._good), recall))
        self.precision.set_dot((recall, found / (found + false)) if found + false else None)


def _page(gallery: Gallery, note: QWidget) -> QWidget:
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(0, 8, 0, 0)
    layout.addWidget(note)
    layout.addWidget(gallery, 1)
    return page
