"""The thresholds panel: where marking and rejecting begin, and what that would do to good parts."""

from __future__ import annotations

import time

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.icons import icon
from app.panels.panel import Panel, label, named, rerole
from app.panels.plots import PartStrip, PointHistogram
from app.quantities import decimals, number, percent
from app.session import Session
from app.theme import Theme
from core.inspection.calibration import Calibration
from core.inspection.thresholds import Thresholds

_BURST = 0.8
"""Seconds within which steps of one spin box are one undo step."""
_LARGEST_POINTS = 5000
_TEXT_WIDTH = 280  # pixels; the controls need this much anyway


class ScoreSpin(QDoubleSpinBox):
    """A spin box for a raw score: as many decimals as its size asks for."""

    def __init__(self, name: str, tip: str, low: float = -1e9) -> None:
        super().__init__()
        self.setRange(low, 1e9)
        self.setDecimals(4)
        self.setKeyboardTracking(False)
        self.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        self.setAccessibleName(name)
        self.setToolTip(tip)
        self.setMinimumWidth(72)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_value(self, value: float, scale: float) -> None:
        """Put ``value`` without a signal, with decimals for a quantity of size ``scale``."""
        with QSignalBlocker(self):
            self.setSpecialValueText("")
            self.setDecimals(max(2, decimals(scale or value, 4)))
            self.setValue(value)

    def show_nothing(self) -> None:
        """Stand empty: there is no value."""
        with QSignalBlocker(self):
            self.setSpecialValueText(number(None))
            self.setValue(self.minimum())


class ThresholdsPanel(Panel):
    """Moves the thresholds; nothing is scored again."""

    busy_moved = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._gesture = 0
        self._last: tuple[str, float] = ("", 0.0)

        self.histogram = PointHistogram()
        self.histogram.setMinimumHeight(90)
        self.histogram.setMaximumHeight(200)
        self.histogram.setToolTip(self.tr("Drag the line: points with a score to the right of it are marked."))
        self.strip = PartStrip()
        self.strip.setFixedHeight(66)
        self.strip.setToolTip(
            self.tr("Drag the line: parts to the right of it are rejected. Dots: good parts; diamond: this part.")
        )
        self._legend = label(wrap=False)
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        self._part_legend = label(wrap=False)
        self._part_legend.setTextFormat(Qt.TextFormat.RichText)
        self.logarithmic = QCheckBox(self.tr("Log"))
        self.logarithmic.setToolTip(self.tr("Count on a logarithmic axis, so that few marked points show."))
        self.logarithmic.setChecked(session.settings.log_counts)
        self.histogram.set_logarithmic(session.settings.log_counts)

        self.point = ScoreSpin(self.tr("Point threshold"), self.tr("A point with a higher score is marked."))
        self.part = ScoreSpin(self.tr("Part threshold"), self.tr("A part with a higher object score is rejected."))
        self.guard = ScoreSpin(
            self.tr("Review band"),
            self.tr("Parts this close to the part threshold, on either side, are for review by a person."),
            low=0.0,
        )
        self.min_points = QSpinBox()
        self.min_points.setRange(1, _LARGEST_POINTS)
        self.min_points.setKeyboardTracking(False)
        self.min_points.setSuffix(self.tr(" points"))
        self.min_points.setAccessibleName(self.tr("Smallest defect in points"))
        self.min_points.setToolTip(self.tr("Connected groups of fewer marked points are no defects."))
        self.min_slider = QSlider(Qt.Orientation.Horizontal)
        self.min_slider.setRange(0, 100)
        self.min_slider.setAccessibleName(self.tr("Smallest defect in points"))
        self.min_slider.setToolTip(self.min_points.toolTip())
        self.min_area = ScoreSpin(
            self.tr("Smallest defect by area"), self.tr("Connected groups of less area are no defects."), low=0.0
        )

        self.effect = label(role="strong", width=_TEXT_WIDTH)
        self.points_effect = label(role="muted", width=_TEXT_WIDTH)
        self.reset = QPushButton(self.tr("Reset to calibrated"))
        self.reset.setToolTip(self.tr("Back to the thresholds that the good parts gave."))
        self.best = QPushButton(self.tr("F1-best"))
        self.best.setToolTip(self.tr("The point threshold that separates the labelled defects best (highest F1)."))
        self.note = label(role="muted", width=_TEXT_WIDTH)
        self.note_icon = label(wrap=False)

        self._lay_out()
        self._connect()
        self.renew()

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        self.histogram.dress(theme, theme.point_line)
        self.strip.dress(theme, theme.part_line)
        swatch = '<span style="color:{}">■</span>&nbsp;{}'
        line = '<span style="color:{}">┃</span>&nbsp;{}'
        self._legend.setText(
            "&nbsp;&nbsp;".join(
                (
                    swatch.format(theme.scan_bars, self.tr("scan")),
                    swatch.format(theme.good_bars, self.tr("good parts")),
                    line.format(theme.point_line, self.tr("threshold")),
                )
            )
        )
        self._part_legend.setText(
            "&nbsp;&nbsp;".join(
                (
                    f'<span style="color:{theme.scan_bars}">◆</span>&nbsp;' + self.tr("this part"),
                    f'<span style="color:{theme.good_bars}">●</span>&nbsp;' + self.tr("good parts"),
                    line.format(theme.part_line, self.tr("threshold")),
                )
            )
        )
        self.reset.setIcon(icon("reset", theme))
        self._show_note()

    def renew(self) -> None:
        """Show another result or model: new plots and ranges."""
        session = self._session
        calibration = self._calibration
        thresholds = session.thresholds
        scores = None if session.judged is None else session.judged.scores
        self.histogram.set_scores(
            None if scores is None else scores.points,
            None if calibration is None else calibration.point_sample,
            None if thresholds is None else thresholds.point,
        )
        self.strip.set_scores(
            None if scores is None else scores.object,
            None if calibration is None else calibration.part_scores,
            None if thresholds is None else thresholds.part,
        )
        self.best.setVisible(calibration is not None and calibration.best_f1_point is not None)
        unit = session.scan.unit if session.scan is not None else "mm"
        self.min_area.setSuffix(f" {unit}²")
        self._show_note()
        self.refresh()

    def refresh(self) -> None:
        """Show the numbers as they stand."""
        thresholds = self._session.thresholds
        for widget in (self.point, self.part, self.guard, self.min_points, self.min_slider, self.min_area):
            widget.setEnabled(thresholds is not None)
        self.reset.setEnabled(self._session.threshold_control.by_hand)
        best = None if self._calibration is None else self._calibration.best_f1_point
        self.best.setEnabled(best is not None and thresholds is not None and thresholds.point != best)
        self.histogram.set_threshold(None if thresholds is None else thresholds.point)
        self.strip.set_threshold(None if thresholds is None else thresholds.part)
        self.strip.set_band(
            None if thresholds is None else thresholds.part, 0.0 if thresholds is None else thresholds.guard
        )
        if thresholds is None:
            loading = self._session.model_path is not None
            self.effect.setText(
                self.tr("The model is being loaded.")
                if loading
                else self.tr("No thresholds: they come with a model, calibrated on good parts.")
            )
            self.points_effect.clear()
            for spin in (self.point, self.part, self.guard, self.min_area):
                spin.show_nothing()
            with QSignalBlocker(self.min_points), QSignalBlocker(self.min_slider):
                self.min_points.setSpecialValueText(number(None))
                self.min_points.setValue(self.min_points.minimum())
                self.min_slider.setValue(0)
            return
        self.point.show_value(thresholds.point, thresholds.point)
        self.part.show_value(thresholds.part, thresholds.part)
        self.guard.show_value(thresholds.guard, thresholds.part)
        self.min_area.show_value(thresholds.min_area, thresholds.min_area or 1.0)
        with QSignalBlocker(self.min_points), QSignalBlocker(self.min_slider):
            self.min_points.setSpecialValueText("")
            self.min_points.setValue(thresholds.min_points)
            if not self.min_slider.isSliderDown():
                self.min_slider.setValue(slider_of(thresholds.min_points))
        if self._calibration is not None:
            parts, points = self.effect_texts(self._calibration, thresholds)
            self.effect.setText(parts)
            self.points_effect.setText(points)

    def effect_texts(self, calibration: Calibration, thresholds: Thresholds) -> tuple[str, str]:
        """What these thresholds would do to the good parts of the calibration and to their points, in words."""
        total = len(calibration.part_scores)
        limit = thresholds.part + thresholds.guard
        return (
            self.tr("{n} of {total} good parts would be rejected, {review} put to review.").format(
                n=calibration.rejected(limit), total=total, review=calibration.reviewed(thresholds)
            ),
            self.tr("{share} of good points would be marked; at most {n} of {total} good parts show a spot.").format(
                share=percent(calibration.marked_share(thresholds.point)),
                n=calibration.marked_parts(thresholds.point, thresholds.min_points),
                total=total,
            ),
        )

    @property
    def _calibration(self) -> Calibration | None:
        return self._session.calibration

    def _show_note(self) -> None:
        calibration = self._calibration
        if calibration is None:
            self.note.clear()
            return
        sound = calibration.sound
        rerole(self.note, "muted" if sound else "warning")
        mark = "" if sound else "⚠ "
        lacking = self._session.lacking
        mode = self.tr("By shape alone ({lacking}): ").format(lacking=lacking) if lacking else ""
        self.note.setText(mark + mode + calibration.advice)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self._legend, 1)
        head.addWidget(self.logarithmic)
        band = QHBoxLayout()
        band.setSpacing(4)
        band.addWidget(named(self.tr("&band ±"), self.guard))
        band.addWidget(self.guard)
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(5)
        rows: tuple[tuple[str, QWidget], ...] = (
            (self.tr("Poin&t threshold"), self.point),
            (self.tr("&Part threshold"), self.part),
            (self.tr("Smallest &defect"), self.min_points),
            (self.tr("… by &area"), self.min_area),
        )
        for row, (text, widget) in enumerate(rows):
            name = label(text, wrap=False)
            name.setBuddy(widget)
            grid.addWidget(name, row, 0)
            if widget is self.min_points:
                grid.addWidget(self.min_slider, row, 1)
                grid.addWidget(widget, row, 2)
            elif widget is self.part:
                grid.addWidget(widget, row, 1)
                grid.addLayout(band, row, 2)
            else:
                grid.addWidget(widget, row, 1, 1, 2)
        grid.setColumnStretch(1, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.reset)
        buttons.addWidget(self.best)
        buttons.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.setSpacing(6)
        layout.addWidget(self.effect)
        layout.addLayout(head)
        layout.addWidget(self.histogram, 1)
        layout.addWidget(self._part_legend)
        layout.addWidget(self.strip)
        layout.addLayout(grid)
        layout.addWidget(self.points_effect)
        layout.addLayout(buttons)
        layout.addWidget(self.note)
        layout.addStretch()

    def _connect(self) -> None:
        session = self._session
        guarded = session.failures.guarded
        session.result_changed.connect(guarded(self.renew))
        session.model_changed.connect(guarded(self.renew))
        session.thresholds_changed.connect(guarded(self.refresh))
        self.histogram.dragged.connect(guarded(lambda value: self._drag("point", value)))
        self.strip.dragged.connect(guarded(lambda value: self._drag("part", value)))
        self.histogram.released.connect(guarded(lambda value: self._release("point", value)))
        self.strip.released.connect(guarded(lambda value: self._release("part", value)))
        for name, spin in (("point", self.point), ("part", self.part), ("guard", self.guard)):
            spin.valueChanged.connect(guarded(lambda value, name=name: self._type(name, float(value))))
        self.min_area.valueChanged.connect(guarded(lambda value: self._type("min_area", float(value))))
        self.min_points.valueChanged.connect(guarded(lambda value: self._type("min_points", int(value))))
        self.min_slider.valueChanged.connect(guarded(lambda v: self._type("min_points", points_of(int(v)))))
        self.reset.clicked.connect(guarded(session.threshold_control.reset))
        self.best.clicked.connect(guarded(self._take_best))
        self.logarithmic.toggled.connect(guarded(self._toggle_log))

    def _drag(self, name: str, value: float) -> None:
        if not self._gesture:
            self._gesture = self._session.threshold_control.begin_gesture()
        self._session.threshold_control.change(self._gesture, **{name: value})

    def _release(self, name: str, value: float) -> None:
        self._drag(name, value)
        self._gesture = 0
        self._session.flush()

    def _type(self, name: str, value: float) -> None:
        """A step of a spin box or slider; quick repeats are one undo step."""
        now = time.monotonic()
        last, at = self._last
        if last != name or now - at > _BURST:
            self._typed = self._session.threshold_control.begin_gesture()
        self._last = (name, now)
        self._session.threshold_control.change(self._typed, **{name: value})

    _typed = 0

    def _take_best(self) -> None:
        if self._calibration is not None and self._calibration.best_f1_point is not None:
            self._session.threshold_control.change(point=self._calibration.best_f1_point)

    def _toggle_log(self, on: bool) -> None:
        self._session.settings.log_counts = on
        self.histogram.set_logarithmic(on)


def points_of(position: int) -> int:
    """The smallest defect for a slider position 0..100: fine steps where it matters."""
    return max(1, round((position / 100) ** 2 * 2000))


def slider_of(points: int) -> int:
    """The slider position for a smallest defect."""
    return min(100, round((max(0, points) / 2000) ** 0.5 * 100))
