"""What carries the camera: it flies to poses, keeps a part in the picture, and remembers which part it was set for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEasingCurve, QSize, QVariantAnimation, Signal
from PySide6.QtWidgets import QWidget

from app.viewer.camera import STANDARD_VIEWS, VIEW_ANGLE, Pose, apply_pose, read_pose, unit

FLIGHT_MS = 300
_TANGENT = np.tan(np.radians(VIEW_ANGLE / 2))


class CameraRig(QVariantAnimation):
    """The camera of a renderer.

    Parameters
    ----------
    renderer : vtkRenderer
    view : QWidget
        The camera flies only where someone is watching: while this is visible.

    Signals
    -------
    moved : bool
        The camera is another; whether it is on a flight.
    """

    moved = Signal(bool)

    def __init__(self, renderer: Any, view: QWidget) -> None:
        super().__init__(view)
        self._renderer, self._view = renderer, view
        self._ends: tuple[Pose, Pose] | None = None
        self._box: NDArray[np.float32] | None = None  # bounds of the part that the camera was set for
        self.setDuration(FLIGHT_MS)
        self.setStartValue(0.0)
        self.setEndValue(1.0)
        self.setEasingCurve(QEasingCurve.Type.InOutCubic)
        self.valueChanged.connect(self._fly_on)
        direction, up = STANDARD_VIEWS["iso"]
        apply_pose(self.camera, Pose(np.zeros(3), unit(direction), unit(up), 10.0))

    @property
    def camera(self) -> Any:
        return self._renderer.GetActiveCamera()

    @property
    def pose(self) -> Pose:
        """Where the camera is. The zoom of a parallel view is its scale: read `seen` for a distance."""
        return read_pose(self.camera)

    @property
    def seen(self) -> Pose:
        """Where a perspective camera would be that shows what this one shows."""
        pose = self.pose
        if not self.camera.GetParallelProjection():
            return pose
        return Pose(pose.focal, pose.direction, pose.up, self.camera.GetParallelScale() / _TANGENT)

    def put(self, pose: Pose) -> None:
        """Be at ``pose`` at once."""
        self.stop()
        apply_pose(self.camera, pose)
        self.moved.emit(False)

    def fly(self, pose: Pose) -> None:
        """Move to ``pose``, smoothly when someone is watching."""
        self.stop()
        if not self._view.isVisible():
            self.put(pose)
            return
        self._ends = (self.seen, pose)
        self.start()

    def arrive(self) -> None:
        """End a flight at its goal."""
        if self.state() != QVariantAnimation.State.Stopped and self._ends is not None:
            self.put(self._ends[1])

    def _fly_on(self, share: Any) -> None:
        if self._ends is not None:
            start, end = self._ends
            apply_pose(self.camera, end if share >= 1.0 else start.towards(end, float(share)))
            self.moved.emit(True)

    def set_parallel(self, parallel: bool) -> None:
        """Parallel or perspective; what lies at the focal point keeps its size."""
        if bool(self.camera.GetParallelProjection()) != parallel:
            pose = self.seen
            self.camera.SetParallelProjection(parallel)
            self.put(pose)

    def is_another_part(self, box: NDArray[np.float32]) -> bool:
        """Whether the camera must be set anew for a part with these bounds, (2, 3), which are then the known ones.

        It stays for a part of about the same size in about the same place, so that parts can be compared.
        """
        if self._box is not None:
            size = float(np.linalg.norm(np.ptp(self._box, axis=0)))
            growth = float(np.linalg.norm(np.ptp(box, axis=0))) / max(size, 1e-12)
            shift = float(np.linalg.norm(self._box.mean(axis=0) - box.mean(axis=0)))
            if shift <= 0.25 * size and 0.7 < growth < 1.4:
                return False
        self._box = box
        return True

    def forget_part(self) -> None:
        """The next part is another one."""
        self._box = None

    def keep_in_frame(self, before: QSize, now: QSize) -> None:
        """A view that became narrower in proportion steps back, so that what was in the picture stays in it."""
        if self._box is None or not before.isValid() or before.isEmpty():
            return
        was = min(before.width() / before.height(), 1.0)
        is_now = min(now.width() / max(now.height(), 1), 1.0)
        if abs(was - is_now) > 1e-3:
            pose = self.pose
            apply_pose(self.camera, Pose(pose.focal, pose.direction, pose.up, pose.distance * was / is_now))
