"""The slider over the view that blends from the measured to the reconstructed part."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSlider, QToolButton, QWidget

from app.blending import Blending
from app.panels.panel import label
from app.session import Session

_MARGIN, _WIDEST, _NARROWEST = 12, 440, 220


class BlendBar(QFrame):
    """At the lower edge of the view, where the method reconstructs the part.

    Parameters
    ----------
    blending : Blending
    session : Session
    view : QWidget
        What it lies over; it shares the view's parent.
    """

    def __init__(self, blending: Blending, session: Session, view: QWidget) -> None:
        super().__init__(view.parentWidget())
        self.setObjectName("blend")
        self._blending, self._view = blending, view
        self.measured = _end(self.tr("Measured"))
        self.reconstructed = _end(self.tr("Reconstructed"))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 100)
        self.slider.setPageStep(10)
        self.slider.setMinimumWidth(80)
        self.slider.setAccessibleName(self.tr("Share of the reconstructed part"))
        self.number = label(wrap=False)
        self.number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.number.setMinimumWidth(self.number.fontMetrics().horizontalAdvance("100 %") + 2)
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 10, 4)
        row.setSpacing(6)
        row.addWidget(self.measured)
        row.addWidget(self.slider, 1)
        row.addWidget(self.reconstructed)
        row.addWidget(self.number)
        self.hide()
        guarded = session.failures.guarded
        self.slider.valueChanged.connect(guarded(lambda value: blending.choose(value / 100)))
        self.measured.clicked.connect(guarded(lambda *_: blending.choose(0.0)))
        self.reconstructed.clicked.connect(guarded(lambda *_: blending.choose(1.0)))
        blending.changed.connect(guarded(self.refresh))
        view.installEventFilter(self)
        self.refresh()

    def refresh(self) -> None:
        """Show the share in force; nothing where there is nothing to blend with."""
        blending = self._blending
        percent = round(100 * blending.share)
        with QSignalBlocker(self.slider):
            self.slider.setValue(percent)
        self.number.setText(self.tr("{share} %").format(share=percent))
        self.setToolTip(blending.hint)
        self.setVisible(blending.points is not None)
        if not self.isHidden():
            self._place()
            self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Move) and not self.isHidden():
            self._place()
        return super().eventFilter(watched, event)

    def _place(self) -> None:
        """Lie in the middle of the lower edge, between the axes and the scale bar."""
        view = self._view.geometry()
        width = min(max(round(0.45 * view.width()), _NARROWEST), _WIDEST, max(view.width() - 2 * _MARGIN, 1))
        worded = width >= self._worded_width()
        for end in (self.measured, self.reconstructed):  # half words say less than none
            end.setVisible(worded)
        height = self.sizeHint().height()
        left = view.left() + (view.width() - width) // 2
        self.setGeometry(left, view.bottom() - height - _MARGIN, width, height)

    def _worded_width(self) -> int:
        ends = (self.measured, self.reconstructed)
        words = sum(end.sizeHint().width() for end in ends)
        rest = self.slider.minimumWidth() + self.number.sizeHint().width()
        margins = self._row.contentsMargins()
        return words + rest + margins.left() + margins.right() + 3 * self._row.spacing()


def _end(text: str) -> QToolButton:
    """A word at one end of the slider that leads to it."""
    button = QToolButton()
    button.setText(text)
    button.setAutoRaise(True)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
