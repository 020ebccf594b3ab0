"""Between the session and the 3D view: the view shows what is open, and tells what was picked."""

from __future__ import annotations

import dataclasses
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from app import work
from app.explaining import Stage
from app.fields import ANOMALY, DIFFERENCE, field_of
from app.jobs import Job
from app.panels.defects import DefectsPanel
from app.panels.maps import MapsPanel
from app.quantities import number
from app.session import Session
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
        session.comparison.changed.connect(guarded(self._show_field))
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
        displayed = session.comparison.displayed()
        if displayed is None or session.scan is None:
            self._viewer.set_field(None)
            return
        key, shown = displayed
        calibration = session.model.calibration if session.model is not None else None
        field = field_of(key, shown, session.scan.unit, calibration, self._maps.current_limits)
        if key == DIFFERENCE:
            field = dataclasses.replace(field, title=self.tr("More in"))  # the ends of the legend say in which
        self._viewer.set_field(field)
        self._show_mark()
        self._show_note()

    def _show_reference(self) -> None:
        judged = self._session.judged
        wanted = self._reference_wanted and judged is not None
        self._viewer.set_reference(judged.scores.reconstruction if wanted and judged is not None else None)

    def _show_mark(self) -> None:
        thresholds = self._session.thresholds
        displayed = self._session.comparison.displayed()
        on_score = displayed is not None and displayed[0] == ANOMALY
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
