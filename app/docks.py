"""Where the panels lie at the first start."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QScrollArea, QTabWidget, QWidget

from app.panels.panel import scrolled

_AREA = Qt.DockWidgetArea
_LEFT, _RIGHT, _BOTTOM = _AREA.LeftDockWidgetArea, _AREA.RightDockWidgetArea, _AREA.BottomDockWidgetArea


def lay_docks(
    window: QMainWindow,
    *,
    library: QWidget,
    inspect: QWidget,
    thresholds: QWidget,
    maps: QWidget,
    defects: QWidget,
    picture: QWidget,
) -> dict[str, QDockWidget]:
    """Put the panels into docks around the view, by name."""
    window.setDockOptions(
        QMainWindow.DockOption.AllowTabbedDocks
        | QMainWindow.DockOption.AllowNestedDocks
        | QMainWindow.DockOption.AnimatedDocks
    )
    window.setCorner(Qt.Corner.BottomLeftCorner, _LEFT)
    window.setCorner(Qt.Corner.BottomRightCorner, _RIGHT)
    window.setTabPosition(_RIGHT, QTabWidget.TabPosition.North)
    docks = {}
    for key, title, panel, side in (
        ("library", QCoreApplication.translate("Docks", "Library"), library, _LEFT),
        ("inspect", QCoreApplication.translate("Docks", "Inspect"), inspect, _RIGHT),
        ("thresholds", QCoreApplication.translate("Docks", "Thresholds"), thresholds, _RIGHT),
        ("maps", QCoreApplication.translate("Docks", "Maps"), maps, _RIGHT),
        ("defects", QCoreApplication.translate("Docks", "Defects"), defects, _BOTTOM),
        ("picture", QCoreApplication.translate("Docks", "Picture"), picture, _LEFT),
    ):
        dock = QDockWidget(title, window)
        dock.setObjectName(f"dock-{key}")
        dock.setWidget(scrolled(panel) if side == _RIGHT else panel)
        dock.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetMovable | QDockWidget.DockWidgetFeature.DockWidgetClosable
        )
        window.addDockWidget(side, dock)
        docks[key] = dock
    window.tabifyDockWidget(docks["thresholds"], docks["maps"])
    docks["thresholds"].raise_()
    docks["picture"].hide()  # most scans have no grid
    window.resizeDocks([docks["library"], docks["inspect"]], [250, 340], Qt.Orientation.Horizontal)
    window.resizeDocks([docks["defects"]], [170], Qt.Orientation.Vertical)
    return docks


def give_height(above: QDockWidget, below: QDockWidget) -> None:
    """Make a dock as high as its content, with room for one more line; the one below it gets what is left."""
    window, area = above.parentWidget(), above.widget()
    assert isinstance(window, QMainWindow)
    assert isinstance(area, QScrollArea)
    content = area.widget()
    assert content is not None
    missing = content.heightForWidth(area.viewport().width()) + area.fontMetrics().height() - area.height()
    heights = [above.height() + missing, below.height() - missing]
    window.resizeDocks([above, below], [max(height, 1) for height in heights], Qt.Orientation.Vertical)


def give_room(dock: QDockWidget, neighbour: QDockWidget) -> None:
    """Make a dock at least as high as its neighbour in the same area."""
    window = dock.parentWidget()
    assert isinstance(window, QMainWindow)
    both = dock.height() + neighbour.height()
    if window.dockWidgetArea(dock) == window.dockWidgetArea(neighbour) and dock.height() < both // 2:
        window.resizeDocks([dock, neighbour], [both // 2, both - both // 2], Qt.Orientation.Vertical)
