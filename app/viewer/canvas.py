"""The OpenGL widget: draws when told to and only then, and turns mouse moves into signals."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Any

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget
from pyvistaqt import QtInteractor

log = logging.getLogger(__name__)


class Canvas(QtInteractor):
    """A QtInteractor tamed.

    pyvistaqt redraws five times a second, takes file drops, and installs key bindings that close the window; here
    none of that happens. VTK's interaction styles render on every mouse move, and Qt's repaint would render the same
    frame again: here VTK never renders by itself. Whoever changes the scene calls `refresh`, and Qt paints once.

    Signals
    -------
    moved
        The user turned, shifted or zoomed: the camera is another, nothing is drawn yet.
    grabbed, released
        A button went down or up.
    clicked, double_clicked, menu_wanted : QPointF
        Where, in the widget's pixels. A menu is wanted by a click of the right button, or by the menu key.
    painted : float
        The scene was rendered, in so many milliseconds.
    """

    moved = Signal()
    grabbed = Signal()
    released = Signal()
    clicked = Signal(QPointF)
    double_clicked = Signal(QPointF)
    menu_wanted = Signal(QPointF)
    painted = Signal(float)

    _stale = True
    _painting = False

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, auto_update=False, multi_samples=0)
        self.setAcceptDrops(False)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._Iren.EnableRenderOff()
        self._pressed_at: QPointF | None = None

    def _setup_key_press(self) -> None:
        """pyvista's keys ("q" closes, "v" turns the view) are not ours; the window has actions for what it offers."""
        self._observers: dict[Any, Any] = {}

    # Drawing

    def refresh(self) -> None:
        """The scene has changed: paint it with the next paint event."""
        self._stale = True
        self.update()

    def render(self) -> None:
        """What pyvista calls after each of its changes."""
        self.refresh()

    def _render(self, *_args: Any, **_kwargs: Any) -> None:
        self.refresh()

    def resizeGL(self, width: int, height: int) -> None:
        self._stale = True
        super().resizeGL(width, height)

    def paintGL(self) -> None:
        """Render if the scene has changed, else show the last picture again (a label above it has moved)."""
        if self._painting or getattr(self, "_closed", False) or self._RenderWindow is None:
            return
        self._painting = True
        stale, self._stale = self._stale, False
        start = perf_counter()
        try:
            if stale:
                self._Iren.EnableRenderOn()
            super().paintGL()
            if stale:
                self._RenderWindow.WaitForCompletion()
        except Exception:  # an exception out of a virtual method of Qt would take the program down
            log.exception("could not paint the view")
        finally:
            self._Iren.EnableRenderOff()
            self._painting = False
        if stale:
            self.painted.emit((perf_counter() - start) * 1e3)

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed_at = event.position()
        super().mousePressEvent(event)
        self.grabbed.emit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        if event.buttons() != Qt.MouseButton.NoButton:
            self.moved.emit()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        self.released.emit()
        start, self._pressed_at = self._pressed_at, None
        if start is None or (event.position() - start).manhattanLength() >= QApplication.startDragDistance():
            return
        if event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit(event.position())
        elif event.button() == Qt.MouseButton.RightButton:
            self.menu_wanted.emit(event.position())

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """From the keyboard. The mouse's is sent on some systems when the button goes down, which begins a drag."""
        event.accept()
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            self.menu_wanted.emit(QPointF(self.rect().center()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._pressed_at = None  # its release is no click
        self.double_clicked.emit(event.position())
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        super().wheelEvent(event)
        event.accept()
        self.moved.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.ignore()  # VTK's own keys would change representation or leave; the window's actions get them instead

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        event.ignore()
