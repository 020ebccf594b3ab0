"""What the scans of a folder hold, and which mode a method that has several would judge them in."""

from __future__ import annotations

import dataclasses

from PySide6.QtWidgets import QFormLayout, QVBoxLayout, QWidget

from app import work
from app.jobs import Job
from app.panels.panel import label, rerole
from app.session import Session
from app.work import FeatureRequest, ScanFacts
from core.datasets.category import Category
from core.errors import NominalError


class ModeNote(QWidget):
    """A line that says what the scans hold and what of it would be looked at.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._known: dict[Category, ScanFacts] = {}
        self._asked: tuple[FeatureRequest, Category | None] | None = None
        self._row: tuple[QFormLayout, QWidget] | None = None
        self.text = label(width=240)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)

    def show_for(self, request: FeatureRequest, category: Category | None) -> None:
        """Show what a method's settings mean for a folder of parts; hide for methods without modes."""
        self._asked = request, category
        try:
            use = work.mode_use(request)
        except NominalError as error:
            self._show(str(error), "problem")
            return
        self._set_shown(use is not None)
        if use is None:
            return
        if category is None:
            self._show(self.tr("Chosen by what the scans hold"), "muted")
            return
        facts = self._known.get(category)
        if facts is None:
            self._find_out(category)
            self._show(self.tr("Looking at the first scan …"), "muted")
            return
        held, images = self._held(facts, category)
        use = work.mode_use(dataclasses.replace(request, images=images, organised=facts.organised))
        assert use is not None
        if not use.possible:
            text = self.tr("⚠ {held}. {mode} needs an image of every scan: choose another mode below.")
            self._show(text.format(held=held, mode=self._title(use.mode)), "warning")
            return
        how = self.tr("chosen by that; “mode” below changes it") if use.automatic else self.tr("as chosen below")
        title = self._title(use.mode)
        if use.drawn:
            title += self.tr(", its images drawn of the shape from several sides")
        self._show(f"{held}. {title} ({how}).", "")

    def _held(self, facts: ScanFacts, category: Category) -> tuple[str, bool]:
        """What the good scans hold in words, and whether all have an image: beside them or, as it seems, in them."""
        grid = self.tr("The scans have a grid") if facts.organised else self.tr("The scans have no grid")
        good = category.good_train()
        seen = sum(entry.image is not None for entry in good)
        if facts.image and seen in (0, len(good)):
            return grid + self.tr(" and an RGB image"), True
        if seen:
            return grid + self.tr(", {seen} of {n} an RGB image").format(seen=seen, n=len(good)), False
        return grid + self.tr(" and no RGB image"), False

    def _title(self, mode: str) -> str:
        titles = {
            "2d+3d": self.tr("2D+3D: shape and image together"),
            "3d": self.tr("3D: shape alone"),
            "2d": self.tr("2D: image alone"),
        }
        return titles.get(mode, mode)

    def _find_out(self, category: Category) -> None:
        def done(facts: ScanFacts) -> None:
            self._known[category] = facts
            if self._asked is not None and self._asked[1] is category:
                self.show_for(*self._asked)

        def failed(error: Exception) -> None:
            if not isinstance(error, NominalError):
                raise error
            self._show(str(error), "problem")

        self._session.jobs.submit(
            Job(
                self.tr("Looking at {name}").format(name=category.name),
                lambda _: work.scan_facts(category),
                done=done,
                failed=failed,
                tag="facts",
                replaces=True,
            )
        )

    def put_into(self, form: QFormLayout, name: str) -> None:
        """Take a row of a form, which is shown and hidden as a whole."""
        form.addRow(name, self)
        self._row = form, self
        self._set_shown(False)

    def _set_shown(self, on: bool) -> None:
        if self._row is not None:
            self._row[0].setRowVisible(self, on)

    def _show(self, text: str, role: str) -> None:
        self.text.setText(text)
        rerole(self.text, role)
