"""The inspect panel: model chooser, the one big button, the verdict and the numbers behind it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication, QDateTime, QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.icons import colored, icon
from app.model_comparison import validation_of
from app.panels.banner import Banner
from app.panels.panel import Panel, label
from app.quantities import duration, number
from app.session import Session
from app.theme import Theme
from app.verdicts import meaning, mode_line
from core.inspection.acquisition import UsualAcquisition
from core.inspection.verdict import Inspection, Verdict
from core.store.library import ModelEntry
from core.store.model_file import ModelCard


class InspectPanel(Panel):
    """Asks the session to inspect, and shows what came out.

    Parameters
    ----------
    session : Session
    inspect, train, open_model : QAction
        The window's own actions, so that button, menu and shortcut are one.
    """

    def __init__(self, session: Session, inspect: QAction, train: QAction, open_model: QAction) -> None:
        super().__init__()
        self._session, self._inspect = session, inspect
        self._filling = False

        self.models = QComboBox()
        self.models.setAccessibleName(self.tr("Model"))
        self.models.setToolTip(self.tr("The model that judges. It was fitted on good parts of this category."))
        self.models.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.models.setMinimumContentsLength(12)
        self.train = QToolButton()
        self.train.setDefaultAction(train)
        chooser = QHBoxLayout()
        title = label(self.tr("&Model"), wrap=False)
        title.setBuddy(self.models)
        chooser.addWidget(title)
        chooser.addWidget(self.models, 1)
        chooser.addWidget(self.train)

        self.button = QPushButton(self.tr("Inspect"))
        self.button.setProperty("role", "primary")
        self.button.setMinimumHeight(44)
        self.button.setIconSize(QSize(22, 22))
        self.button.setAccessibleDescription(self.tr("Score the open scan with the chosen model"))
        self.button.clicked.connect(inspect.trigger)
        inspect.changed.connect(self._follow_action)
        self.on_open = QCheckBox(self.tr("Inspect every scan as it is opened"))
        self.on_open.setChecked(session.settings.inspect_on_open)

        self.banner = Banner()
        self.train_first = QPushButton(self.tr("Train a model …"))
        self.train_first.setProperty("role", "primary")
        self.train_first.clicked.connect(train.trigger)
        self.open_first = QPushButton(self.tr("Open a model …"))
        self.open_first.clicked.connect(open_model.trigger)
        self.without_model = QWidget()
        ways = QHBoxLayout(self.without_model)
        ways.setContentsMargins(0, 0, 0, 0)
        ways.addWidget(self.train_first, 1)
        ways.addWidget(self.open_first, 1)
        self.object_score, self.threshold, self.defects, self.seconds = (label(wrap=False) for _ in range(4))
        self.facts = QWidget()
        facts = QFormLayout(self.facts)
        facts.setContentsMargins(0, 0, 0, 0)
        facts.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        facts.setHorizontalSpacing(14)
        facts.setVerticalSpacing(3)
        for text, value in (
            (self.tr("Object score"), self.object_score),
            (self.tr("Part threshold"), self.threshold),
            (self.tr("Defects"), self.defects),
            (self.tr("Scored in"), self.seconds),
        ):
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            facts.addRow(label(text, "muted", wrap=False), value)
        self.warnings = label(role="warning", width=280)
        self.notes = label(role="muted", width=280)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 8)
        layout.setSpacing(8)
        layout.addLayout(chooser)
        layout.addWidget(self.button)
        layout.addWidget(self.banner)
        layout.addWidget(self.warnings)
        layout.addWidget(self.without_model)
        layout.addWidget(self.facts)
        layout.addWidget(self.notes)
        layout.addWidget(self.on_open)
        layout.addStretch()

        guarded = session.failures.guarded
        self.models.activated.connect(guarded(self._choose))
        self.on_open.toggled.connect(guarded(self._toggle_on_open))
        for signal in (session.catalog.changed, session.category_changed, session.model_changed):
            signal.connect(guarded(self._fill_models))
        session.inspection_changed.connect(guarded(self.refresh))
        session.model_changed.connect(guarded(self.refresh))
        session.category_changed.connect(guarded(self.refresh))
        session.jobs.changed.connect(guarded(self.refresh))
        self._follow_action()
        self._fill_models()
        self.refresh()

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        self.banner.set_theme(theme)
        self.button.setIcon(colored("inspect", theme.on_accent))
        for row in range(self.models.count()):
            self.models.setItemIcon(row, icon("model", theme))

    def refresh(self) -> None:
        """Show the inspection as it stands."""
        session = self._session
        inspection = session.inspection
        without_model = session.scan is not None and session.model_path is None
        self.without_model.setVisible(without_model)
        self.facts.setVisible(not without_model)
        if session.jobs.is_busy_with("inspect"):
            self.banner.show_busy(session.entry.key if session.entry is not None else "")
        elif inspection is None:
            self.banner.show_idle(self._what_is_missing())
            self.banner.setToolTip("")
        else:
            self.banner.show_verdict(inspection.verdict, verdict_line(inspection))
            self.banner.setToolTip(meaning(inspection.verdict))
        self.object_score.setText(number(None if inspection is None else inspection.scores.object))
        self.threshold.setText(self._threshold_text())
        self.defects.setText(number(None) if inspection is None else str(len(inspection.defects)))
        self.seconds.setText(number(None) if inspection is None else duration(inspection.seconds))
        reservations = () if inspection is None else inspection.scores.notes
        for shown, lines in ((self.warnings, [f"⚠ {note}" for note in reservations]), (self.notes, self._notes())):
            shown.setText("\n".join(lines))
            shown.setVisible(bool(lines))

    def _threshold_text(self) -> str:
        thresholds = self._session.thresholds
        if thresholds is None:
            return number(None)
        text = number(thresholds.part)
        if thresholds.guard > 0:
            text += self.tr(" ± {guard} (review)").format(guard=number(thresholds.guard, 2))
        return text

    def _what_is_missing(self) -> str:
        session = self._session
        if session.scan is None:
            return self.tr("Open a scan.")
        if session.model_path is None:
            if self.models.isEnabled():
                return self.tr("Choose a model above.")
            return self.tr("Train a model from good parts, or open one.")
        if session.model is None:
            return self.tr("The model is being loaded.")
        return self.tr("Press Inspect ({keys}).").format(keys=self._inspect.shortcut().toString())

    def _notes(self) -> list[str]:
        session = self._session
        notes = []
        inspection = session.inspection
        if inspection is not None and inspection.verdict is Verdict.ACCEPT and len(inspection.defects):
            notes.append(self.tr("Accepted by its object score, yet it shows defects: look at them."))
        if inspection is None and session.lacking:
            text = self.tr("The scan has {lacking}, which the model was trained with: it can be judged by shape alone.")
            notes.append(text.format(lacking=session.lacking))
        if session.threshold_control.by_hand:
            notes.append(self.tr("The thresholds were changed by hand; calibrated ones: Reset."))
        if session.scan is not None:
            notes.extend(session.scan.notes)
        return notes

    def _fill_models(self) -> None:
        self.models.clear()
        session = self._session
        entries = list(session.catalog.models(session.category.name)) if session.category is not None else []
        chosen = session.catalog.model(session.model_path)
        if chosen is not None and chosen not in entries:
            entries.insert(0, chosen)
        for entry in entries:
            if entry.card is None or entry.problem is not None:
                continue
            self.models.addItem(icon("model", self.theme), model_title(entry), entry.path)
            self.models.setItemData(self.models.count() - 1, model_tip(entry), Qt.ItemDataRole.ToolTipRole)
        if self.models.count() == 0:
            self.models.addItem(self.tr("No model yet"), None)
        self.models.setEnabled(self.models.itemData(0) is not None)
        paths = [self.models.itemData(row) for row in range(self.models.count())]  # findData does not compare paths
        self.models.setPlaceholderText(self.tr("Choose a model"))
        self.models.setCurrentIndex(paths.index(session.model_path) if session.model_path in paths else -1)

    def _choose(self, row: int) -> None:
        path = self.models.itemData(row)
        if isinstance(path, Path):
            self._session.choose_model(path)

    def _toggle_on_open(self, on: bool) -> None:
        self._session.settings.inspect_on_open = on

    def _follow_action(self) -> None:
        self.button.setEnabled(self._inspect.isEnabled())
        self.button.setToolTip(self._inspect.toolTip())


def verdict_line(inspection: Inspection) -> str:
    """The numbers behind a verdict, in one line."""
    score, part = inspection.scores.object, inspection.thresholds.part
    sign = "≤" if score <= part else ">"
    line = QCoreApplication.translate("Verdict", "Score {score} {sign} threshold {part}").format(
        score=number(score, 3), sign=sign, part=number(part, 3)
    )
    if inspection.lacking:
        line += "\n" + mode_line(inspection.lacking)
    return line


def model_title(entry: ModelEntry) -> str:
    """A model's name with the day it was made."""
    assert entry.card is not None
    name = entry.card.name.removeprefix(f"{entry.card.category} ")
    made = QDateTime.fromString(entry.card.created, Qt.DateFormat.ISODate)
    day = made.date().toString(Qt.DateFormat.ISODate) if made.isValid() else ""
    return f"{name} · {day}" if day else name


def model_tip(entry: ModelEntry) -> str:
    """What a model is, for a tool tip."""
    card = entry.card
    if card is None:
        return entry.problem or entry.path.name
    weights = ", ".join(card.weights) or QCoreApplication.translate("Model", "none")
    text = QCoreApplication.translate(
        "Model",
        "{name}\nMethod: {pipeline}, preset {preset}\nFitted on {count} good scans ({unit})\n"
        "Backbone weights: {weights}\n{path}",
    )
    return (
        text.format(
            name=card.name,
            pipeline=card.pipeline,
            preset=card.preset,
            count=card.scan_count,
            unit=card.unit,
            weights=weights,
            path=entry.path,
        )
        + _measured_tip(card)
        + _validation_tip(entry)
    )


def _measured_tip(card: ModelCard) -> str:
    usual = UsualAcquisition.from_mapping(card.acquisition, card.unit)
    text = QCoreApplication.translate("Model", "Good scans: {text}")
    return "" if usual is None else "\n" + text.format(text=usual.text)


def _validation_tip(entry: ModelEntry) -> str:
    score = validation_of(entry)
    return "" if score is None else f"\n{score.text}"
