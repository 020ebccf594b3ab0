"""The 3D view as a widget: what the window embeds and speaks to."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QSize, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QHideEvent, QImage, QPalette, QResizeEvent
from PySide6.QtWidgets import QWidget

from app.viewer.camera import STANDARD_VIEWS, Pose, Projection, facing, first_view, framing, pixels_per_unit, unit
from app.viewer.canvas import Canvas
from app.viewer.colormaps import DARK, LIGHT, SCORE_MAPS
from app.viewer.detail import MOVING_LIMIT, REST_LIMIT, Detail
from app.viewer.field import Field, Outlined, ViewMode
from app.viewer.hint import Hint
from app.viewer.legend import room
from app.viewer.overlays import Annotations, Sight, described, hidden_ids
from app.viewer.picking import pick
from app.viewer.reading import extra_of, legend_of
from app.viewer.redraw import Redraw
from app.viewer.rig import CameraRig
from app.viewer.scene import Scene
from core.scan import Scan

if TYPE_CHECKING:  # torch comes with it
    from core.geometry.carrying import Carried

__all__ = ["Field", "ViewMode", "Viewer"]

log = logging.getLogger(__name__)

REST_DELAY_MS = 180
_SAME_PLACE = 14.0  # pixels from the picked point within which the right button means that point


class Viewer(QWidget):
    """One scan in three dimensions, and what is known of its points.

    Every setter only notes what has changed; all changes of one moment are drawn together (`Redraw`). All methods
    belong to the window's thread and take effect whether or not the view is visible. `close` must be called when the
    window closes: Qt does not close the children of a closing window.

    Parameters
    ----------
    rest_limit, moving_limit : int
        Most points drawn at rest and while the view moves.
    adaptive : bool
        Whether the number while moving follows the speed of the renderer.

    Signals
    -------
    picked : int
        Index into the scan's points of what the user clicked on, -1 for nothing.
    menu_wanted : QPoint
        The user asked for what can be done here; where, on the screen. What is under the mouse is picked.
    shown_points_changed : int, int
        Points displayed at rest, points measured.
    """

    picked = Signal(int)
    menu_wanted = Signal(QPoint)
    shown_points_changed = Signal(int, int)

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        rest_limit: int = REST_LIMIT,
        moving_limit: int = MOVING_LIMIT,
        adaptive: bool = True,
    ) -> None:
        super().__init__(parent)
        self._scan: Scan | None = None
        self._picked = -1
        self._point_size: float | None = None
        self._eye_dome = True
        self._words = {"reconstruction": "", "explained": ""}
        self._grabbed = False
        self._closed = False

        self._canvas = Canvas(self)
        self._canvas.renderer.camera.is_set = (
            True  # else pyvista frames the scene anew when someone asks for its camera
        )
        self._scene = Scene(self._canvas.renderer, rest_limit, moving_limit)
        self._detail = Detail(moving_limit=moving_limit, adaptive=adaptive)
        self._notes = Annotations(self)
        self._hint = Hint(self.tr("Open a scan to see it here"), self)
        self.setMinimumSize(160, 120)

        self._redraw = Redraw(self._draw, self)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_DELAY_MS)
        self._rest.timeout.connect(self._come_to_rest)
        self._rig = CameraRig(self._canvas.renderer, self)
        self._rig.moved.connect(self._on_camera)

        self._canvas.moved.connect(self._on_moved)
        self._canvas.grabbed.connect(self._on_grabbed)
        self._canvas.released.connect(self._on_released)
        self._canvas.clicked.connect(self._on_clicked)
        self._canvas.double_clicked.connect(self._on_double_clicked)
        self._canvas.menu_wanted.connect(self._on_menu_wanted)
        self._canvas.painted.connect(self._on_painted)

        self.set_theme(self.palette().color(QPalette.ColorRole.Window).lightness() < 128)

    # The scan and what is laid over it

    @property
    def scan(self) -> Scan | None:
        """The scan that is shown."""
        return self._scan

    def set_scan(self, scan: Scan | None) -> None:
        """Show another scan. Field, mask, defects, reconstruction and the picked point of the last one go.

        The camera stays where it is when the next part lies where the last one did, so that parts can be compared.
        """
        if self._closed:
            return
        self._rig.stop()
        self._scan = scan
        self._scene.set_scan(scan)
        self._detail.reset(len(self._scene.points))
        self._notes.defects, self._notes.selected, self._notes.hidden_defects = (), None, frozenset()
        self._set_picked(-1)
        self._notes.pointed = None
        self._notes.legend.mark = None
        self._hint.setVisible(scan is None)
        if scan is None:
            self._rig.forget_part()
        else:
            self._notes.pad = max(1.5 * self._scene.spacing, 0.004 * scan.diagonal)
            if self._rig.is_another_part(scan.bounds):
                self._rig.put(self._framed(*first_view(scan)))
        self.shown_points_changed.emit(*self.shown_points)
        self._touch("scan", "colors", "camera")

    def set_field(self, field: Field | None) -> None:
        """Colour the points by ``field`` in heatmap mode; None for no field."""
        if field is not None and not self._fits(field.values, "field"):
            return
        self._scene.set_field(None if self._closed else field)
        self._touch("colors")

    def set_color_range(self, low: float, high: float) -> None:
        """Other ends of the colour bar for the present field. Cheap: nothing but the lookup table changes."""
        if self._scene.field is not None and np.isfinite([low, high]).all():
            self._scene.set_range(low, high)
            self._touch("range")

    def set_threshold_mark(self, value: float | None) -> None:
        """Show where the point threshold lies on the colour bar."""
        self._notes.legend.mark = value
        self._redraw.request("notes")

    def set_mask(self, mask: NDArray[np.bool_] | None) -> None:
        """Mark these points, (N,): in one colour in mask mode, by a contour on heatmap and RGB. None for none."""
        if mask is not None and not self._fits(mask, "mask"):
            return
        if self._closed:
            return
        had = self._scene.can(ViewMode.MASK)
        self._scene.set_mask(mask)
        # in mask mode the part is painted otherwise without a mask
        self._touch("mask" if had == (mask is not None) else "colors")

    def set_contour_visible(self, on: bool) -> None:
        """Whether heatmap and RGB show the contour of the marked points."""
        self._scene.contoured = on
        self._touch("mask")

    def _fits(self, values: NDArray[Any], what: str) -> bool:
        """Whether there is one value a point. A result that arrives after its scan was replaced is not shown."""
        fits = self._scan is not None and np.shape(values) == (len(self._scan),)
        if not fits:
            log.warning("a %s of shape %s does not belong to the scan shown", what, np.shape(values))
        return fits

    def set_shading_normals(self, normals: NDArray[np.float32] | None) -> None:
        """Normals, (N, 3), to shade by, for scans that bring none; they need not agree on what is outside."""
        if self._scan is None or (normals is not None and np.shape(normals) != (len(self._scan), 3)):
            return
        self._scene.set_normals(normals)
        self._touch("colors")

    def set_reconstruction(self, points: NDArray[np.float32] | None, carried: Carried | None = None) -> None:
        """What the part should have been, (M, 3), and the way there where it is known; seen as ``set_blend`` says."""
        if not self._closed and (carried is None or self._fits(carried.targets[:, 0], "way to the reconstruction")):
            self._scene.reconstruction.set_points(points, carried, self._scene.theme)
            self._touch("colors", "blend")

    def set_blend(self, share: float, label: str = "") -> None:
        """How much of the reconstruction is seen: 0 the measured part, 1 the reconstructed; what the legend says."""
        if not self._closed:
            self._scene.reconstruction.share, self._words["reconstruction"] = min(max(share, 0.0), 1.0), label
            self._touch("blend")

    def set_explained(self, points: NDArray[np.float32] | None, label: str = "") -> None:
        """Lay a good surface, (k, 3), over the part as dots; the legend says ``label`` of it. None takes it away."""
        if self._closed or (points is None and not self._scene.explained):
            return
        self._scene.set_explained(points)
        self._words["explained"] = label
        self._touch("size", "blend")

    def set_defects(self, defects: Sequence[Outlined]) -> None:
        """Outline these defects and number them. The selected one stays selected if its id is still among them."""
        self._notes.defects = tuple(defects)
        if self._notes.selected is not None:
            self.outline(next((d for d in defects if d.id == self._notes.selected.id), None))
        self._redraw.request("notes", "hidden")

    def outline(self, defect: Outlined | None) -> None:
        """Make this defect's box stand out."""
        self._notes.selected = defect
        self._notes.selected_note = "" if defect is None else described(defect, self._scan.unit if self._scan else "")
        self._redraw.request("notes")

    def fly_to(self, defect: Outlined) -> None:
        """Outline a defect and move the camera to it, turning to its side of the part where it is not in sight."""
        self.outline(defect)
        low, high = np.asarray(defect.bounds, dtype=np.float64)
        self.look_at(low, high)

    def look_at(self, low: NDArray[np.floating], high: NDArray[np.floating]) -> None:
        """Move the camera to a box of the part, turning to its side where it is not in sight."""
        if self._scan is None:
            return
        low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
        centre = (low + high) / 2
        pose = self._rig.pose
        direction = facing(self._scene.points[:MOVING_LIMIT], centre, float(np.linalg.norm(high - low)), pose.direction)
        reach = max(2.2 * float(np.linalg.norm(high - low)), 0.22 * self._scan.diagonal)
        distance = reach / 2 / np.tan(np.radians(15.0)) + float(np.linalg.norm(high - low)) / 2
        self._rig.fly(Pose(centre, direction, pose.up, distance))

    def set_picked(self, index: int) -> None:
        """Show this point as picked, -1 for none. Emits nothing."""
        self._set_picked(index)
        self._redraw.request("notes")

    def _set_picked(self, index: int) -> None:
        known = self._scan is not None and 0 <= index < len(self._scan)
        self._picked = index if known else -1
        self._notes.picked = self._scan.points[index].astype(np.float64) if known and self._scan is not None else None
        self._notes.picked_note = ""

    def set_pointed(self, index: int) -> None:
        """Mark the point that the mouse is on in another view of the scan, -1 for none."""
        known = self._scan is not None and 0 <= index < len(self._scan)
        self._notes.pointed = self._scan.points[index].astype(np.float64) if known and self._scan is not None else None
        self._redraw.request("notes")

    def set_picked_note(self, text: str) -> None:
        """A few words beside the picked point, such as its score."""
        self._notes.picked_note = text
        self._redraw.request("notes")

    # How it is shown

    def set_mode(self, mode: ViewMode) -> None:
        """Colour by field, mask, sensor, nothing or ground truth; plain where the scan has no such thing."""
        if mode is not self._scene.mode:
            self._scene.mode = mode
            self._touch("colors")

    @property
    def mode(self) -> ViewMode:
        """The mode that was asked for."""
        return self._scene.mode

    def available_modes(self) -> tuple[ViewMode, ...]:
        """The modes in which the present scan has something to show."""
        return tuple(mode for mode in ViewMode if self._scene.can(mode))

    def set_score_map(self, name: str) -> None:
        """Colours for scores, one of ``colormaps.SCORE_MAPS``."""
        if name in SCORE_MAPS and name != self._scene.score_map:
            self._scene.score_map = name
            self._touch("colors")

    def set_point_size(self, px: float | None) -> None:
        """Width of a point in pixels; None for as much as closes the surface at any zoom."""
        self._point_size = px
        self._touch("size")

    def set_eye_dome(self, on: bool) -> None:
        """Darken edges and steps by depth (eye-dome lighting), which shows shape without normals."""
        self._eye_dome = on
        self._touch("effects")

    def set_theme(self, dark: bool) -> None:
        """Dark or light ground, and the colours that stand out from it."""
        if self._closed:
            return
        theme = DARK if dark else LIGHT
        self._scene.set_theme(theme)
        self._notes.theme = theme
        self._hint.set_theme(theme)
        self._touch("colors", "theme")

    def set_axes_visible(self, on: bool) -> None:
        """Whether the small axes and the scale bar are drawn."""
        self._notes.show_axes = on
        self._redraw.request("notes")

    def set_hint(self, text: str) -> None:
        """What an empty view says, plain or rich text."""
        self._hint.setText(text)

    # The camera

    @property
    def _camera(self) -> Any:
        return self._rig.camera

    def set_projection(self, parallel: bool) -> None:
        """Parallel or perspective; what lies at the focal point keeps its size."""
        if not self._closed:
            self._rig.set_parallel(parallel)

    def fit(self) -> None:
        """Frame the whole part without turning."""
        if self._scan is not None:
            pose = self._rig.pose
            self._rig.fly(self._framed(pose.direction, pose.up))

    def view(self, name: str) -> None:
        """Look from a standard side: front, back, left, right, top, bottom or iso."""
        if name in STANDARD_VIEWS and not self._closed:
            direction, up = STANDARD_VIEWS[name]
            self._rig.fly(self._framed(unit(direction), unit(up)))

    def _framed(self, direction: NDArray[np.float64], up: NDArray[np.float64]) -> Pose:
        pose = Pose(np.zeros(3), direction, up, 10.0)
        if self._scan is None:
            return pose
        width, height = max(self.width(), 1), max(self.height(), 1)
        return framing(self._scene.points[:20_000], pose, (width - room(width, height)) / height)

    # What the user does

    def _on_camera(self, flying: bool) -> None:
        self._touch("camera", moving=flying)

    def _on_grabbed(self) -> None:
        self._rig.stop()
        self._grabbed = True

    def _on_released(self) -> None:
        self._grabbed = False
        if self._detail.moving:
            self._rest.start()

    def _on_moved(self) -> None:
        self._rig.stop()
        self._touch("camera", moving=True)

    def _on_clicked(self, at: QPointF) -> None:
        index = self.point_at(at.x(), at.y())
        self.set_picked(index)
        self.picked.emit(index)

    def _on_menu_wanted(self, at: QPointF) -> None:
        x, y = self.pixel_of(self._picked) if self._picked >= 0 else (np.nan, np.nan)
        if not np.hypot(at.x() - x, at.y() - y) < _SAME_PLACE:
            index = self.point_at(at.x(), at.y())
            if index >= 0:
                self.set_picked(index)
                self.picked.emit(index)
        self.menu_wanted.emit(self._canvas.mapToGlobal(at.toPoint()))

    def _on_double_clicked(self, at: QPointF) -> None:
        """Turn about the point under the cursor from now on."""
        index = self.point_at(at.x(), at.y())
        if index >= 0 and self._scan is not None:
            pose, about = self._rig.pose, self._scan.points[index].astype(np.float64)
            self._rig.fly(Pose(about, pose.direction, pose.up, pose.distance * 0.8))

    def point_at(self, x: float, y: float) -> int:
        """Index into the scan of the visible point at a pixel of the view, -1 where there is none."""
        if self._scan is None:
            return -1
        reach = max(7.0, 0.6 * self._last_size)
        eye = np.array(self._camera.GetPosition())
        self._scene.set_clipping()
        index = pick(self._scene.points, self._projection(), x, y, eye=eye, reach=reach)
        return int(self._scene.order[index]) if index >= 0 else -1

    def pixel_of(self, index: int) -> tuple[float, float]:
        """Where a point of the scan lies in the view, in pixels."""
        if self._scan is None:
            return float("nan"), float("nan")
        pixels, _ = self._projection()(self._scan.points[index][None])
        return float(pixels[0, 0]), float(pixels[0, 1])

    def _projection(self) -> Projection:
        return Projection.of(self._camera, max(self._canvas.width(), 1), max(self._canvas.height(), 1))

    # Detail

    @property
    def shown_points(self) -> tuple[int, int]:
        """Points displayed at rest, points measured."""
        return len(self._scene.points), 0 if self._scan is None else len(self._scan)

    @property
    def drawn_points(self) -> int:
        """Points of the part in the last picture: fewer while the view moves."""
        return self._scene.drawn

    def _touch(self, *names: str, moving: bool = False) -> None:
        """Have parts redrawn; in quick succession with fewer points, and in full when it becomes quiet.

        While a slider is dragged a large cloud is as slow to draw as while the view turns, so any change counts as
        moving once a picture at rest is known to take long.
        """
        if self._closed:
            return
        slow = self._detail.rest_ms > 50.0 and "scan" not in names
        if moving or slow:
            self._detail.moving = True
            self._rest.start()
        self._redraw.request(*names)

    def _come_to_rest(self) -> None:
        if self._grabbed:
            return
        self._detail.moving = False
        self._redraw.request("detail", "hidden")

    def _on_painted(self, milliseconds: float) -> None:
        self._detail.measured(milliseconds)

    # Drawing

    _last_size = 3.0

    def _draw(self, names: frozenset[str]) -> None:
        """Bring the scene up to date with what has changed, in order of dependence, and have it painted once."""
        if self._closed:
            return
        if "colors" in names or "scan" in names:
            self._scene.paint()
        elif "mask" in names:
            self._scene.paint_marked()
        if names & {"colors", "scan", "mask", "blend"}:
            self._scene.move_measured()
        if names & {"colors", "scan", "mask", "range", "theme", "blend"}:
            self._notes.legend.content = legend_of(self._scene)
            self._notes.legend.extra = extra_of(self._scene, self._words)
        if names != {"notes"} and names != {"hidden"}:
            self._scene.show_detail(self._detail.shown)
            width = max(self._canvas.width(), 1)
            # the middle of the picture is the middle of what the legend leaves free
            self._camera.SetWindowCenter(room(width, self._canvas.height()) / width, 0.0)
            height = max(self._canvas.height(), 1)
            scale = pixels_per_unit(self._camera, height)
            self._last_size = self._scene.set_sizes(scale, self._canvas.devicePixelRatioF(), self._point_size)
            self._apply_effects()
            self._scene.set_clipping()
            self._canvas.refresh()
        self._annotate("hidden" in names or (not self._detail.moving and bool(names & {"camera", "scan", "detail"})))

    def _annotate(self, hidden: bool) -> None:
        notes = self._notes
        if self._scan is None:
            notes.sight = None
        else:
            pose, projection = self._rig.pose, self._projection()
            notes.sight = Sight(
                pose, projection, pixels_per_unit(self._camera, max(self._canvas.height(), 1)), self._scan.unit
            )
            if hidden:
                notes.hidden_defects = hidden_ids(
                    notes.outlined, self._scene.points[:MOVING_LIMIT], projection, pose.eye, notes.pad
                )
        notes.update()

    def _apply_effects(self) -> None:
        wanted = self._eye_dome and self._scan is not None and not (self._detail.moving and self._detail.lagging)
        if wanted != self._effects_on:
            self._effects_on = wanted
            if wanted:
                self._canvas.enable_eye_dome_lighting()
            else:
                self._canvas.disable_eye_dome_lighting()

    _effects_on = False

    # Pictures

    def screenshot(self, annotated: bool = True) -> QImage:
        """The view as it is now at full detail, with or without what lies over the points."""
        self._rest.stop()
        self._detail.moving = False
        self._redraw.request("detail")
        self._redraw.flush()
        return self.grab().toImage() if annotated else self._canvas.grabFramebuffer()

    # The widget

    def sizeHint(self) -> QSize:
        return QSize(900, 650)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._canvas.setGeometry(self.rect())
        self._notes.setGeometry(self.rect())
        self._hint.place(self.rect())
        self._notes.raise_()
        self._hint.raise_()
        self._rig.keep_in_frame(event.oldSize(), event.size())
        self._redraw.request("camera")

    def hideEvent(self, event: QHideEvent) -> None:
        self._rig.arrive()
        super().hideEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._redraw.request("notes")

    def closeEvent(self, event: QCloseEvent) -> None:
        self.shut()
        super().closeEvent(event)

    def shut(self) -> None:
        """Stop every timer and close the interactor; harmless when done twice."""
        if self._closed:
            return
        self._closed = True
        self._scan = None
        self._rig.stop()
        self._rest.stop()
        self._redraw.stop()
        self._scene.close()
        self._canvas.close()
