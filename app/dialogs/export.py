"""Writing a result: which formats, where to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app import work
from app.jobs import Job
from app.panels.panel import label, named
from app.session import Session
from core.errors import OutputError
from core.files import written_whole
from core.inspection.verdict import Inspection
from core.reporting.formats import RECONSTRUCTION, file_name

PICTURE = "png"


class ExportDialog(QDialog):
    """Asks for formats and folder, remembers both, and writes in the worker."""

    def __init__(
        self, session: Session, inspection: Inspection, picture: Callable[[], QImage], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._inspection, self._picture = session, inspection, picture
        self._card = None if session.model is None else session.model.card
        self._calibration = session.calibration
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Export results"))
        self.setMinimumWidth(520)
        texts = {
            "ply": self.tr("Annotated PLY: points with score, mask, defects and every map (CloudCompare, MeshLab)"),
            "json": self.tr("JSON: the inspection with its numbers and settings"),
            "csv": self.tr("CSV: the defects as a table"),
            "npz": self.tr("NPZ: the raw scores in the order of the file"),
            RECONSTRUCTION: self.tr("Reconstruction: what the part should have been, as PLY"),
            PICTURE: self.tr("PNG: the 3D view as it is now"),
        }
        chosen = set(session.settings.export_formats)
        self.formats = {name: QCheckBox(text) for name, text in texts.items()}
        self.folder = QLineEdit(session.settings.export_folder or str(Path.home()))
        self.folder.setAccessibleName(self.tr("Folder"))
        self.browse = QPushButton(self.tr("Browse …"))
        self.stem = QLineEdit(_file_name(session.entry.key if session.entry is not None else inspection.scan.name))
        self.stem.setAccessibleName(self.tr("File name"))
        self.written = label(role="muted")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel | QDialogButtonBox.StandardButton.Save)
        self.save = self.buttons.button(QDialogButtonBox.StandardButton.Save)
        self.save.setText(self.tr("Export"))

        row = QHBoxLayout()
        row.addWidget(self.folder, 1)
        row.addWidget(self.browse)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(named(self.tr("&Folder"), self.folder), row)
        form.addRow(self.tr("File &name"), self.stem)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(10)
        for name, box in self.formats.items():
            box.setChecked(name in chosen)
            box.toggled.connect(self._check)
            layout.addWidget(box)
        if inspection.scores.reconstruction is None:
            box = self.formats[RECONSTRUCTION]
            box.setEnabled(False)
            box.setToolTip(self.tr("The method of this model judges the part without reconstructing it"))
        layout.addSpacing(4)
        layout.addLayout(form)
        layout.addWidget(self.written)
        layout.addWidget(self.buttons)
        guarded = session.failures.guarded
        self.browse.clicked.connect(guarded(self._browse))
        self.folder.textChanged.connect(self._check)
        self.stem.textChanged.connect(self._check)
        self.buttons.accepted.connect(guarded(self._export))
        self.buttons.rejected.connect(self.reject)
        self._check()

    @property
    def chosen(self) -> tuple[str, ...]:
        return tuple(name for name, box in self.formats.items() if box.isChecked() and box.isEnabled())

    def _check(self) -> None:
        stem = self.stem.text().strip()
        self.save.setEnabled(bool(self.chosen and self.folder.text().strip() and stem))
        names = [file_name(stem, name) for name in self.chosen] if stem else []
        there = [name for name in names if (self._folder / name).exists()]
        self.written.setText(self.tr("Will be replaced: {names}").format(names=", ".join(there)) if there else "")

    @property
    def _folder(self) -> Path:
        return Path(self.folder.text().strip()).expanduser()

    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("Export to"), self.folder.text())
        if folder:
            self.folder.setText(folder)

    def _export(self) -> None:
        session, inspection, folder = self._session, self._inspection, self._folder
        stem, formats = folder / self.stem.text().strip(), self.chosen
        card, calibration = self._card, self._calibration
        session.settings.export_folder = str(folder)
        kept = set(session.settings.export_formats) & {n for n, box in self.formats.items() if not box.isEnabled()}
        session.settings.export_formats = [*formats, *sorted(kept)]
        if PICTURE in formats:
            save_picture(self._picture(), stem.with_name(f"{stem.name}.{PICTURE}"))
        files = tuple(f for f in formats if f != PICTURE)
        done_text = self.tr("Exported to {folder}.").format(folder=folder)
        if files:
            session.jobs.submit(
                Job(
                    self.tr("Exporting {name}").format(name=stem.name),
                    lambda _: work.export(inspection, stem, files, card, calibration),
                    done=lambda _: session.message.emit(done_text),
                )
            )
        else:
            session.message.emit(done_text)
        self.accept()


def save_picture(picture: QImage, path: Path) -> None:
    """Write a picture whole.

    Raises
    ------
    OutputError
    """
    with written_whole(path) as temporary:
        if not picture.save(str(temporary)):
            raise OutputError(f"{path} could not be written", "Choose a folder that you may write to")


def _file_name(key: str) -> str:
    return key.replace("/", "_").replace("\\", "_").strip("_") or "scan"
