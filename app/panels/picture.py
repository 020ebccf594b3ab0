"""The picture panel: an organised scan as its sensor saw it, with the map of the 3D view over it."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSlider, QStackedWidget, QToolButton, QVBoxLayout

from app.panels.maps import MapsPanel, value_text
from app.panels.panel import Panel, label
from app.panels.picture_view import PictureView
from app.session import Session
from app.shown_field import shown_field
from app.theme import Theme
from app.viewer.colormaps import DARK, LIGHT
from app.viewer.field import ViewMode
from app.viewer.picture_layers import PictureLayers

_OPAQUE = 60  # percent


class PicturePanel(Panel):
    """Shows the open scan's grid, in the colours and with the rim of the 3D view.

    Parameters
    ----------
    session : Session
    maps : MapsPanel
        Whose choices of mode, range and colours it follows.

    Signals
    -------
    pointed(index)
        The point under the mouse, -1 for none.
    """

    pointed = Signal(int)

    def __init__(self, session: Session, maps: MapsPanel) -> None:
        super().__init__()
        self._session, self._maps = session, maps
        self._layers: PictureLayers | None = None
        self._stale = True
        self.view = PictureView()
        self.empty = label(role="empty", width=160)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.ground = QComboBox()
        self.ground.addItem(self.tr("Photograph"), True)
        self.ground.addItem(self.tr("Shape"), False)
        self.ground.setAccessibleName(self.tr("Ground of the picture"))
        self.ground.setToolTip(self.tr("What the map lies over: the sensor's photograph, or the shape in a side light"))
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setValue(_OPAQUE)
        self.opacity.setMinimumWidth(50)
        self.opacity.setAccessibleName(self.tr("Strength of the map over the picture"))
        self.opacity.setToolTip(self.tr("How strongly the map covers the picture"))
        self.fit = QToolButton()
        self.fit.setText(self.tr("Fit"))
        self.fit.setToolTip(self.tr("Show the whole picture (double click)"))
        self.reading = label(role="muted", wrap=False)
        self.reading.setMinimumWidth(0)

        controls = QHBoxLayout()
        controls.addWidget(self.ground)
        controls.addWidget(label(self.tr("Map"), wrap=False))
        controls.addWidget(self.opacity, 1)
        controls.addWidget(self.fit)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.empty)
        self.stack.addWidget(self.view)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(4)
        layout.addLayout(controls)
        layout.addWidget(self.stack, 1)
        layout.addWidget(self.reading)
        self._controls = (self.ground, self.opacity, self.fit, self.reading)

        guarded = session.failures.guarded
        session.scan_changed.connect(guarded(self._renew))
        for signal in (
            session.result_changed, session.inspection_changed, session.map_changed, session.comparison.changed,
        ):  # fmt: skip
            signal.connect(guarded(self.refresh))
        session.picked_changed.connect(guarded(self._show_picked))
        for chosen in (maps.mode_chosen, maps.range_chosen, maps.score_map_chosen):
            chosen.connect(guarded(lambda _: self.refresh()))
        self.ground.activated.connect(guarded(lambda _: self._show_ground()))
        self.opacity.valueChanged.connect(guarded(lambda value: self.view.layer.setOpacity(value / 100)))
        self.fit.clicked.connect(guarded(lambda *_: self.view.fit()))
        self.view.pointed.connect(guarded(self._point))
        self.view.clicked.connect(guarded(self._pick))
        self.set_theme(self.theme)
        self._renew()

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        self.view.dress(theme, (DARK if theme.dark else LIGHT).accent)
        self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._renew()

    def _renew(self) -> None:
        """Another scan is open."""
        self._stale = not self.isVisible()
        if self._stale:
            return
        scan = self._session.scan
        self._layers = None if scan is None or scan.grid is None else PictureLayers(scan)
        for widget in self._controls:
            widget.setEnabled(self._layers is not None)
        self.reading.clear()
        self.stack.setCurrentWidget(self.empty if self._layers is None else self.view)
        if self._layers is None:
            self.empty.setText(self._why_empty())
            return
        self.ground.setVisible(self._layers.photographed)
        self._show_ground()
        self.refresh()
        self._show_picked()

    def _why_empty(self) -> str:
        if self._session.scan is None:
            return self.tr("Open a scan to see its picture.")
        return self.tr("This scan has no grid: its points are not the pixels of a picture.")

    def _show_ground(self) -> None:
        if self._layers is not None:
            self.view.set_ground(self._layers.ground(bool(self.ground.currentData())))

    def refresh(self) -> None:
        """Lay what the 3D view shows over the picture."""
        layers, session = self._layers, self._session
        self._stale = self._stale or not self.isVisible()
        if layers is None or self._stale or layers.scan is not session.scan:
            return
        theme = DARK if self.theme.dark else LIGHT
        mode = self._maps.shown_mode
        inspection = session.inspection
        mask = None if inspection is None else inspection.defects.ids > 0
        field = shown_field(session, self._maps.current_limits) if mode is ViewMode.HEATMAP else None
        layer = layers.over(mode, field, mask, session.settings.score_map, theme)
        self.view.set_layer(layer, self.opacity.value() / 100)
        rimmed = mode in (ViewMode.HEATMAP, ViewMode.RGB)
        pale = field is not None and field.diverging
        self.view.set_rim(*layers.rim(mask if rimmed else None), LIGHT.contour if pale else theme.contour)

    def _show_picked(self) -> None:
        layers, index = self._layers, self._session.picked
        if layers is None or layers.scan is not self._session.scan:
            return
        self.view.mark_picked(None if index is None else layers.pixel_of(index), follow=True)

    def _point(self, row: int, column: int) -> None:
        layers = self._layers
        index = -1 if layers is None else layers.point_at(row, column)
        self.reading.setText("" if row < 0 else self._read(row, column, index))
        self.pointed.emit(index)

    def _read(self, row: int, column: int, index: int) -> str:
        place = self.tr("Row {row}, column {column}").format(row=row, column=column)
        if index < 0:
            return place + self.tr(": nothing measured")
        displayed = self._session.comparison.displayed()
        if displayed is None or not np.isfinite(displayed[1].values[index]):
            return place
        shown = displayed[1]
        return f"{place}: {shown.title} {value_text(shown, index)}"

    def _pick(self, row: int, column: int) -> None:
        if self._layers is not None:
            index = self._layers.point_at(row, column)
            if index >= 0:
                self._session.pick(index)
