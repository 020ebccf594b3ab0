"""A form for a method's settings, made from what its config declares."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QLineEdit, QSpinBox, QWidget

from app.dialogs.feature_box import FeatureBox
from app.panels.panel import label
from app.quantities import decimals
from app.work import Method
from core.pipelines.config import Setting

_HUGE = 2_000_000_000


class ConfigForm(QWidget):
    """One row a setting; ``changes`` are those that differ from the preset."""

    changed = Signal()

    def __init__(self, method: Method, preset: str) -> None:
        super().__init__()
        self._base = dict(method.preset_values[preset])
        self._fields: dict[str, QWidget] = {}
        form = QFormLayout(self)
        form.setContentsMargins(4, 4, 4, 4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for spec in method.settings:
            field = self._field(spec, self._base[spec.name])
            tip = spec.help + (
                self.tr("\nThe paper: {value}").format(value=spec.paper) if spec.paper is not None else ""
            )
            field.setToolTip(f"{tip}\n{spec.allowed}")
            field.setAccessibleName(spec.name.replace("_", " "))
            field.setAccessibleDescription(spec.help)
            self._fields[spec.name] = field
            name = label(spec.name.replace("_", " "), wrap=False)
            name.setToolTip(field.toolTip())
            form.addRow(name, field)

    @property
    def changes(self) -> dict[str, Any]:
        """The settings that were changed."""
        values = {name: _value(field) for name, field in self._fields.items()}
        return {name: value for name, value in values.items() if value != self._base[name]}

    def field(self, name: str) -> QWidget:
        """The widget of a setting."""
        return self._fields[name]

    def refresh(self) -> None:
        """Look again at what can be chosen; the choices stay."""
        for field in self._fields.values():
            if isinstance(field, FeatureBox):
                field.refresh()

    def _field(self, spec: Setting, value: Any) -> QWidget:
        if spec.type is bool:
            box = QCheckBox()
            box.setChecked(value)
            box.toggled.connect(self.changed)
            return box
        if spec.features:
            features = FeatureBox(spec.features, value)
            features.currentIndexChanged.connect(self.changed)
            return features
        if spec.choices:
            choice = QComboBox()
            choice.addItems(list(spec.choices))
            choice.setCurrentText(str(value))
            choice.currentTextChanged.connect(self.changed)
            return choice
        if spec.type is int:
            whole = QSpinBox()
            whole.setRange(
                int(spec.low if spec.low is not None else -_HUGE), int(spec.high if spec.high is not None else _HUGE)
            )
            whole.setValue(value)
            whole.setSuffix(f" {spec.unit}" if spec.unit else "")
            whole.valueChanged.connect(self.changed)
            return whole
        if spec.type is float:
            number = QDoubleSpinBox()
            number.setDecimals(max(2, decimals(value, 4)))
            number.setRange(spec.low if spec.low is not None else -1e12, spec.high if spec.high is not None else 1e12)
            number.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
            number.setValue(value)
            number.setSuffix(f" {spec.unit}" if spec.unit else "")
            number.valueChanged.connect(self.changed)
            self._base[spec.name] = number.value()  # as the spin box rounds it: untouched is unchanged
            return number
        text = QLineEdit(str(value))
        text.textChanged.connect(self.changed)
        return text


def _value(field: QWidget) -> Any:
    if isinstance(field, QCheckBox):
        return field.isChecked()
    if isinstance(field, FeatureBox):
        return field.value
    if isinstance(field, QComboBox):
        return field.currentText()
    if isinstance(field, QSpinBox | QDoubleSpinBox):
        return field.value()
    assert isinstance(field, QLineEdit)
    return field.text()
