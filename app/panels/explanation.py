"""The card over the view that says why a point has its score."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRect, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QToolButton, QVBoxLayout, QWidget

from app.explaining import Explaining, Stage
from app.icons import icon
from app.panels.panel import label
from app.session import Session
from app.theme import Theme

_MARGIN = 12
_NARROWEST, _WIDEST = 230, 330
_SMALL_VIEW, _LOW_VIEW = 520, 300  # pixels
_LEGEND_WIDTH = 300  # narrower views have no legend beside the card


class ExplanationCard(QFrame):
    """Title, text and good scan of the explanation, in the upper left corner of the view.

    Parameters
    ----------
    session : Session
    view : QWidget
        What it lies over; it shares the view's parent.
    close_action : QAction
        Closes the explanation.
    """

    def __init__(self, session: Session, view: QWidget, close_action: QAction) -> None:
        super().__init__(view.parentWidget())
        self.setObjectName("explanation")
        self._view = view
        self._explaining: Explaining = session.explaining
        self.heading = label(role="strong")
        self.text = label()
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.source = label(role="muted")
        self.close_button = QToolButton()
        self.close_button.setIcon(close_action.icon())
        self.close_button.setAutoRaise(True)
        self.close_button.setToolTip(close_action.toolTip())
        self.close_button.setAccessibleName(self.tr("Close the explanation"))
        self.open = QPushButton(self.tr("Open the good scan"))
        self.open.setToolTip(self.tr("Show the good scan with the place that this one was held against"))
        self.back = QPushButton()
        self.stop = QPushButton(self.tr("Stop"))

        top = QHBoxLayout()
        top.addWidget(self.heading, 1)
        top.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        self._words = words = QWidget()  # laid out by hand: layouts reserve more height than wrapped texts need
        self.text.setParent(words)
        self.source.setParent(words)
        words.setObjectName("words")
        self.area = QScrollArea()
        self.area.setObjectName("words")
        self.area.setWidget(words)
        self.area.viewport().setAutoFillBackground(False)
        words.setAutoFillBackground(False)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.buttons = QHBoxLayout()
        for button in (self.open, self.back, self.stop):
            self.buttons.addWidget(button)
        self.buttons.addStretch()
        self._column = layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 8, 10)
        layout.setSpacing(5)
        layout.addLayout(top)
        layout.addWidget(self.area)
        layout.addLayout(self.buttons)
        self.hide()

        guarded = session.failures.guarded
        self.close_button.clicked.connect(guarded(lambda *_: self._explaining.close()))
        self.stop.clicked.connect(guarded(lambda *_: self._explaining.close()))
        self.open.clicked.connect(guarded(lambda *_: self._explaining.open_source()))
        self.back.clicked.connect(guarded(lambda *_: self._explaining.go_back()))
        self._explaining.changed.connect(guarded(self.refresh))
        session.category_changed.connect(guarded(self.refresh))
        session.catalog.changed.connect(guarded(self.refresh))
        view.installEventFilter(self)

    def set_theme(self, theme: Theme) -> None:
        """Dress in a theme."""
        self.close_button.setIcon(icon("close", theme))

    def refresh(self) -> None:
        """Say what is known now."""
        explaining = self._explaining
        stage, found, place = explaining.stage, explaining.found, explaining.place
        if stage in (Stage.NONE, Stage.ARRIVING, Stage.RETURNING) or place is None:
            self.hide()
            return
        heading, text, source = "", "", ""
        if stage is Stage.BUSY:
            heading = self.tr("Looking for the good surface …")
            text = self.tr("The scan is looked at again, which takes about as long as inspecting it.")
        elif stage is Stage.NOTHING:
            heading = self.tr("Nothing to show here")
            text = self.tr("No good surface stands behind the score of this point: it is not judged, or background.")
        elif found is not None:
            heading, text = found.title, found.text
            source = self.tr("Good scan: {name}").format(name=found.source)
            if stage is Stage.SOURCE:
                heading = self.tr("Good scan {name}").format(name=found.source)
                text = self.tr("The marked place is what {name} was held against.").format(name=place.entry.key)
                source = ""
                if explaining.moved_on:
                    text = self.tr(
                        "This scan is not as it was when the model was trained: the marked surface does not lie on it."
                    )
            elif not explaining.can_open_source:
                source += " " + self.tr("(not in the library)")
        self.heading.setText(heading)
        self.text.setText(text)
        self.source.setText(source)
        self.source.setVisible(bool(source))
        self.open.setVisible(stage is Stage.HERE and explaining.can_open_source)
        self.back.setVisible(stage is Stage.SOURCE)
        self.back.setText(self.tr("Back to {name}").format(name=place.entry.key))
        self.stop.setVisible(stage is Stage.BUSY)
        self.setAccessibleName(f"{heading}. {text} {source}".strip())
        self._place()
        self.show()
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Move) and not self.isHidden():
            self._place()
        return super().eventFilter(watched, event)

    def _place(self) -> None:
        """Lie in the corner of the view, as high as the words need; where that is too high they scroll.

        In a small view the words give way to the part: they are a tool tip then.
        """
        view: QRect = self._view.geometry()
        small = view.width() < _SMALL_VIEW or view.height() < _LOW_VIEW
        width = round(min(max(0.36 * view.width(), _NARROWEST), _WIDEST))
        if small:
            width = round(0.54 * view.width()) if view.width() >= _LEGEND_WIDTH else view.width() - 2 * _MARGIN
        margins = self._column.contentsMargins()
        inside = width - margins.left() - margins.right() - 2  # its frame is 1 wide
        shown = [one for one in (self.text, self.source) if not one.isHidden()]
        heading = max(_height(self.heading, inside - self.close_button.sizeHint().width() - 6), 24)
        buttons = [b for b in (self.open, self.back, self.stop) if not b.isHidden()]
        below = buttons[0].sizeHint().height() + 5 if buttons else 0
        frame = margins.top() + margins.bottom() + 2 + (0 if small else 5)
        room = view.height() - 2 * _MARGIN - heading - below - frame
        bar = self.area.verticalScrollBar().sizeHint().width()
        for across in (inside, inside - bar):  # beside a scroll bar only where it takes one
            words = sum(_height(one, across) for one in shown) + 5 * (len(shown) - 1)
            if words <= room:
                break
        at = 0
        for one in shown:
            one.setGeometry(0, at, across, _height(one, across))
            at += one.height() + 5
        self._words.resize(across, words)
        self.area.setVisible(not small)
        self.setToolTip("\n".join(one.text() for one in shown) if small else "")
        high = 0 if small else max(min(words, room), 0)
        self.area.setFixedHeight(high)
        height = min(heading + high + below + frame, max(view.height() - 2 * _MARGIN, 1))
        self.setGeometry(view.left() + _MARGIN, view.top() + _MARGIN, width, height)


def _height(text: QLabel, width: int) -> int:
    text.ensurePolished()
    return max(text.heightForWidth(width), 0)
