"""Why a point has its score: asks the method for the good surface behind it, and leads to that surface and back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from app import work
from app.jobs import Job
from core.datasets.category import Category
from core.datasets.entry import ScanEntry
from core.errors import ScanError
from core.pipelines.explanation import Explanation
from core.scan import Scan

if TYPE_CHECKING:
    from app.session import Session

_NEAR = 0.01
"""Share of a part's size within which a good surface must lie on its scan, else the file is another than it was."""


class Stage(Enum):
    """How far an explanation is."""

    NONE = auto()
    BUSY = auto()  # being looked for
    NOTHING = auto()  # the method compares this place with none
    HERE = auto()  # shown on the picked place
    ARRIVING = auto()  # its good scan is being put in the place of the judged one
    SOURCE = auto()  # its good scan is open, the matching place is shown
    RETURNING = auto()  # the judged scan is being put back


@dataclass(frozen=True, eq=False)
class Place:
    """What was asked about."""

    entry: ScanEntry
    scan: Scan
    point: int
    model_path: Path
    category: str


class Explaining(QObject):
    """The explanation of the picked point, until another point, scan or model is taken.

    Attributes
    ----------
    stage : Stage
    place : Place, or None
        What was asked about.
    found : Explanation, or None
        What the method answered.
    moved_on : bool
        At the source: whether its file is another than the one that was learnt from.

    Signals
    -------
    changed
    arrived
        The good scan is open: its matching place should be looked at.
    """

    changed = Signal()
    arrived = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.stage = Stage.NONE
        self.place: Place | None = None
        self.found: Explanation | None = None
        self.moved_on = False
        self._job: Job | None = None
        self._source: ScanEntry | None = None
        guarded = session.failures.guarded
        session.scan_changed.connect(guarded(self._scan_changed))
        session.picked_changed.connect(guarded(self._picked_changed))
        session.result_changed.connect(guarded(self._check))

    @property
    def possible(self) -> bool:
        """Whether the chosen model's method explains anything."""
        return self._session.model is not None and self._session.model.pipeline.explains

    @property
    def can_ask(self) -> bool:
        """Whether there is a picked point of an inspected part, not yet explained."""
        session = self._session
        asked = self.place is not None and self.place.scan is session.scan and self.place.point == session.picked
        return self.possible and session.judged is not None and session.picked is not None and not asked

    @property
    def active(self) -> bool:
        """Whether there is something to close or to stop."""
        return self.stage is not Stage.NONE

    @property
    def shown_points(self) -> NDArray[np.float32] | None:
        """The good surface in the frame of the open scan, where there is one to show."""
        if self.found is None:
            return None
        return {Stage.HERE: self.found.placed, Stage.SOURCE: self.found.points}.get(self.stage)

    # -- asking

    def ask(self) -> None:
        """Look for the good surface behind the picked point, in the worker."""
        session = self._session
        if not self.can_ask or session.entry is None or session.scan is None or session.picked is None:
            return
        model, model_path = session.model, session.model_path
        assert model is not None
        assert model_path is not None
        self._forget()
        place = Place(session.entry, session.scan, session.picked, model_path, model.card.category)
        job = Job(
            self.tr("Looking for the good surface of {name}").format(name=place.entry.key),
            lambda progress: work.explain(model, place.scan, place.point, progress),
            done=lambda found: self._answered(place, found),
            failed=lambda error: self._failed(place, error),
            cancelled=lambda: self._stopped(place),
            tag="explain",
            replaces=True,
        )
        self.place, self.stage, self._job = place, Stage.BUSY, job
        session.jobs.submit(job)
        self.changed.emit()

    def close(self) -> None:
        """Show no explanation any more, and look for none."""
        if self.stage is not Stage.NONE:
            self._forget()
            self.changed.emit()

    def _forget(self) -> None:
        job, self._job = self._job, None
        self.stage, self.place, self.found, self._source, self.moved_on = Stage.NONE, None, None, None, False
        if job is not None:
            job.cancel()

    def _answered(self, place: Place, found: Explanation | None) -> None:
        if place is not self.place:  # another was asked about meanwhile
            return
        self._job = None
        self.found = found
        self.stage = Stage.NOTHING if found is None else Stage.HERE
        self.changed.emit()

    def _failed(self, place: Place, error: Exception) -> None:
        self._stopped(place)
        raise error

    def _stopped(self, place: Place) -> None:
        if place is self.place:
            self._job = None
            self.close()

    # -- the good scan it is from

    @property
    def can_open_source(self) -> bool:
        """Whether the good scan is in the library, as far as is known without looking at files."""
        session = self._session
        if self.stage is not Stage.HERE or self.found is None or self.place is None:
            return False
        if session.category is not None and session.category.name == self.place.category:
            return _entry_named(session.category, self.found.source) is not None
        return session.catalog.category(self.place.category) is not None

    def open_source(self) -> None:
        """Open the good scan, with the place shown that the picked one was held against."""
        session = self._session
        if not self.can_open_source or self.place is None:
            return
        if session.category is not None and session.category.name == self.place.category:
            self._open(session.category)
            return
        known = session.catalog.category(self.place.category)
        assert known is not None
        place = self.place

        def done(category: Category) -> None:
            session.take_category(category, open_scan=False)
            if place is self.place:
                self._open(category)

        session.jobs.submit(
            Job(
                self.tr("Opening {name}").format(name=known.name),
                lambda _: work.recognise(known.folder, known.unit, known.name),
                done=done,
                tag="category",
                replaces=True,
            )
        )

    def _open(self, category: Category) -> None:
        if self.found is None:
            return
        entry = _entry_named(category, self.found.source)
        if entry is None:
            raise ScanError(
                f"{category.name} has no scan {self.found.source} any more",
                "It was there when the model was trained; put it back, or train again",
            )
        self._source = entry
        self._session.scans.open(entry)

    def go_back(self) -> None:
        """From the good scan back to the judged one."""
        if self.stage is Stage.SOURCE and self.place is not None:
            self._session.scans.open(self.place.entry)

    # -- following the session

    def _scan_changed(self) -> None:
        session = self._session
        if self.place is None:
            return
        path = None if session.entry is None else session.entry.path
        if self.stage is Stage.SOURCE and session.scan is self.place.scan:
            self.stage = Stage.RETURNING  # the point can be picked again once the result is back
        elif self.stage is Stage.HERE and self._source is not None and path == self._source.path:
            assert self.found is not None
            assert session.scan is not None
            self.stage = Stage.ARRIVING
            self.moved_on = not lies_on(self.found.points, session.scan)
        else:
            self.close()

    def _picked_changed(self) -> None:
        """Also the last thing that is said of another scan: whoever shows it has it by now."""
        if self.stage is Stage.ARRIVING:
            self.stage = Stage.SOURCE
            self.changed.emit()
            self.arrived.emit()
        elif self.stage is Stage.RETURNING and self.place is not None:
            self.stage = Stage.HERE
            self._session.pick(self.place.point)
            self.changed.emit()
        else:
            self._check()

    def _check(self) -> None:
        """An explanation is for one point of one scan judged by one model."""
        session, place = self._session, self.place
        if place is None or self.stage in (Stage.ARRIVING, Stage.RETURNING):
            return
        valid = session.model_path == place.model_path
        if self.stage is not Stage.SOURCE:
            valid &= session.scan is place.scan and session.picked == place.point and session.judged is not None
        if not valid:
            self.close()


def lies_on(points: NDArray[np.float32], scan: Scan) -> bool:
    """Whether a surface, (k, 3), lies where the scan was measured: nine of ten points within 1 % of its size."""
    from scipy.spatial import cKDTree

    reach = _NEAR * scan.diagonal
    low, high = points.min(axis=0) - reach, points.max(axis=0) + reach
    around = scan.points[((scan.points >= low) & (scan.points <= high)).all(axis=1)]
    if not len(around):
        return False
    away = cKDTree(around).query(points, distance_upper_bound=reach)[0]
    return bool(np.isfinite(away).mean() >= 0.9)


def _entry_named(category: Category, name: str) -> ScanEntry | None:
    """A category's scan of that name, a good one to train on first."""
    return next((e for e in (*category.good_train(), *category.entries) if e.key == name), None)
