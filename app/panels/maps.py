"""The maps panel: which map the view shows and how, and what the picked point holds in each."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QSlider,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
)

from app.fields import color_range
from app.icons import icon
from app.panels.panel import Panel, label, named
from app.panels.thresholds import ScoreSpin
from app.quantities import count, number
from app.session import Session
from app.theme import Theme
from app.viewer.colormaps import SCORE_MAPS
from app.viewer.field import ViewMode
from core.scores import ScoreMap

KEY = Qt.ItemDataRole.UserRole
_TEXT_WIDTH = 280  # pixels; the controls need this much anyway


class MapsPanel(Panel):
    """Chooses what is shown.

    Parameters
    ----------
    session : Session
    explain, flip, differ : QAction
        The window's: why a point has its score; the other map; the difference of both.

    Signals
    -------
    mode_chosen(ViewMode), range_chosen((low, high) or None), point_size_chosen(pixels, 0 for automatic),
    eye_dome_chosen(bool), parallel_chosen(bool), score_map_chosen(name)
    """

    mode_chosen = Signal(object)
    range_chosen = Signal(object)
    point_size_chosen = Signal(float)
    eye_dome_chosen = Signal(bool)
    parallel_chosen = Signal(bool)
    score_map_chosen = Signal(str)

    def __init__(self, session: Session, explain: QAction, flip: QAction, differ: QAction) -> None:
        super().__init__()
        self._session = session
        self.mode = ViewMode.HEATMAP
        self.limits: dict[str, tuple[float, float]] = {}

        self.modes = QComboBox()
        self.modes.setAccessibleName(self.tr("View mode"))
        self._mode_texts = {
            ViewMode.HEATMAP: self.tr("Heatmap"),
            ViewMode.MASK: self.tr("Mask of the defects"),
            ViewMode.RGB: self.tr("Colours of the sensor"),
            ViewMode.PLAIN: self.tr("Plain surface"),
            ViewMode.GROUND_TRUTH: self.tr("Ground truth"),
        }
        self.list = QTreeWidget()
        self.list.setColumnCount(2)
        self.list.setHeaderLabels([self.tr("Map"), self.tr("Picked point")])
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setAccessibleName(self.tr("Maps"))
        self.list.setMinimumHeight(110)
        header = self.list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.help = label(role="muted", width=_TEXT_WIDTH)
        self.picked = label()
        self.why = _button(explain, self.tr("Why here?"))
        self.others = QComboBox()
        self.others.setAccessibleName(self.tr("Map to compare with"))
        self.others.setToolTip(self.tr("The map that the shown one is held against"))
        self.others.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.others.setMinimumContentsLength(8)
        self.flip = _button(flip, self.tr("Flip"))
        self.differ = _button(differ, self.tr("Difference"))
        self.low = ScoreSpin(self.tr("Lowest colour"), self.tr("Value at the lower end of the colours"))
        self.high = ScoreSpin(self.tr("Highest colour"), self.tr("Value at the upper end of the colours"))
        self.auto = QToolButton()
        self.auto.setText(self.tr("Auto"))
        self.auto.setToolTip(self.tr("Colours from the good parts: the calibrated threshold lies in the middle."))
        self.point_size = QSlider(Qt.Orientation.Horizontal)
        self.point_size.setRange(0, 12)
        self.point_size.setValue(round(session.settings.point_size))
        self.point_size.setAccessibleName(self.tr("Point size"))
        self.point_size.setToolTip(self.tr("Far left: as large as closes the surface at any zoom."))
        self.size_text = label(wrap=False)
        self.size_text.setMinimumWidth(44)
        self.colors = QComboBox()
        self.colors.addItems(list(SCORE_MAPS))
        self.colors.setCurrentText(session.settings.score_map)
        self.colors.setAccessibleName(self.tr("Colour map of scores"))
        self.colors.setToolTip(self.tr("Cividis and viridis read the same for colour-blind eyes."))
        self.eye_dome = QCheckBox(self.tr("Edge shading"))
        self.eye_dome.setToolTip(self.tr("Eye-dome lighting: darkens edges, so that shape shows without normals."))
        self.eye_dome.setChecked(session.settings.eye_dome)
        self.parallel = QCheckBox(self.tr("Parallel projection"))
        self.parallel.setToolTip(self.tr("No perspective: equal lengths look equal."))
        self.parallel.setChecked(session.settings.parallel)

        limits = QHBoxLayout()
        limits.addWidget(self.low, 1)
        limits.addWidget(label(self.tr("to"), wrap=False))
        limits.addWidget(self.high, 1)
        limits.addWidget(self.auto)
        comparing = QHBoxLayout()
        comparing.addWidget(named(self.tr("Compare &with"), self.others))
        comparing.addWidget(self.others, 1)
        comparing.addWidget(self.flip)
        comparing.addWidget(self.differ)
        picking = QHBoxLayout()
        picking.addWidget(self.picked, 1)
        picking.addWidget(self.why, 0, Qt.AlignmentFlag.AlignTop)
        size = QHBoxLayout()
        size.addWidget(self.point_size, 1)
        size.addWidget(self.size_text)
        switches = QHBoxLayout()
        switches.addWidget(self.eye_dome)
        switches.addWidget(self.parallel)
        switches.addStretch()
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(self.tr("&View"), self.modes)
        below = QFormLayout()
        below.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        below.addRow(self.tr("&Colours"), self.colors)
        below.addRow(self.tr("Range"), limits)
        below.addRow(named(self.tr("Point si&ze"), self.point_size), size)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.setSpacing(6)
        layout.addLayout(form)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.help)
        layout.addLayout(comparing)
        layout.addLayout(picking)
        layout.addLayout(below)
        layout.addLayout(switches)

        guarded = session.failures.guarded
        self.modes.activated.connect(guarded(self._choose_mode))
        self.list.currentItemChanged.connect(guarded(lambda item, _: self._choose(item)))
        self.low.valueChanged.connect(guarded(lambda _: self._choose_range()))
        self.high.valueChanged.connect(guarded(lambda _: self._choose_range()))
        self.auto.clicked.connect(guarded(self._auto))
        self.point_size.valueChanged.connect(guarded(self._choose_size))
        self.colors.currentTextChanged.connect(guarded(self._choose_colors))
        self.eye_dome.toggled.connect(guarded(self._toggle_eye_dome))
        self.parallel.toggled.connect(guarded(self._toggle_parallel))
        session.result_changed.connect(guarded(self.refresh))
        session.model_changed.connect(guarded(self.limits.clear))
        session.map_changed.connect(guarded(self._follow_map))
        session.picked_changed.connect(guarded(self.show_picked))
        self.others.activated.connect(guarded(self._choose_other))
        session.comparison.changed.connect(guarded(self._follow_map))
        session.model_changed.connect(guarded(self._show_why))
        self._show_size()
        session.inspection_changed.connect(guarded(self.show_picked))
        self.refresh()

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        for row in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(row)
            if item is not None:
                item.setIcon(0, icon("maps", theme))

    @property
    def current_limits(self) -> tuple[float, float] | None:
        """The colour range the user chose for what is shown; None for the automatic one."""
        return self.limits.get(self._displayed[0])

    @property
    def _displayed(self) -> tuple[str, ScoreMap | None]:
        """What the view shows, and the key that its colour range goes by."""
        return self._session.comparison.displayed() or (self._session.shown_map, None)

    def show_colors(self) -> None:
        """Colour by the map, whatever the view shows now."""
        if self._session.judged is not None and self.mode is not ViewMode.HEATMAP:
            self.set_mode(ViewMode.HEATMAP)

    def refresh(self) -> None:
        """List the maps and modes that the result has."""
        maps = self._session.maps()
        with QSignalBlocker(self.list):
            self.list.clear()
            for key, shown in maps.items():
                item = QTreeWidgetItem([shown.title, ""])
                item.setData(0, KEY, key)
                item.setToolTip(0, shown.help)
                item.setIcon(0, icon("maps", self.theme))
                item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.list.addTopLevelItem(item)
        self._fill_modes()
        self._follow_map()
        self._show_why()
        self.show_picked()

    def set_mode(self, mode: ViewMode) -> None:
        """Take a mode, from the menu or the keyboard."""
        at = self.modes.findData(mode)
        if at >= 0:
            self.modes.setCurrentIndex(at)
            self._choose_mode(at)

    def _show_why(self) -> None:
        self.why.setVisible(self._session.explaining.possible)

    def show_picked(self) -> None:
        """The picked point's place and its value in every map."""
        session = self._session
        index, scan = session.picked, session.scan
        maps = session.maps()
        for row in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(row)
            if item is None:
                continue
            shown = maps.get(item.data(0, KEY))
            known = shown is not None and index is not None
            item.setText(1, value_text(shown, index) if known and shown is not None and index is not None else "")
        if index is None or scan is None:
            self.picked.setText(self.tr("Click a point on the part to read its values."))
            return
        x, y, z = (number(float(v)) for v in scan.points[index])
        text = self.tr("Point {i}: {x}, {y}, {z} {unit}").format(i=index, x=x, y=y, z=z, unit=scan.unit)
        inspection = session.inspection
        if inspection is not None:
            defect = int(inspection.defects.ids[index])
            if defect:
                text += "\n" + self.tr("In defect {id}").format(id=defect)
            elif not inspection.scores.judged[index]:
                text += "\n" + self.tr("Not judged (background)")
            elif inspection.defects.mask[index]:
                text += "\n" + self.tr("Marked, but too small a group for a defect")
            else:
                text += "\n" + self.tr("Below the point threshold")
        self.picked.setText(text)

    def _fill_modes(self) -> None:
        scan = self._session.scan
        offered = [ViewMode.PLAIN]
        if self._session.judged is not None:
            offered = [ViewMode.HEATMAP, ViewMode.MASK, *offered]
        if scan is not None and scan.colors is not None:
            offered.append(ViewMode.RGB)
        if scan is not None and scan.labels is not None:
            offered.append(ViewMode.GROUND_TRUTH)
        with QSignalBlocker(self.modes):
            self.modes.clear()
            for mode in offered:
                self.modes.addItem(self._mode_texts[mode], mode)
            # The wish is kept over scans that cannot fulfil it: without a result a heatmap shows as plain.
            shown = self.mode if self.mode in offered else ViewMode.RGB if ViewMode.RGB in offered else ViewMode.PLAIN
            self.modes.setCurrentIndex(self.modes.findData(shown))
        self.modes.setEnabled(scan is not None)

    @property
    def shown_mode(self) -> ViewMode:
        """The mode in force: the wished one, or what the scan allows instead."""
        mode = self.modes.currentData()  # Qt hands the text back, not the member
        return ViewMode(mode) if mode else ViewMode.PLAIN

    def _choose_mode(self, row: int) -> None:
        self.mode = ViewMode(self.modes.itemData(row))
        self.mode_chosen.emit(self.mode)

    def _choose(self, item: QTreeWidgetItem | None) -> None:
        if item is not None:
            self._session.show_map(item.data(0, KEY))
            self.show_colors()

    def _choose_other(self, row: int) -> None:
        self._session.comparison.choose(self.others.itemData(row))

    def _follow_map(self) -> None:
        key = self._session.shown_map
        for row in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(row)
            if item is not None and item.data(0, KEY) == key:
                with QSignalBlocker(self.list):
                    self.list.setCurrentItem(item)
        self._fill_others()
        shown = self._displayed[1]
        self.help.setText(self._help(shown))
        self._show_limits(shown)

    def _fill_others(self) -> None:
        maps, key = self._session.maps(), self._session.shown_map
        with QSignalBlocker(self.others):
            self.others.clear()
            self.others.addItem(self.tr("no other map"), None)
            for other, its in maps.items():
                if other != key:
                    self.others.addItem(its.title, other)
            self.others.setCurrentIndex(max(0, self.others.findData(self._session.comparison.reference)))
        self.others.setEnabled(len(maps) > 1)

    def _help(self, shown: ScoreMap | None) -> str:
        if shown is None:
            return self.tr("Maps are listed here after an inspection.")
        current = self._session.comparison.current
        if current is None:
            return shown.help
        low, high = shown.ends
        scale = (
            self.tr("0 is the middle of good points in each map, 1 what almost no good point exceeds.")
            if current.good
            else self.tr("0 is the middle of this part's points in each map, 1 its highest thousandth.")
        )
        one, two, both = (count(n) for n in current.above)
        return self.tr(
            "Red: more in {high}; blue: more in {low}. {scale} Points above 1: {one} in {high}, {two} in {low}, "
            "{both} in both."
        ).format(high=high, low=low, scale=scale, one=one, two=two, both=both)

    def _show_limits(self, shown: ScoreMap | None) -> None:
        usable = shown is not None and shown.kind != "label"
        for widget in (self.low, self.high, self.auto):
            widget.setEnabled(usable)
        if shown is None:
            return
        low, high = self.current_limits or color_range(self._displayed[0], shown, self._session.calibration)
        self.low.show_value(low, high - low)
        self.high.show_value(high, high - low)
        self.auto.setEnabled(usable and self.current_limits is not None)

    def _choose_range(self) -> None:
        low, high = self.low.value(), self.high.value()
        if high > low:
            self.limits[self._displayed[0]] = (low, high)
            self.auto.setEnabled(True)
            self.range_chosen.emit((low, high))

    def _auto(self) -> None:
        key, shown = self._displayed
        self.limits.pop(key, None)
        self._show_limits(shown)
        self.range_chosen.emit(None)

    def _choose_size(self, size: int) -> None:
        self._session.settings.point_size = float(size)
        self._show_size()
        self.point_size_chosen.emit(float(size))

    def _choose_colors(self, name: str) -> None:
        self._session.settings.score_map = name
        self.score_map_chosen.emit(name)

    def _show_size(self) -> None:
        size = self.point_size.value()
        self.size_text.setText(self.tr("{n} px").format(n=size) if size else self.tr("auto"))

    def _toggle_eye_dome(self, on: bool) -> None:
        self._session.settings.eye_dome = on
        self.eye_dome_chosen.emit(on)

    def _toggle_parallel(self, on: bool) -> None:
        self._session.settings.parallel = on
        self.parallel_chosen.emit(on)


def _button(action: QAction, text: str) -> QToolButton:
    """A button for one of the window's actions, with shorter words."""
    action.setIconText(text)
    result = QToolButton()
    result.setDefaultAction(action)
    result.setAccessibleName(text)
    result.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
    if action.isCheckable():
        result.setObjectName("switch")
    return result


def value_text(shown: ScoreMap, index: int) -> str:
    """A point's value in a map."""
    value = float(shown.values[index])
    if shown.kind != "label" or value != value:
        return number(value)
    return shown.names[int(value)] if shown.names else str(int(value))
