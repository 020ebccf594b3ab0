"""Between the session and the 3D view: the view shows what is open, and tells what was picked."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from app import work
from app.blending import Blending
from app.chunk_verdicts import CHUNK_SCORE
from app.explaining import Stage
from app.fields import ANOMALY
from app.jobs import Job
from app.panels.defects import DefectsPanel
from app.panels.maps import MapsPanel
from app.quantities import number
from app.session import Session
from app.shown_field import shown_field
from app.viewer.viewer import Viewer
from core.scan import Scan

if TYPE_CHECKING:  # torch comes with it
    from core.geometry.carrying import Carried

SHADED_AT_MOST = 1_000_000
"""Larger scans without normals are not shaded: inspecting would have to wait for the normals."""


class ViewLink(QObject):
    """Keeps a view up to date. Made after the panels, whose choices (mode, range, defect) it follows.

    Parameters
    ----------
    session : Session
    viewer : Viewer
    maps : MapsPanel
    defects : DefectsPanel
    blending : Blending
    """

    def __init__(
        self, session: Session, viewer: Viewer, maps: MapsPanel, defects: DefectsPanel, blending: Blending
    ) -> None:
        super().__init__(viewer)
        self._session, self._viewer, self._maps, self._blending = session, viewer, maps, blending
        self._normals: WeakKeyDictionary[Scan, NDArray[np.float32]] = WeakKeyDictionary()
        self._reconstructed: NDArray[np.float32] | None = None
        self._carried = False
        settings = session.settings
        viewer.set_point_size(settings.point_size or None)
        viewer.set_eye_dome(settings.eye_dome)
        viewer.set_projection(settings.parallel)
        viewer.set_score_map(settings.score_map)
        viewer.set_hint(
            self.tr(
                "Open a scan, or drop one here.\nA folder of good parts becomes a category that models are trained for."
            )
        )
        guarded = session.failures.guarded
        session.scan_changed.connect(guarded(self._show_scan))
        session.result_changed.connect(guarded(self._show_result))
        session.inspection_changed.connect(guarded(self._show_inspection))
        session.map_changed.connect(guarded(self._show_field))
        session.comparison.changed.connect(guarded(self._show_field))
        blending.changed.connect(guarded(self._show_reconstruction))
        session.explaining.changed.connect(guarded(self._show_explained))
        session.explaining.arrived.connect(guarded(self._look_at_explained))
        session.picked_changed.connect(guarded(self._show_picked))
        session.thresholds_changed.connect(guarded(self._show_mark))
        viewer.picked.connect(guarded(session.pick))
        maps.mode_chosen.connect(guarded(viewer.set_mode))
        maps.range_chosen.connect(guarded(lambda _: self._show_field()))
        maps.point_size_chosen.connect(guarded(lambda px: viewer.set_point_size(px or None)))
        maps.eye_dome_chosen.connect(guarded(viewer.set_eye_dome))
        maps.parallel_chosen.connect(guarded(viewer.set_projection))
        maps.score_map_chosen.connect(guarded(viewer.set_score_map))
        defects.chosen.connect(guarded(viewer.outline))
        defects.visited.connect(guarded(viewer.fly_to))
        if session.scan is not None:
            self._show_scan()
            self._show_result()
            self._show_inspection()

    def _show_scan(self) -> None:
        scan = self._session.scan
        self._viewer.set_scan(scan)
        self._reconstructed = None
        if scan is None or scan.normals is not None or len(scan) > SHADED_AT_MOST:
            return
        if scan in self._normals:
            self._viewer.set_shading_normals(self._normals[scan])
            return
        self._session.jobs.submit(
            Job(
                self.tr("Shading the surface"),
                lambda _: work.shading_normals(scan),
                done=lambda normals: self._shade(scan, normals),
                tag="shading",
                replaces=True,
            )
        )

    def _shade(self, scan: Scan, normals: NDArray[np.float32]) -> None:
        self._normals[scan] = normals
        if scan is self._session.scan:
            self._viewer.set_shading_normals(normals)

    def _show_result(self) -> None:
        self._viewer.outline(None)
        self._show_field()
        self._show_reconstruction()
        self._viewer.set_mode(self._maps.shown_mode)

    def _show_field(self) -> None:
        field = shown_field(self._session, self._maps.current_limits)
        self._viewer.set_field(field)
        if field is None:
            return
        self._show_mark()
        self._show_note()

    def _show_reconstruction(self) -> None:
        scan, points, share = self._session.scan, self._blending.points, self._blending.share
        if points is not self._reconstructed:
            self._reconstructed, self._carried = points, False
            self._viewer.set_reconstruction(points)
        if scan is not None and points is not None and share > 0.0 and not self._carried:
            self._carried = True
            self._session.jobs.submit(
                Job(
                    self.tr("Laying the measured part on the reconstructed one"),
                    lambda _: work.carry(scan, points),
                    done=lambda carried: self._show_carried(points, carried),
                    tag="blending",
                    replaces=True,
                )
            )
        self._viewer.set_blend(share, self._blending.words)

    def _show_carried(self, points: NDArray[np.float32], carried: Carried) -> None:
        if points is self._reconstructed:
            self._viewer.set_reconstruction(points, carried)

    def _show_mark(self) -> None:
        thresholds = self._session.thresholds
        displayed = self._session.comparison.displayed()
        marks = {} if thresholds is None else {ANOMALY: thresholds.point, CHUNK_SCORE: thresholds.part}
        self._viewer.set_threshold_mark(None if displayed is None else marks.get(displayed[0]))

    def _show_inspection(self) -> None:
        """The listed defects: points in groups too small for one would look like defects, and are none."""
        inspection = self._session.inspection
        self._viewer.set_mask(None if inspection is None else inspection.defects.ids > 0)
        self._viewer.set_defects([] if inspection is None else list(inspection.defects.defects))
        self._show_mark()

    def _show_picked(self) -> None:
        session = self._session
        index = session.picked
        self._viewer.set_picked(-1 if index is None else index)
        self._show_note()

    def _show_note(self) -> None:
        """The picked point's value in what is shown."""
        index, displayed = self._session.picked, self._session.comparison.displayed()
        if index is not None and displayed is not None:
            shown = displayed[1]
            value = float(shown.values[index])
            self._viewer.set_picked_note(f"{shown.title}: {number(value)}" if np.isfinite(value) else "")

    def _show_explained(self) -> None:
        """The good surface behind the picked point's score, over it; at its source, where it was measured."""
        explaining = self._session.explaining
        found, place = explaining.found, explaining.place
        words = ""
        if found is not None and place is not None:
            if explaining.stage is Stage.SOURCE:
                words = self.tr("compared with {name}").format(name=place.entry.key)
            else:
                words = self.tr("good surface of {name}").format(name=found.source)
        self._viewer.set_explained(explaining.shown_points, words)

    def _look_at_explained(self) -> None:
        points = self._session.explaining.shown_points
        if points is not None and len(points):
            self._viewer.look_at(points.min(axis=0), points.max(axis=0))
