"""Thresholds that were changed by hand: they hold for their model's next scan, and for the next run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.settings import Settings
from core.inspection.thresholds import Thresholds


class ThresholdMemory:
    """The thresholds in force for each model. Those that differ from the calibrated ones lie in the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[Path, Thresholds] = {}

    def of(self, model: Path | None, calibrated: Thresholds | None) -> Thresholds | None:
        """The user's thresholds for a model, else the ``calibrated`` ones; these are None until it is loaded."""
        if model is None:
            return None
        if model not in self._known and calibrated is not None and str(model) in self._settings.thresholds:
            self._known[model] = sound(self._settings.thresholds[str(model)], calibrated)
        return self._known.get(model, calibrated)

    def put(self, model: Path, thresholds: Thresholds, calibrated: Thresholds | None) -> None:
        """Take other thresholds for a model. Back at the calibrated ones there is nothing to remember."""
        self._known[model] = thresholds
        if thresholds == calibrated:
            self._settings.thresholds.pop(str(model), None)
        else:
            self._settings.thresholds[str(model)] = dataclasses.asdict(thresholds)


def sound(values: Mapping[str, Any], default: Thresholds) -> Thresholds:
    """Thresholds from a file; what is not a number falls back to ``default``."""
    known = {f.name for f in dataclasses.fields(Thresholds)}
    return default.replaced(**{k: v for k, v in values.items() if k in known and isinstance(v, int | float)})
