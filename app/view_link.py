"""Between the session and the 3D view: the view shows what is open, and tells what was picked."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from app import work
from app.fields import field_of
from app.jobs import Job
from app.panels.defects import DefectsPanel
from app.panels.maps import MapsPanel
from app.quantities import number
from app.session import ANOMALY, Session
from app.viewer.viewer import Viewer
from core.scan import Scan

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
    """

    def __init__(self, session: Session, viewer: Viewer, maps: MapsPanel, defects: DefectsPanel) -> None:
        super().__init__(viewer)
        self._session, self._viewer, self._maps = session, viewer, maps
        self._normals: WeakKeyDictionary[Scan, NDArray[np.float32]] = WeakKeyDictionary()
        self._reference_wanted = False
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

    def show_reference(self, on: bool) -> None:
        """Whether what the part should have been is shown with it, where the result holds that."""
        self._reference_wanted = on
        self._show_reference()

    def _show_scan(self) -> None:
        scan = self._session.scan
        self._viewer.set_scan(scan)
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
        self._show_reference()
        self._viewer.set_mode(self._maps.shown_mode)

    def _show_field(self) -> None:
        session = self._session
        shown = session.maps().get(session.shown_map)
        if shown is None or session.scan is None:
            self._viewer.set_field(None)
            return
        calibration = session.model.calibration if session.model is not None else None
        limits = self._maps.current_limits
        self._viewer.set_field(field_of(session.shown_map, shown, session.scan.unit, calibration, limits))
        self._show_mark()

    def _show_reference(self) -> None:
        judged = self._session.judged
        wanted = self._reference_wanted and judged is not None
        self._viewer.set_reference(judged.scores.reconstruction if wanted and judged is not None else None)

    def _show_mark(self) -> None:
        thresholds = self._session.thresholds
        on_score = self._session.judged is not None and self._session.shown_map == ANOMALY
        self._viewer.set_threshold_mark(thresholds.point if thresholds is not None and on_score else None)

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
        shown = session.maps().get(session.shown_map)
        if index is not None and shown is not None:
            value = float(shown.values[index])
            self._viewer.set_picked_note(f"{shown.title}: {number(value)}" if np.isfinite(value) else "")
