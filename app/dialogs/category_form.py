"""Choosing a folder of parts: folder, unit, name, and what was recognised in it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QFileDialog, QFormLayout, QHBoxLayout, QLineEdit, QPushButton, QWidget

from app import work
from app.jobs import Job
from app.panels.panel import label, named, rerole
from app.session import Session
from core.datasets.category import Category
from core.datasets.entry import Split
from core.errors import NominalError

UNITS = ("mm", "um", "cm", "m", "inch")


class CategoryForm(QWidget):
    """Asks for a folder and recognises it in the worker.

    Signals
    -------
    recognised(Category or None)
        What the folder is, None while it is not known or cannot be used.
    """

    recognised = Signal(object)

    def __init__(self, session: Session, folder: Path | None = None, unit: str = "", name: str = "") -> None:
        super().__init__()
        self._session = session
        self.category: Category | None = None
        self._asked = 0

        self.folder = QLineEdit(str(folder or ""))
        self.folder.setPlaceholderText(self.tr("Folder with scans of good parts"))
        self.folder.setAccessibleName(self.tr("Folder"))
        self.browse = QPushButton(self.tr("Browse …"))
        self.unit = QComboBox()
        self.unit.addItems(list(UNITS))
        self.unit.setCurrentText(unit or session.settings.unit)
        self.unit.setAccessibleName(self.tr("Unit of the coordinates"))
        self.unit.setToolTip(self.tr("Scan files do not say their unit. It is asked once and kept with the category."))
        self.name = QLineEdit(name)
        self.name.setPlaceholderText(self.tr("as the folder is called"))
        self.name.setAccessibleName(self.tr("Name of the category"))
        self.found = label(width=300)

        row = QHBoxLayout()
        row.addWidget(self.folder, 1)
        row.addWidget(self.browse)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(named(self.tr("&Folder"), self.folder), row)
        form.addRow(self.tr("&Unit"), self.unit)
        form.addRow(self.tr("&Category"), self.name)
        form.addRow(self.tr("Found"), self.found)

        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(250)
        guarded = session.failures.guarded
        self._wait.timeout.connect(guarded(self._recognise))
        self.browse.clicked.connect(guarded(self._browse))
        self.folder.textChanged.connect(guarded(lambda *_: self._later()))
        self.name.textChanged.connect(guarded(lambda *_: self._later()))
        self.unit.currentTextChanged.connect(guarded(lambda *_: self._later()))
        self._recognise()

    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("Folder of parts"), self.folder.text())
        if folder:
            self.folder.setText(folder)

    def _later(self) -> None:
        self._take(None)
        self._wait.start()

    def _recognise(self) -> None:
        self._asked += 1
        asked = self._asked
        text = self.folder.text().strip()
        if not text:
            self._say(self.tr("Choose a folder: a flat one with good scans, or one with train and test folders."))
            return
        folder, unit, name = Path(text).expanduser(), self.unit.currentText(), self.name.text().strip() or None
        self._say(self.tr("Looking …"))

        def done(category: Category) -> None:
            if asked == self._asked:
                self._say(summary(category), "warning" if category.warnings else "")
                self._take(category)

        def failed(error: Exception) -> None:
            if asked != self._asked:
                return
            if not isinstance(error, NominalError):
                raise error
            self._say(str(error), "problem")

        self._session.jobs.submit(
            Job(
                self.tr("Looking into {name}").format(name=folder.name),
                lambda _: work.recognise(folder, unit, name),
                done=done,
                failed=failed,
                tag="recognise",
                replaces=True,
            )
        )

    def _say(self, text: str, role: str = "muted") -> None:
        self.found.setText(text)
        rerole(self.found, role)

    def _take(self, category: Category | None) -> None:
        self.category = category
        self.recognised.emit(category)


def summary(category: Category) -> str:
    """What was recognised: layout, scans per split, warnings."""

    def tr(text: str) -> str:
        return QCoreApplication.translate("CategoryForm", text)

    names: dict[Split, str] = {"train": tr("good for training"), "validation": tr("validation"), "test": tr("test")}
    counts = [f"{len(category.split(split))} {name}" for split, name in names.items() if category.split(split)]
    lines = [tr("Layout {layout}: {counts}").format(layout=category.layout, counts=", ".join(counts))]
    kinds = sorted({e.defect for e in category.entries if e.defect and e.defect != "good"})
    if kinds:
        lines.append(tr("Kinds of defect: {kinds}").format(kinds=", ".join(kinds)))
    lines += [f"⚠ {warning}" for warning in category.warnings]
    return "\n".join(lines)
