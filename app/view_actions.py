"""The window's actions that only change how the scan is looked at."""

from __future__ import annotations

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDockWidget

from app.blending import Blending
from app.docks import give_room
from app.panels.defects import DefectsPanel
from app.panels.maps import MapsPanel
from app.session import Session
from app.view_link import ViewLink
from app.viewer.field import ViewMode
from app.viewer.viewer import Viewer


class ViewActions:
    """What each of them does, for the window that has these parts."""

    session: Session
    viewer: Viewer
    maps: MapsPanel
    defects: DefectsPanel
    actions_by_id: dict[str, QAction]
    blending: Blending
    _view: ViewLink
    _docks: dict[str, QDockWidget]

    def do_show_picture(self) -> None:
        dock, on = self._docks["picture"], self.actions_by_id["show_picture"].isChecked()
        dock.setVisible(on)
        if on:
            dock.raise_()
            give_room(dock, self._docks["library"])

    def _follow_picture(self, on: bool) -> None:
        self.actions_by_id["show_picture"].setChecked(on or not self._docks["picture"].isHidden())

    def do_fit(self) -> None:
        self.viewer.fit()

    def do_view_iso(self) -> None:
        self.viewer.view("iso")

    def do_view_front(self) -> None:
        self.viewer.view("front")

    def do_view_back(self) -> None:
        self.viewer.view("back")

    def do_view_left(self) -> None:
        self.viewer.view("left")

    def do_view_right(self) -> None:
        self.viewer.view("right")

    def do_view_top(self) -> None:
        self.viewer.view("top")

    def do_view_bottom(self) -> None:
        self.viewer.view("bottom")

    def do_mode_heatmap(self) -> None:
        self.maps.set_mode(ViewMode.HEATMAP)

    def do_mode_mask(self) -> None:
        self.maps.set_mode(ViewMode.MASK)

    def do_mode_rgb(self) -> None:
        self.maps.set_mode(ViewMode.RGB)

    def do_mode_plain(self) -> None:
        self.maps.set_mode(ViewMode.PLAIN)

    def do_mode_ground_truth(self) -> None:
        self.maps.set_mode(ViewMode.GROUND_TRUTH)

    def do_show_reconstruction(self) -> None:
        self.blending.flip()

    def do_next_defect(self) -> None:
        self.defects.select_next()

    def do_flip_maps(self) -> None:
        self.session.comparison.flip()
        self.maps.show_colors()

    def do_show_difference(self) -> None:
        self.session.comparison.show_difference(self.actions_by_id["show_difference"].isChecked())
        self.maps.show_colors()
