"""How much of the reconstructed part is shown in the place of the measured one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction

from app.session import Session


class Blending(QObject):
    """From 0, the measured part, to 1, what the method says it should have been.

    The share is kept over scans and models: whoever walks through parts looks at each in the same way.

    Signals
    -------
    changed
        The share, or whether there is anything to blend with.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._share = 0.0
        self._last = 1.0
        session.result_changed.connect(session.failures.guarded(self.changed.emit))

    @property
    def points(self) -> NDArray[np.float32] | None:
        """(M, 3) the reconstructed part in the frame of the open scan; None where there is none."""
        judged = self._session.judged
        return None if judged is None else judged.scores.reconstruction

    @property
    def share(self) -> float:
        """The share in force: 0 where there is nothing to blend with."""
        return 0.0 if self.points is None else self._share

    @property
    def words(self) -> str:
        """What the legend says of the reconstruction."""
        if self.share >= 1.0:
            return self.tr("reconstructed")
        return self.tr("{share} % reconstructed").format(share=round(100 * self.share))

    @property
    def hint(self) -> str:
        """What the control does, or why it does nothing now."""
        session = self._session
        if self.points is not None:
            return self.tr("Blend from what was measured to what the part should have been (R: there and back)")
        if session.judged is not None:
            model = session.model
            title = model.pipeline.title if model is not None else self.tr("This method")
            return self.tr("{method} judges the part without reconstructing it").format(method=title)
        return self.tr("Inspect the scan with a method that reconstructs the part")

    def choose(self, share: float) -> None:
        """Take another share."""
        share = min(max(share, 0.0), 1.0)
        if share != self._share:
            self._share = share
            if share > 0.0:
                self._last = share
            self.changed.emit()

    def flip(self) -> None:
        """From the measured part to the share that was last looked at, the whole at first, or back."""
        self.choose(0.0 if self._share > 0.0 else self._last)

    def describe(self, action: QAction) -> None:
        """Bring the menu's entry up to date."""
        action.setChecked(self.share > 0.0)
        action.setToolTip(self.hint)
        action.setStatusTip(self.hint)
