"""The parts that a model is most wrong about, as pictures to open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QImage, QPainter, QPixmap
from PySide6.QtWidgets import QListView, QListWidget, QListWidgetItem, QWidget

from app.icons import pixmap
from app.quantities import number
from app.theme import LIGHT, Theme
from app.verdicts import look
from core.evaluation.results import PartResult
from core.inspection.thresholds import Thresholds
from core.inspection.verdict import Verdict, decide

_PICTURE = 132
_BADGE = 26
_KEY = Qt.ItemDataRole.UserRole


class Gallery(QListWidget):
    """Pictures of parts with their score and their verdict at the present threshold.

    Signals
    -------
    opened(key)
        A part was clicked, or Enter was pressed on it.
    """

    opened = Signal(str)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = LIGHT
        self._parts: tuple[PartResult, ...] = ()
        self._pictures: dict[str, QPixmap] = {}
        self._verdicts: list[Verdict | None] = []
        self.setAccessibleName(name)
        self.setToolTip(self.tr("Click a part, or press Enter on it, to open and inspect it in the view."))
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setUniformItemSizes(True)
        self.setWordWrap(True)
        self.setSpacing(6)
        self.setIconSize(QSize(_PICTURE, _PICTURE))
        self.setGridSize(QSize(_PICTURE + 24, _PICTURE + 3 * self.fontMetrics().height() + 16))
        self.itemClicked.connect(self._open)
        self.itemActivated.connect(self._open)

    def set_parts(self, parts: Sequence[PartResult], pictures: Mapping[str, NDArray[np.uint8]]) -> None:
        """Show the parts of which there is a picture, in their order."""
        self._parts = tuple(part for part in parts if part.key in pictures)
        self._pictures = {part.key: _pixmap(pictures[part.key]) for part in self._parts}
        self._verdicts = [None] * len(self._parts)
        self.clear()
        for part in self._parts:
            item = QListWidgetItem()
            item.setData(_KEY, part.key)
            item.setToolTip(self.tr("{path}\nClick to open it in the view").format(path=part.path))
            item.setTextAlignment(Qt.AlignmentFlag.AlignHCenter)
            self.addItem(item)

    def show_verdicts(self, thresholds: Thresholds) -> None:
        """Give the parts their verdicts; only those that changed are drawn anew."""
        for row, part in enumerate(self._parts):
            assert part.score is not None
            verdict = decide(part.score, thresholds)
            if verdict is self._verdicts[row]:
                continue
            self._verdicts[row] = verdict
            item = self.item(row)
            item.setText(f"{part.key}\n{look(verdict).word} · {number(part.score, 3)}")
            item.setIcon(QIcon(self._badged(self._pictures[part.key], verdict)))

    def set_theme(self, theme: Theme, thresholds: Thresholds | None) -> None:
        """Dress in a theme."""
        self._theme = theme
        self._verdicts = [None] * len(self._parts)
        if thresholds is not None:
            self.show_verdicts(thresholds)

    def _badged(self, picture: QPixmap, verdict: Verdict) -> QPixmap:
        """A picture with the verdict's icon in its corner."""
        made = QPixmap(picture.size())
        made.fill(Qt.GlobalColor.transparent)
        painter = QPainter(made)
        painter.drawPixmap(0, 0, picture)
        shown = look(verdict)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(shown.ground)
        painter.drawEllipse(2, 2, _BADGE + 6, _BADGE + 6)
        painter.drawPixmap(5, 5, pixmap(shown.icon, shown.ink, _BADGE))
        painter.end()
        return made

    def _open(self, item: QListWidgetItem) -> None:
        self.opened.emit(item.data(_KEY))


def _pixmap(picture: NDArray[np.uint8]) -> QPixmap:
    data = np.ascontiguousarray(picture)
    height, width = data.shape[:2]
    image = QImage(data.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
    return QPixmap.fromImage(image)  # a copy: the bytes may go
