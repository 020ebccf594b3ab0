"""What is drawn in three dimensions: a few clouds, built once, whose arrays are replaced. Knows VTK, not Qt."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkCommonCore import vtkLookupTable, vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

from app.viewer.cloud import Cloud, fill_table, unit_rgb
from app.viewer.colormaps import DARK, LIGHT, Theme
from app.viewer.detail import MOVING_LIMIT, display_order, surface_spacing
from app.viewer.field import Field, ViewMode
from app.viewer.painting import color_span, names_of, table_of
from app.viewer.reconstruction import Reconstruction
from core.scan import Scan

_COVER = 3.3  # widths of a disc per spacing: strewn at random, such discs leave 0.02 % of a surface open
_THIN_COVER = 0.6  # of that while the view moves: a software renderer's time goes with the pixels it covers twice
_SMALLEST, _LARGEST = 2.0, 28.0  # pixels
_SOFT, _STRONG = 5.0, 2.0  # eye-dome lighting where colours must be read off, and where it alone shows the shape
_CONTOUR = 2.5  # pixels of rim on each side of a marked region
_EXPLAINED = ("explained", "explained behind")
_DOT, _DOT_PIXELS = 0.5, (3.0, 9.0)  # a good surface is drawn as dots with gaps, through which the part is seen
_FEWEST_DOTS = 12


class _Surround:
    """Two points far outside the part, which soften the eye-dome lighting.

    VTK's eye-dome lighting divides steps of depth by the size of the scene and offers no strength of its own. On
    points, each of which is a small flat tile, it is far too strong: with a scene that seems larger, only the steps
    that matter are darkened.
    """

    def __init__(self) -> None:
        self._source = vtkPolyData()
        mapper = vtkPolyDataMapper()
        mapper.SetInputData(self._source)
        self.actor = vtkActor()
        self.actor.SetMapper(mapper)
        self.actor.GetProperty().SetOpacity(0.0)
        self.actor.PickableOff()

    def enclose(self, points: NDArray[np.float32], softness: float) -> None:
        """Lie ``softness`` times the size of ``points`` around their middle."""
        holder = vtkPoints()
        if len(points):
            low, high = points.min(axis=0).astype(float), points.max(axis=0).astype(float)
            reach = softness * float((high - low).max()) / 2
            for sign in (-1.0, 1.0):
                holder.InsertNextPoint(*((low + high) / 2 + sign * reach))
        self._source.SetPoints(holder)
        cells = vtkCellArray()
        for index in range(holder.GetNumberOfPoints()):
            cells.InsertNextCell(1, [index])  # points without a cell do not count as bounds
        self._source.SetVerts(cells)
        self._source.Modified()


class Scene:
    """The part as points, the marked ones on top, a contour around them, and what the part should have been.

    Every array is kept in display order (`detail.display_order`): a coarser cloud is the beginning of the finer one.
    Setters take arrays in the scan's order.

    Parameters
    ----------
    renderer : vtkRenderer
    limit : int
        Most points that are ever drawn.
    """

    def __init__(self, renderer: Any, limit: int, coarse_limit: int = MOVING_LIMIT) -> None:
        self.renderer = renderer
        self.theme: Theme = DARK
        self.mode = ViewMode.PLAIN
        self.score_map = "turbo"
        self._limit = limit
        self._coarse_limit = coarse_limit
        self._table = vtkLookupTable()
        self.clouds = {
            "full": Cloud(self._table),
            "coarse": Cloud(self._table),
            "contour": Cloud(self._table, shaded=False),
            "marked": Cloud(self._table),
            "reconstruction": Cloud(self._table),
            "explained": Cloud(self._table, shaded=False),
            "explained behind": Cloud(self._table, shaded=False),
        }
        for cloud in self.clouds.values():
            renderer.AddActor(cloud.actor)
        self.reconstruction = Reconstruction(self.clouds["reconstruction"], coarse_limit)
        self._surround = _Surround()
        renderer.AddActor(self._surround.actor)
        self._scan: Scan | None = None
        self._field: Field | None = None
        self._mask: NDArray[np.bool_] | None = None
        self.contoured = True
        self._forget()

    def _forget(self) -> None:
        self.order: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.points = np.empty((0, 3), dtype=np.float32)
        self._normals: NDArray[np.float32] | None = None
        self._values: NDArray[np.float32] | None = None
        self._colors: NDArray[np.uint8] | None = None
        self._marked_points = np.empty(0, dtype=np.int64)
        self.names: NDArray[np.float32] = np.empty(0, dtype=np.float32)
        self.spacing = 0.0
        self._moved = 0.0
        self.range = (0.0, 1.0)
        self._explained_spacing = self._explained_size = 0.0

    # What is shown

    def set_scan(self, scan: Scan | None) -> None:
        """Show another scan; everything that was laid over the last one goes."""
        self._scan, self._field, self._mask = scan, None, None
        self._forget()
        for cloud in self.clouds.values():
            cloud.clear()
        self.reconstruction.set_points(None, None, self.theme)
        if scan is None:
            return
        self.order = display_order(len(scan), self._limit)
        self.points = scan.points[self.order]
        self.spacing = surface_spacing(self.points)
        if scan.normals is not None:
            self._normals = scan.normals[self.order]
        few = min(len(self.points), self._coarse_limit)
        self.clouds["full"].set_points(self.points, self._normals)
        if few < len(self.points):
            self.clouds["coarse"].set_points(self.points[:few], None if self._normals is None else self._normals[:few])

    def set_normals(self, normals: NDArray[np.float32] | None) -> None:
        """Shade by ``normals``, (N, 3) in the scan's order."""
        self._normals = None if normals is None else np.asarray(normals, dtype=np.float32)[self.order]
        few = self.clouds["coarse"].count
        self.clouds["full"].set_normals(self._normals)
        if few:
            self.clouds["coarse"].set_normals(None if self._normals is None else self._normals[:few])

    @property
    def shaded(self) -> bool:
        """Whether normals shade the points."""
        return self._normals is not None

    def set_field(self, field: Field | None) -> None:
        """Colour by this field in heatmap mode."""
        self._field, self._values = field, None
        if field is None:
            return
        values = np.asarray(field.values)[self.order].astype(np.float32)
        if field.kind == "label":
            self.names = names_of(field)
            codes = np.searchsorted(self.names, values).astype(np.float32)
            values = np.where(np.isfinite(values), codes, np.float32(np.nan))
        self._values = values
        self.set_range(field.low, field.high)

    def set_range(self, low: float, high: float) -> None:
        """Values at the ends of the colour map."""
        if self._field is None:
            return
        self.range = color_span(self._field, low, high, len(self.names))
        self._table.SetTableRange(*self.range)

    def set_mask(self, mask: NDArray[np.bool_] | None) -> None:
        """Mark these points, (N,) in the scan's order."""
        self._mask = mask

    def set_explained(self, points: NDArray[np.float32] | None) -> None:
        """Lay these points, (k, 3), over the part; where they lie behind it they shine through faintly."""
        for name in _EXPLAINED:
            self.clouds[name].clear()
        if points is None or not len(points):
            return
        few = np.ascontiguousarray(points[display_order(len(points), self._coarse_limit)], dtype=np.float32)
        for name in _EXPLAINED:
            self.clouds[name].set_points(few)
            self.clouds[name].show(True)
        self._explained_spacing = surface_spacing(few)
        self._explained_size = float(np.linalg.norm(np.ptp(few, axis=0)))
        self._paint_explained()

    def _paint_explained(self) -> None:
        for name, opacity in zip(_EXPLAINED, (1.0, 0.3), strict=True):
            if self.clouds[name].count:
                self.clouds[name].set_color(self.theme.explained, opacity)

    @property
    def explained(self) -> bool:
        """Whether a good surface lies over the part."""
        return bool(self.clouds["explained"].count)

    # How it is painted

    @property
    def colors(self) -> NDArray[np.uint8] | None:
        """(n, 3) colours from the sensor in display order, or None if it gave none."""
        if self._colors is None and self._scan is not None:
            scan = self._scan
            if scan.colors is not None:
                self._colors = scan.colors[self.order]
            elif scan.image is not None and scan.grid is not None:
                seen = scan.grid >= 0
                colors = np.empty((len(scan), 3), dtype=np.uint8)
                colors[scan.grid[seen]] = scan.image[seen]
                self._colors = colors[self.order]
        return self._colors

    def can(self, mode: ViewMode) -> bool:
        """Whether there is something to show in ``mode``."""
        if self._scan is None:
            return False
        return {
            ViewMode.HEATMAP: self._field is not None,
            ViewMode.MASK: self._mask is not None,
            ViewMode.RGB: self._scan.colors is not None or self._scan.image is not None,
            ViewMode.PLAIN: True,
            ViewMode.GROUND_TRUTH: self._scan.labels is not None,
        }[mode]

    @property
    def effective_mode(self) -> ViewMode:
        """The mode, or plain where the scan has nothing to show in it."""
        return self.mode if self.can(self.mode) else ViewMode.PLAIN

    def paint(self) -> None:
        """Colour the part for the present mode, field and theme."""
        mode, theme = self.effective_mode, self.theme
        if mode is ViewMode.HEATMAP and self._field is not None:
            fill_table(self._table, table_of(self._field, self.score_map, len(self.names)), theme.unknown)
            self._table.SetTableRange(*self.range)
        colorful = mode in (ViewMode.HEATMAP, ViewMode.RGB) or self.shaded
        self._surround.enclose(self.points, _SOFT if colorful else _STRONG)
        truth = self._truth_colors() if mode is ViewMode.GROUND_TRUTH else None
        for name in ("full", "coarse"):
            cloud = self.clouds[name]
            if not cloud.count:
                continue
            if mode is ViewMode.HEATMAP and self._values is not None:
                cloud.set_values(self._values[: cloud.count])
            elif mode is ViewMode.RGB and self.colors is not None:
                cloud.set_colors(self.colors[: cloud.count])
            elif truth is not None:
                cloud.set_colors(truth[: cloud.count])
            else:
                cloud.set_color(theme.dimmed if mode is ViewMode.MASK else theme.part)
        self.reconstruction.paint(theme)
        self._paint_explained()
        self.paint_marked()

    def _truth_colors(self) -> NDArray[np.uint8]:
        """(n, 3): what is a defect, and where the mask agrees."""
        assert self._scan is not None
        assert self._scan.labels is not None
        truth = self._scan.labels[self.order]
        found = np.ones(len(truth), dtype=bool) if self._mask is None else self._mask[self.order]
        colors = np.empty((len(truth), 3), dtype=np.uint8)
        colors[:] = self.theme.dimmed
        colors[truth & found] = self.theme.found if self._mask is not None else self.theme.missed
        colors[truth & ~found] = self.theme.missed
        if self._mask is not None:
            colors[~truth & found] = self.theme.false_alarm
        return colors

    def paint_marked(self) -> None:
        """Colour the marked points for the present mode: one colour, or a contour around what they show."""
        marked, contour = self.clouds["marked"], self.clouds["contour"]
        mode = self.effective_mode
        if mode is ViewMode.GROUND_TRUTH:
            truth = self._truth_colors()
            for name in ("full", "coarse"):
                if self.clouds[name].count:
                    self.clouds[name].set_colors(truth[: self.clouds[name].count])
        outlined = mode in (ViewMode.HEATMAP, ViewMode.RGB) and self.contoured
        if self._mask is None or not (mode is ViewMode.MASK or outlined):
            marked.clear()
            contour.clear()
            return
        chosen = np.flatnonzero(self._mask[self.order])
        self._marked_points = chosen
        if not len(chosen):
            marked.clear()
            contour.clear()
            return
        points = self.points[chosen]
        marked.set_points(points, None if self._normals is None else self._normals[chosen])
        if outlined:
            contour.set_points(points)
            pale = mode is ViewMode.HEATMAP and self._field is not None and self._field.diverging
            contour.set_color(LIGHT.contour if pale else self.theme.contour)  # white on a pale map would be lost
        else:
            contour.clear()
        if mode is ViewMode.HEATMAP and self._values is not None:
            marked.set_values(self._values[chosen])
        elif mode is ViewMode.RGB and self.colors is not None:
            marked.set_colors(self.colors[chosen])
        else:
            marked.set_color(self.theme.mark)
        marked.show(True)
        contour.show(outlined)

    # Detail

    def show_detail(self, count: int) -> None:
        """Draw ``count`` of the points of the part, and as large a share of the marked ones."""
        full, coarse = self.clouds["full"], self.clouds["coarse"]
        source = coarse if count < full.count and coarse.count else full
        source.draw(count)
        measured = not self.reconstruction.alone
        full.show(measured and source is full)
        coarse.show(measured and source is coarse)
        share = count / max(full.count, 1)
        for name in ("marked", "contour"):
            cloud = self.clouds[name]
            if cloud.count:
                cloud.draw(max(1, round(cloud.count * share)) if measured else 0)
        self.reconstruction.draw(share)

    def move_measured(self) -> None:
        """Put the measured points where the blend has them."""
        blended = self.reconstruction
        share = min(blended.share, 1.0) if blended.targets is not None else 0.0
        if share == self._moved == 0.0:
            return
        self._moved = share
        points = self.points
        if share > 0.0 and blended.targets is not None:
            points = points + np.float32(share) * (blended.targets[self.order] - points)
        few = self.clouds["coarse"].count
        self.clouds["full"].move(points)
        self.clouds["coarse"].move(points[:few])
        chosen = np.ascontiguousarray(points[self._marked_points])
        for name in ("marked", "contour"):
            if self.clouds[name].count == len(chosen):
                self.clouds[name].move(chosen)

    def set_clipping(self) -> None:
        """Put the clipping planes around what is drawn, not around the surround."""
        self._surround.actor.VisibilityOff()
        self.renderer.ResetCameraClippingRange()
        self._surround.actor.SetVisibility(bool(len(self.points)))

    @property
    def drawn(self) -> int:
        """Points of the part that are drawn now."""
        if self.reconstruction.alone:
            return len(self.points)
        return max((self.clouds[name].drawn for name in ("full", "coarse") if self.clouds[name].visible), default=0)

    def set_sizes(self, pixels_per_unit: float, factor: float, fixed: float | None = None) -> float:
        """Make points as wide as it takes to close the surface, and return that width in pixels.

        Parameters
        ----------
        factor : float
            Device pixels per pixel of the widget.
        fixed : float, optional
            A width in widget pixels that is used instead.
        """
        count = max(self.drawn, 1)
        thinning = np.sqrt(max(len(self.points), 1) / count)
        wanted = self.spacing * _COVER * pixels_per_unit
        rest = float(np.clip(wanted if fixed is None else fixed, 1.0 if fixed else _SMALLEST, _LARGEST))
        size = float(np.clip(rest * thinning * _THIN_COVER, 1.0, max(rest, 10.0))) if thinning > 1.0 else rest
        for name in ("full", "coarse", "marked"):
            self.clouds[name].set_size(size * factor)
        self.clouds["contour"].set_size((size + 2 * _CONTOUR) * factor)
        own = self.reconstruction.spacing * _COVER * pixels_per_unit if fixed is None else fixed
        self.clouds["reconstruction"].set_size(float(np.clip(own, 1.0 if fixed else _SMALLEST, _LARGEST)) * factor)
        self._size_explained(pixels_per_unit, factor)
        self._lift_marked(size + 2 * _CONTOUR, pixels_per_unit)
        return size

    def _size_explained(self, pixels_per_unit: float, factor: float) -> None:
        """Dots as wide as half their spacing; where that is too fine to see, larger ones and fewer."""
        spacing = self._explained_spacing * pixels_per_unit
        dot = float(np.clip(_DOT * spacing, *_DOT_PIXELS))
        share = min((_DOT * spacing / dot) ** 2, 1.0)
        for name in _EXPLAINED:
            cloud = self.clouds[name]
            if cloud.count:
                cloud.set_size(dot * factor)
                cloud.draw(min(cloud.count, max(_FEWEST_DOTS, round(share * cloud.count))))

    def _lift_marked(self, width: float, pixels_per_unit: float) -> None:
        """Bring the contour before the part and the marked points before the contour, by the width of a point."""
        camera = self.renderer.GetActiveCamera()
        eye = np.array(camera.GetPosition())
        sight = np.array(camera.GetFocalPoint()) - eye
        parallel = bool(camera.GetParallelProjection())
        for name, share in (("contour", 0.8), ("marked", 1.4), ("explained", 2.0)):
            self.clouds[name].lift(share * width / pixels_per_unit, eye, sight, parallel)
        over_bumps = self._explained_size + 2.0 * width / pixels_per_unit
        self.clouds["explained behind"].lift(over_bumps, eye, sight, parallel)

    def set_theme(self, theme: Theme) -> None:
        """Other colours for the background and everything without a map."""
        self.theme = theme
        self.renderer.SetBackground(*unit_rgb(theme.bottom))
        self.renderer.SetBackground2(*unit_rgb(theme.top))
        self.renderer.GradientBackgroundOn()

    @property
    def field(self) -> Field | None:
        return self._field

    @property
    def scan(self) -> Scan | None:
        return self._scan

    @property
    def masked(self) -> bool:
        """Whether it is known which points are marked."""
        return self._mask is not None

    @property
    def marked_count(self) -> int:
        """Marked points among those displayed."""
        return len(self._marked_points) if self._mask is not None else 0

    def close(self) -> None:
        """Let go of everything."""
        for cloud in self.clouds.values():
            self.renderer.RemoveActor(cloud.actor)
            cloud.clear()
        self.renderer.RemoveActor(self._surround.actor)
        self._scan = self._field = self._mask = None
        self._forget()
