"""What is known of one set of weights: who may use it, where it comes from, what its maker says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.panels.panel import label
from app.quantities import NOTHING

if TYPE_CHECKING:
    from core.backbones.weights import WeightSet

_TOLD_ELSEWHERE = ("title", "architecture", "licence", "terms", "source", "loss curve")
_FIRST = ("data", "probe")


class WeightsDetails(QWidget):
    """Shows one set. Texts can be selected and copied.

    Signals
    -------
    copied(text)
        The address is on the clipboard.
    """

    copied = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._url = ""
        self._rows: list[tuple[QLabel, QLabel]] = []
        self._hash: QLabel | None = None
        self.copy = QPushButton(self.tr("Copy &address"))
        self.copy.setAutoDefault(False)
        self.copy.clicked.connect(self._copy)
        self._heading = label(role="heading", width=400)
        self._terms = label(width=600)
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 4, 0, 0)
        self._form.setHorizontalSpacing(14)
        self._form.setVerticalSpacing(5)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.setSpacing(6)
        top = QHBoxLayout()
        top.addWidget(self._heading, 1)
        top.addWidget(self.copy, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(top)
        layout.addWidget(self._terms)
        layout.addLayout(self._form)
        layout.addStretch()
        self.show_set(None)

    def text(self) -> str:
        """Everything that is shown, a line a row."""
        rows = [self._heading.text(), self._terms.text()]
        rows += [f"{name.text()}: {value.text()}" for name, value in self._rows]
        return "\n".join(rows)

    def show_set(self, chosen: WeightSet | None, network: str = "", sha256: str = "") -> None:
        """Show a set, or what to do where none is chosen.

        Parameters
        ----------
        chosen : WeightSet, optional
        network : str
            The title of its architecture.
        sha256 : str
            Of its file, if known already; ``show_hash`` brings it later.
        """
        while self._form.rowCount():
            self._form.removeRow(0)
        self._rows.clear()
        self._url, self._hash = "" if chosen is None else chosen.url, None
        self.copy.setVisible(bool(self._url))
        if chosen is None:
            self._heading.setText("")
            self._terms.setText(self.tr("Choose a set to see where it comes from and who may use it."))
            return
        self._heading.setText(chosen.title)
        licence = self.tr("Licence: {licence}.").format(licence=chosen.licence)
        self._terms.setText(chosen.terms or licence)
        self._add(self.tr("Name"), chosen.name)
        self._add(self.tr("Network"), network or chosen.architecture)
        self._add(self.tr("Source"), chosen.source)
        if chosen.url:
            self._add(self.tr("Address"), chosen.url)
        elif not chosen.available:
            self._add(self.tr("Address"), self.tr("Not published as a file"))
        if chosen.published_sha256:
            whole = len(chosen.published_sha256) == 64
            published = chosen.published_sha256 if whole else f"{chosen.published_sha256}… (as its file name says)"
            self._add(self.tr("SHA-256 as published"), published)
        if chosen.path is not None:
            self._add(self.tr("File"), str(chosen.path))
            self._hash = self._add(self.tr("SHA-256 here"), sha256 or self.tr("is being read …"))
            self._hash.setToolTip(self.tr("Models remember this, and refuse to run with another."))
        shown = (chosen.published_sha256,) if chosen.published_sha256 else ()
        for name, lines in facts(chosen.card or {}):
            if lines[0] not in shown:  # an import's own hash, where it is the published one
                self._add(name, "\n".join(lines))

    def show_hash(self, sha256: str) -> None:
        """Show the SHA-256 of the chosen set's file."""
        if self._hash is not None:
            self._hash.setText(sha256)

    def _add(self, name: str, text: str) -> QLabel:
        title = label(name, "muted", wrap=False)
        title.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        value = label(text, width=500)
        value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._form.addRow(title, value)
        self._rows.append((title, value))
        return value

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._url)
        self.copied.emit(self._url)


def facts(card: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """What a card says, as names with lines; what it was trained on and what the probe found come first."""
    names = [*(n for n in _FIRST if n in card), *(n for n in card if n not in (*_FIRST, *_TOLD_ELSEWHERE))]
    titles = {"data": "Trained on", "probe": "Probe"}
    return [(titles.get(name, name[:1].upper() + name[1:]), _lines(card[name])) for name in names]


def _lines(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{name}: {_inline(one)}" for name, one in value.items()] or [NOTHING]
    if isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(one, Mapping) for one in value):
        return [_row(one) if isinstance(one, Mapping) else _inline(one) for one in value]
    return [_inline(value)]


def _row(values: Mapping[str, Any]) -> str:
    """One line of a small table: its words, then its numbers by name."""
    words = [str(v) for v in values.values() if isinstance(v, str)]
    numbers = [f"{name} {_inline(v)}" for name, v in values.items() if not isinstance(v, str)]
    return ": ".join(part for part in (", ".join(words), ", ".join(numbers)) if part)


def _inline(value: Any) -> str:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ")
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_inline(one)}" for name, one in value.items())
    if isinstance(value, Sequence):
        return ", ".join(_inline(one) for one in value)
    return str(value)
