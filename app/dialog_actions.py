"""The window's dialogs: which are open, and the actions that open one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QDialog, QFileDialog, QMainWindow

from app.dialogs.about import AboutDialog, KeysDialog
from app.dialogs.add_category import AddCategoryDialog
from app.dialogs.combine import CombineDialog
from app.dialogs.error import ErrorDialog
from app.dialogs.evaluate import EvaluateDialog
from app.dialogs.export import ExportDialog, save_picture
from app.dialogs.train import TrainDialog
from app.dialogs.weights import WeightsDialog
from app.session import Session
from app.theme import ThemeController
from app.viewer.viewer import Viewer


class DialogActions(QMainWindow):
    """What each of them does, for the window that has these parts. Dialogs do not block; several may be open."""

    session: Session
    theme: ThemeController
    viewer: Viewer
    _guarded: Callable[..., Callable[..., None]]
    _dialogs: list[QDialog]
    _closing: bool

    def _open(self, dialog: QDialog) -> QDialog:
        """Show a dialog without blocking; several may be open."""
        self._dialogs.append(dialog)
        dialog.finished.connect(partial(self._forget, dialog))
        dialog.show()
        return dialog

    def _forget(self, dialog: QDialog, *_: object) -> None:
        if dialog in self._dialogs:
            self._dialogs.remove(dialog)

    def dialog(self, kind: type[QDialog]) -> QDialog | None:
        """The open dialog of a kind, the newest first."""
        return next((d for d in reversed(self._dialogs) if isinstance(d, kind)), None)

    def _show_failure(self, error: BaseException) -> None:
        """One dialog a failure, and never a pile of them."""
        waiting = [d for d in self._dialogs if isinstance(d, ErrorDialog)]
        if any(str(d.error) == str(error) for d in waiting) or len(waiting) >= 3 or self._closing:
            return
        in_sight = self.dialog(WeightsDialog) is not None
        dialog = ErrorDialog(error, self.theme.theme, self, offer_weights=not in_sight)
        dialog.weights_wanted.connect(self._guarded(self.do_weights))
        self._open(dialog)

    def do_add_folder(self) -> None:
        self._offer_folder(None)

    def _offer_folder(self, folder: Path | None) -> None:
        self._open(AddCategoryDialog(self.session, folder, self))

    def do_export(self) -> None:
        self.session.flush()
        inspection = self.session.inspection
        if inspection is not None:
            self._open(ExportDialog(self.session, inspection, self.viewer.screenshot, self))

    def do_save_picture(self) -> None:
        picture = self.viewer.screenshot()
        name = (self.session.entry.key if self.session.entry is not None else "scan").replace("/", "_")
        folder = Path(self.session.settings.export_folder or Path.home())
        path, _ = QFileDialog.getSaveFileName(
            self, self.tr("Save picture"), str(folder / f"{name}.png"), self.tr("PNG picture (*.png)")
        )
        if path:
            save_picture(picture, Path(path).with_suffix(".png"))

    def do_train(self) -> None:
        running = self.dialog(TrainDialog)
        if running is not None:
            running.show()
            running.raise_()
            return
        category = self.session.category
        if category is None:
            self._open_train()
        else:
            self._open_train(category.root, category.unit, category.name)

    def _train_category(self, name: str) -> None:
        known = self.session.catalog.category(name)
        if known is not None and self.dialog(TrainDialog) is None:
            self._open_train(known.folder, known.unit, known.name)
        else:
            self.do_train()

    def _open_train(self, folder: Path | None = None, unit: str = "", name: str = "") -> None:
        dialog = TrainDialog(self.session, self.theme.theme, folder, unit, name, parent=self)
        dialog.weights_wanted.connect(self._guarded(self.do_weights))
        self._open(dialog)

    def do_combine(self) -> None:
        if self.session.category is not None:
            self._combine(self.session.category.name)

    def _combine(self, category: str) -> None:
        """The Combine dialog of a category, one at a time."""
        if self.dialog(CombineDialog) is None:
            self._open(CombineDialog(self.session, category, self))

    def do_evaluate(self) -> None:
        self._evaluate(None)

    def _evaluate(self, model: Path | None) -> None:
        """The Evaluate dialog, opened or brought to the front, with a model to choose."""
        dialog = self.dialog(EvaluateDialog)
        if not isinstance(dialog, EvaluateDialog):
            self._open(EvaluateDialog(self.session, self.theme.theme, model, self))
            return
        if model is not None:
            dialog.choose(model)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    def do_weights(self) -> WeightsDialog:
        """The Weights dialog, opened or brought to the front."""
        dialog = self.dialog(WeightsDialog)
        if not isinstance(dialog, WeightsDialog):
            dialog = WeightsDialog(self.session, self.theme.theme, self)
            self._open(dialog)
        dialog.raise_()
        dialog.activateWindow()
        return dialog

    def do_shortcuts(self) -> None:
        if self.dialog(KeysDialog) is None:
            self._open(KeysDialog(self))

    def do_about(self) -> None:
        self._open(
            AboutDialog(self.theme.theme, self.session.workshop.methods, self.session.workshop.device_title, self)
        )
