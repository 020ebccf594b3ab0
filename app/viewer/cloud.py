"""One cloud of points in the scene: an actor that is built once and whose arrays are replaced."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonCore import VTK_INT, vtkLookupTable, vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

from app.viewer.colormaps import Rgb

# Scanners and normal estimators do not always agree on which side is out, and points have no back side to hide.
_TWO_SIDED = """//VTK::Normal::Impl
  if (normalVCVSOutput.z < 0.0) { normalVCVSOutput = -normalVCVSOutput; }
"""

# Wide points as discs: squares look like blocks. Narrow ones stay square, they have no pixels to spare.
_ROUND = """//VTK::Clip::Impl
  if (abs(dFdx(gl_PointCoord.x)) < 0.2 && distance(gl_PointCoord, vec2(0.5)) > 0.5) { discard; }
"""


def unit_rgb(color: Rgb) -> tuple[float, float, float]:
    """A colour of 0..255 as VTK takes it, 0..1."""
    return color[0] / 255, color[1] / 255, color[2] / 255


class Cloud:
    """Points with one colour, colours of their own, or values looked up in a table.

    All vertices are one poly-vertex cell, so that a cloud of any size costs one cell and its beginning can be drawn
    alone.

    Parameters
    ----------
    table : vtkLookupTable
        Shared by the clouds of a scene: changing it recolours all.
    shaded : bool
        Whether normals, where there are any, shade the points.
    """

    def __init__(self, table: vtkLookupTable, *, shaded: bool = True) -> None:
        self._data = vtkPolyData()
        self._mapper = vtkPolyDataMapper()
        self._mapper.SetInputData(self._data)
        self._mapper.SetLookupTable(table)
        self._mapper.UseLookupTableScalarRangeOn()
        self._mapper.ScalarVisibilityOff()
        self.actor = vtkActor()
        self.actor.SetMapper(self._mapper)
        self.actor.PickableOff()
        look = self.actor.GetProperty()
        look.SetRepresentationToPoints()
        look.SetSpecular(0.0)
        self._shaded = shaded
        self._kept: dict[str, NDArray[np.generic]] = {}  # memory that VTK reads without owning it
        self._drawn = -1
        self.count = 0
        self.actor.VisibilityOff()

    def set_points(self, points: NDArray[np.float32], normals: NDArray[np.float32] | None = None) -> None:
        """Replace the points, (n, 3); values and colours are dropped."""
        self._kept = {"points": points}
        self.count = len(points)
        self._data.Initialize()
        holder = vtkPoints()
        holder.SetData(numpy_to_vtk(points))
        self._data.SetPoints(holder)
        self.set_normals(normals)
        self._drawn = -1
        self.draw(self.count)

    def move(self, points: NDArray[np.float32]) -> None:
        """Put the points, (n, 3), elsewhere; everything else about them stays."""
        if not self.count:
            return
        self._kept["points"] = points
        holder = vtkPoints()
        holder.SetData(numpy_to_vtk(points))
        self._data.SetPoints(holder)
        self._data.Modified()

    def set_normals(self, normals: NDArray[np.float32] | None) -> None:
        """Shade by these unit normals, (n, 3); flat where None."""
        look = self.actor.GetProperty()
        shader = self.actor.GetShaderProperty()
        shader.ClearAllFragmentShaderReplacements()
        shader.AddFragmentShaderReplacement("//VTK::Clip::Impl", True, _ROUND, False)
        if normals is None or not self._shaded:
            self._data.GetPointData().SetNormals(None)
            look.LightingOff()
        else:
            self._kept["normals"] = normals
            self._data.GetPointData().SetNormals(numpy_to_vtk(normals))
            shader.AddFragmentShaderReplacement("//VTK::Normal::Impl", True, _TWO_SIDED, False)
            look.LightingOn()
            look.SetAmbient(0.42)
            look.SetDiffuse(0.62)
        self._data.Modified()

    def draw(self, count: int) -> None:
        """Draw the first ``count`` points only."""
        count = min(count, self.count)
        if count == self._drawn:
            return
        self._drawn = count
        cells = vtkCellArray()
        if count:
            ends = np.array([0, count], dtype=np.int32)
            indices = np.arange(count, dtype=np.int32)
            cells.SetData(
                numpy_to_vtk(ends, deep=True, array_type=VTK_INT), numpy_to_vtk(indices, deep=True, array_type=VTK_INT)
            )
        self._data.SetVerts(cells)

    def set_values(self, values: NDArray[np.float32]) -> None:
        """Colour by ``values``, (n,), looked up in the table; NaN has the table's own colour."""
        self._kept["scalars"] = values
        array = numpy_to_vtk(values)
        self._data.GetPointData().SetScalars(array)
        self._mapper.SetColorModeToMapScalars()
        self._mapper.ScalarVisibilityOn()

    def set_colors(self, colors: NDArray[np.uint8]) -> None:
        """Colour each point by its own, (n, 3)."""
        self._kept["scalars"] = colors
        self._data.GetPointData().SetScalars(numpy_to_vtk(colors))
        self._mapper.SetColorModeToDirectScalars()
        self._mapper.ScalarVisibilityOn()

    def set_color(self, color: Rgb, opacity: float = 1.0) -> None:
        """Colour all points alike."""
        self._kept.pop("scalars", None)
        self._data.GetPointData().SetScalars(None)
        self._mapper.ScalarVisibilityOff()
        self.actor.GetProperty().SetColor(*unit_rgb(color))
        self.actor.GetProperty().SetOpacity(opacity)

    def lift(self, amount: float, eye: NDArray[np.float64], sight: NDArray[np.float64], parallel: bool) -> None:
        """Draw the points nearer to the eye by about ``amount``, each at the same pixel as before.

        In a perspective view the cloud shrinks towards the eye, in a parallel one it is shifted along ``sight``: both
        leave the picture as it is and win over what lies at the same depth. (Depth offsets do not: a wide point on a
        slope overlaps its neighbours by more than any constant offset.)

        Parameters
        ----------
        eye, sight : (3,)
            Position of the camera, and from it to the focal point.
        """
        distance = float(np.linalg.norm(sight))
        share = min(amount / max(distance, 1e-12), 0.5)
        if parallel:
            self.actor.SetScale(1.0)
            self.actor.SetPosition(*(-sight * share))
        else:
            self.actor.SetScale(1.0 - share)
            self.actor.SetPosition(*(eye * share))

    def set_size(self, pixels: float) -> None:
        """Width of a point on the screen, in device pixels."""
        self.actor.GetProperty().SetPointSize(pixels)

    def show(self, visible: bool) -> None:
        """Draw it or not; an empty cloud is never drawn."""
        self.actor.SetVisibility(bool(visible and self.count))

    @property
    def visible(self) -> bool:
        return bool(self.actor.GetVisibility())

    @property
    def drawn(self) -> int:
        """How many points are drawn when it is visible."""
        return max(self._drawn, 0)

    def clear(self) -> None:
        """Let go of all arrays."""
        self._data.Initialize()
        self._kept = {}
        self.count = 0
        self._drawn = -1
        self.actor.VisibilityOff()


def fill_table(table: vtkLookupTable, colors: NDArray[np.uint8], unknown: Rgb) -> None:
    """Put ``colors``, (k, 3), into a lookup table."""
    rgba = np.concatenate([colors, np.full((len(colors), 1), 255, dtype=np.uint8)], axis=1)
    table.SetTable(numpy_to_vtk(np.ascontiguousarray(rgba), deep=True))
    table.SetNanColor(*unit_rgb(unknown), 1.0)
    table.Modified()
