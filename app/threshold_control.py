"""Changing thresholds by hand: undoable, remembered for their model and mode, the inspection follows."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from app.commands import ChangeThresholds
from app.reduced_mode import of_threshold_key, threshold_key
from app.threshold_memory import ThresholdMemory
from core.inspection.thresholds import Thresholds

if TYPE_CHECKING:
    from app.session import Session
    from core.workflow import Model


class ThresholdControl(QObject):
    """The thresholds in force for every model, and the ways to change them."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._memory = ThresholdMemory(session.settings)
        self._gesture = 0

    # -- of the chosen model, in the mode that judges the open scan

    @property
    def now(self) -> Thresholds | None:
        """The user's, else the calibrated ones; None until the model is loaded."""
        calibration = self._session.calibration
        return self._memory.of(self._key, None if calibration is None else calibration.thresholds())

    @property
    def by_hand(self) -> bool:
        """Whether others than the calibrated ones are in force."""
        calibration = self._session.calibration
        return calibration is not None and self.now != calibration.thresholds()

    def begin_gesture(self) -> int:
        """A number for the changes that are to be undone together, such as one drag."""
        self._gesture += 1
        return self._gesture

    def change(self, gesture: int | None = None, **changes: Any) -> None:
        """Take other thresholds; undoable. Changes of the same ``gesture`` are one step."""
        if self._key is not None and self.now is not None:
            self._push(self._key, self.now, changes, gesture)

    def reset(self) -> None:
        """Back to the calibrated ones; undoable."""
        calibration = self._session.calibration
        if calibration is not None:
            self.change(**dataclasses.asdict(calibration.thresholds()))

    # -- of any model, open or not

    def of(self, key: Path, calibrated: Thresholds) -> Thresholds:
        """Those in force for a model in a mode (``threshold_key``)."""
        return self._memory.of(key, calibrated) or calibrated

    def in_mode(self, model: Model, path: Path, lacking: str) -> Thresholds:
        """Those in force for a model's scans that lack this, or nothing."""
        return self.of(threshold_key(path, bool(lacking)), model.calibration_for(lacking).thresholds())

    def change_of(self, key: Path, calibrated: Thresholds, **changes: Any) -> None:
        """Take others for a model in a mode; undoable."""
        self._push(key, self.of(key, calibrated), changes, None)

    def put(self, key: Path, thresholds: Thresholds) -> None:
        """Behind the undoable change: these are in force for a model in a mode, the inspection follows."""
        path, reduced = of_threshold_key(key)
        model = self._session.models.find(path)
        calibration = None if model is None else model.reduced if reduced else model.calibration
        self._memory.put(key, thresholds, None if calibration is None else calibration.thresholds())
        if key == self._key:
            self._session.thresholds_changed.emit()
            self._session.refresh_soon()

    @property
    def _key(self) -> Path | None:
        path = self._session.model_path
        return None if path is None else threshold_key(path, bool(self._session.lacking))

    def _push(self, key: Path, before: Thresholds, changes: dict[str, Any], gesture: int | None) -> None:
        after = before.replaced(**changes)
        if after != before:
            step = self.begin_gesture() if gesture is None else gesture
            self._session.undo_stack.push(ChangeThresholds(self, key, before, after, step))
