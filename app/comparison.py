"""Two maps of a result held against each other: which one, flipping between them, and their difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from app.fields import ANOMALY, DIFFERENCE, color_range
from core.scores import ScoreMap

if TYPE_CHECKING:
    from app.session import Session
    from core.inspection.calibration import Calibration

_SAMPLE = 200_000


@dataclass(frozen=True)
class Scale:
    """How a map is brought to a common measure: ``zero`` becomes 0, ``one`` becomes 1.

    Attributes
    ----------
    zero, one : float
    good : bool
        Whether they are from good parts: the median of their points, and what the point budget lets them exceed.
    """

    zero: float
    one: float
    good: bool

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return ((values - self.zero) / (self.one - self.zero)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Difference:
    """One map minus another, both scaled.

    Attributes
    ----------
    map : ScoreMap
        Of kind ``selection``.
    above : (int, int, int)
        Points beyond 1 in the one, in the other, in both.
    good : bool
        Whether both scales are from good parts.
    """

    map: ScoreMap
    above: tuple[int, int, int]
    good: bool


def scale_of(key: str, shown: ScoreMap, calibration: Calibration | None) -> Scale:
    """The scale of a map: from good parts where the model knows them, else from the map itself.

    Scores then have 0 at the median of the part and 1 at its highest thousandth; weights stay as they are; selections
    and heights have 0 at 0 and 1 at the end of their colours.
    """
    if shown.kind == "score" and calibration is not None:
        known = calibration.map_scales.get(key)
        if key == ANOMALY:
            known = float(np.median(calibration.point_sample)), calibration.point_threshold
        if known is not None and known[1] > known[0]:
            return Scale(*known, good=True)
    if shown.kind != "score":
        return Scale(0.0, color_range(key, shown, None)[1], good=False)
    values = shown.values[np.isfinite(shown.values)]
    if not len(values):
        return Scale(0.0, 1.0, good=False)
    middle, top = np.quantile(values[:: len(values) // _SAMPLE + 1], (0.5, 0.999))
    return Scale(float(middle), float(top) if top > middle else float(middle) + 1.0, good=False)


def difference(
    key: str, shown: ScoreMap, other_key: str, other: ScoreMap, calibration: Calibration | None
) -> Difference:
    """``shown`` minus ``other`` on their common measure; NaN where either is unknown."""
    scales = scale_of(key, shown, calibration), scale_of(other_key, other, calibration)
    one, two = scales[0](shown.values), scales[1](other.values)
    with np.errstate(invalid="ignore"):
        above = int((one > 1).sum()), int((two > 1).sum()), int(((one > 1) & (two > 1)).sum())
    made = ScoreMap(one - two, f"{shown.title} − {other.title}", "selection", ends=(other.title, shown.title))
    return Difference(made, above, scales[0].good and scales[1].good)


class Comparison(QObject):
    """Which map the shown one is compared with.

    Signals
    -------
    changed
        Another map is compared with, or the difference is shown or is not.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._wanted: str | None = None
        self._on = False
        self._last = session.shown_map
        self._before: str | None = None  # shown before the present one
        self._made: tuple[tuple[object, ...], Difference] | None = None
        session.map_changed.connect(self._map_changed)
        session.result_changed.connect(self._result_changed)

    @property
    def reference(self) -> str | None:
        """The map that was chosen to compare with, where the result has it."""
        maps = self._session.maps()
        return self._wanted if self._wanted in maps and self._wanted != self._session.shown_map else None

    @property
    def other(self) -> str | None:
        """The map to flip to: the chosen one, else the one shown before, else the first that is comparable."""
        shown = self._session.shown_map
        if self.reference is not None:
            return self.reference
        maps = {key: m for key, m in self._session.maps().items() if key != shown and m.kind != "label"}
        return self._before if self._before in maps else next(iter(maps), None)

    @property
    def differs(self) -> bool:
        """Whether the difference is shown in the place of the map."""
        return self.current is not None

    @property
    def current(self) -> Difference | None:
        """The difference, while it is to be shown."""
        session, reference = self._session, self.reference
        if not self._on or reference is None or session.judged is None:
            return None
        maps, shown = session.maps(), session.shown_map
        if "label" in (maps[shown].kind, maps[reference].kind):
            return None
        calibration = session.calibration
        of = (session.judged, calibration, shown, reference)  # the first two are the same only if they are identical
        if self._made is None or self._made[0] != of:
            self._made = of, difference(shown, maps[shown], reference, maps[reference], calibration)
        return self._made[1]

    def displayed(self) -> tuple[str, ScoreMap] | None:
        """What the view shows: the chosen map, or the difference, with the key that it goes by."""
        current = self.current
        if current is not None:
            return DIFFERENCE, current.map
        shown = self._session.maps().get(self._session.shown_map)
        return None if shown is None else (self._session.shown_map, shown)

    def choose(self, key: str | None) -> None:
        """Compare with this map; None ends comparing."""
        if key == self._session.shown_map:
            key = None
        self._wanted = key
        self._on = self._on and key is not None
        self.changed.emit()

    def show_difference(self, on: bool) -> None:
        """Show the difference, or the map again."""
        if on and self.reference is None:
            self._wanted = self.other
        self._on = on and self.reference is not None
        self.changed.emit()

    def flip(self) -> None:
        """Show the other map; what was shown becomes the other."""
        other = self.other
        if other is not None:
            self._session.show_map(other)

    def let_go(self) -> None:
        """Keep no result."""
        self._made = None

    def _result_changed(self) -> None:
        """Another result may lack the map that was shown; and the last one's difference is of no use."""
        self._made = None
        if self._session.shown_map != self._last:
            self._before, self._last = self._last, self._session.shown_map

    def _map_changed(self) -> None:
        shown = self._session.shown_map
        self._before, self._last = self._last, shown
        if self._wanted == shown:
            self._wanted = self._before
        self.changed.emit()
