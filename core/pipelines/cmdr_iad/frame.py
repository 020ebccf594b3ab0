"""From a scan to the part on its raster: in millimetres, without background, in its category's pose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.backbones.pictures import Pictures, photograph
from core.errors import ScanError
from core.geometry.alignment import CommonPose
from core.geometry.background import ForegroundPolicy
from core.geometry.gaps import GoodSurface
from core.geometry.neighbors import spacing
from core.geometry.normals import estimate_normals
from core.geometry.orientation import outward
from core.geometry.registration import transform_points
from core.geometry.units import UNITS_IN_MM
from core.geometry.usual_size import UsualSize
from core.geometry.views import covering_views, sensor_view
from core.geometry.voxels import voxel_grid, voxel_leaving
from core.pipelines.cmdr_iad.config import CmdrIadConfig, Mode
from core.pipelines.cmdr_iad.drawn import Drawing
from core.pipelines.cmdr_iad.raster import Raster, ViewLayout, sensor_raster
from core.pipelines.state import below, joined, packed, text
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan

Floats = NDArray[np.float32]

_LEAST = 16
"""Fewer points than this are no part."""
_POSE_POINTS = 8000
"""About how many points of a part are laid on those of another."""
_SURFACE_POINTS = 12_000
"""The same of points by which views are chosen."""

_COARSE, _ALIKE = 32, 0.9
"""Cells a side on which parts are compared, and the share of the cells covered by a part or usually that must be both
for parts to lie alike."""

NO_IMAGE = "no RGB image"


@dataclass(frozen=True, eq=False)
class Part:
    """The part that a scan shows.

    Attributes
    ----------
    rows : (P,) int64
        Its points in the scan, sorted by their coordinates, so that a file's order does not matter.
    points : (P + F, 3) float32
        These, in millimetres, in the category's pose, and after them F points that stand for what was not measured.
    outwards : (P + F, 3) float32, or None
        Rough outward directions in the same pose, as far as the scan tells.
    raster : Raster
        Of all these points.
    picture : Pictures, or None where no photograph is looked at
    pixels : (P, 2) float32, or None
        Row and column of each point in that picture.
    count : int
        Points of the scan.
    """

    rows: NDArray[np.int64]
    points: Floats
    outwards: Floats | None
    raster: Raster
    picture: Pictures | None
    pixels: Floats | None
    count: int

    def to_scan(self, values: Floats) -> Floats:
        """(N,) of (P + F,) values: NaN where the scan does not show the part."""
        result = np.full(self.count, np.nan, np.float32)
        result[self.rows] = values[: len(self.rows)]
        return result


@dataclass(frozen=True, eq=False)
class Frame:
    """How the scans of a category are prepared; decided once, on the good ones.

    Attributes
    ----------
    mode : str
        ``2d+3d``, ``3d`` or ``2d``.
    policy : ForegroundPolicy
    size : UsualSize
        Of the good parts, in millimetres.
    radius : float
        Usual distance of a good part's farthest point from its centroid, in millimetres.
    pose_voxel : float
        To which parts are thinned before they are aligned, in millimetres.
    voxel : float
        To which they are thinned before features are taken, in millimetres; 0 for the points of the cells.
    spacing : float
        About how far apart the points are then.
    pose : CommonPose
    layout : ViewLayout, or None where features lie on the sensor's grid
    drawing : Drawing, or None where the image of a part is its photograph or not looked at
    surface : GoodSurface, or None where gaps are not filled
    """

    mode: Mode
    policy: ForegroundPolicy
    size: UsualSize
    radius: float
    pose_voxel: float
    voxel: float
    spacing: float
    pose: CommonPose
    layout: ViewLayout | None
    drawing: Drawing | None = None
    surface: GoodSurface | None = None

    @classmethod
    def learn(
        cls, scans: Sequence[Scan], config: CmdrIadConfig, runtime: Runtime, progress: Progress
    ) -> tuple[Frame, list[NDArray[np.float64]]]:
        """Decide for a category; gives also the (4, 4) transforms of its good scans.

        Raises
        ------
        ScanError
            If a scan lacks what the mode needs, or shows too little of a part.
        RegistrationError
        Cancelled
        """
        mode = mode_of(scans, config)
        policy = ForegroundPolicy.learn(scans, config.background, runtime.seed)
        rows = [_rows(scan, policy) for scan in progress.part(0.0, 0.3).over(scans, "background of scan {i} of {n}")]
        parts = [_in_mm(scan, own) for scan, own in zip(scans, rows, strict=True)]
        size = UsualSize.of(parts, "mm")
        pose_voxel = voxel_leaving(parts, size.diagonal, _POSE_POINTS)
        voxel = voxel_leaving(parts, size.diagonal, config.voxel_points) if config.voxel_points else 0.0
        clouds = [voxel_grid(part, pose_voxel).points for part in parts]
        on_sensor = config.grid != "views" and all(scan.organised for scan in scans)
        if on_sensor and config.grid == "auto" and config.align != "none":
            on_sensor = _lie_alike(scans, rows)
        align = "none" if on_sensor else config.align  # on its own grid a scan stays as the sensor saw it
        pose, transforms = CommonPose.learn(clouds, align, runtime.seed, progress.part(0.3, 0.9, "aligning scans"))
        if config.grid == "auto" and pose.reference is None and all(scan.organised for scan in scans):
            on_sensor = True  # views of parts in any pose would have nothing on the sensor's
        layout = drawing = surface = None
        if not on_sensor:
            progress.update(0.9, "choosing views")
            placed = [transform_points(part, own) for part, own in zip(parts, transforms, strict=True)]
            views = _views(scans, placed, transforms, config, runtime)
            layout = ViewLayout.over(placed, views, config.views_side)
            drawing = Drawing.over(placed, views) if mode != "3d" and draws(scans, config) else None
            if config.fill_gaps and not any(scan.organised for scan in scans):
                outwards = [
                    _outwards(scan, own, transform)
                    for scan, own, transform in zip(scans, rows, transforms, strict=True)
                ]
                surface = _surface(placed, outwards, voxel)
        radius = float(np.median([np.linalg.norm(part - part.mean(axis=0), axis=1).max() for part in parts]))
        apart = voxel or (layout.cell if layout is not None else _cell_of(scans[0], parts[0], config.side))
        made = cls(mode, policy, size, radius, pose_voxel, voxel, apart, pose, layout, drawing, surface)
        return made, transforms

    def part(
        self, scan: Scan, config: CmdrIadConfig, *, mode: Mode, transform: NDArray[np.float64] | None = None
    ) -> Part:
        """What ``scan`` shows.

        Parameters
        ----------
        mode : str
            In which it is to be judged.
        transform : (4, 4) float64, optional
            Into the category's pose, where it is known already.

        Raises
        ------
        ScanError
            If it is of another size than the good scans, shows too little, or lacks the image or the grid.
        RegistrationError
            If it cannot be aligned.
        """
        name = scan.source or scan.name
        photographed = mode != "3d" and self.drawing is None
        if photographed and scan.image is None:
            raise ScanError(
                f"Scan {name} has {NO_IMAGE}, the good scans had one each",
                "Give the scan with its image, judge it by its surface alone, or train again with mode = 3d",
            )
        if self.layout is None and not scan.organised:
            raise ScanError(
                f"Scan {name} has no sensor grid, the good scans had one each",
                "Give the scan as its sensor wrote it, or train again with grid = views",
            )
        rows = _rows(scan, self.policy)
        points = _in_mm(scan, rows)
        self.size.check(points, name)
        if transform is None:
            transform = np.eye(4)
            if self.pose.reference is not None:
                transform = self.pose.find(voxel_grid(points, self.pose_voxel).points, name)
        outwards = _outwards(scan, rows, transform)
        points = transform_points(points, transform)
        if self.surface is not None:
            lacking = self.surface.lacking(voxel_grid(points, self.voxel).points if self.voxel else points)
            if len(lacking) and outwards is not None:
                known = self.surface.outwards
                outwards = None if known is None else np.concatenate([outwards, known[lacking]])
            points = np.concatenate([points, self.surface.points[lacking]])
        if self.layout is None:
            assert scan.grid is not None
            raster = sensor_raster(scan.grid, rows, config.side, fill=config.fill)
        else:
            raster = self.layout.raster(points)
        if len(raster.cells) < _LEAST:
            raise ScanError(
                f"Scan {name} shows the part in only {len(raster.cells)} cells",
                "Check the scan, or train with more cells",
            )
        picture = pixels = None
        if photographed:
            assert scan.grid is not None
            assert scan.image is not None
            mask = np.zeros(len(scan), bool)
            mask[rows] = True
            picture = photograph(scan.image, scan.grid, mask, points[np.argsort(rows)])
            pixels = np.empty((len(rows), 2), np.float32)
            pixels[np.argsort(rows)] = picture.pixels[0]
        return Part(rows, points, outwards, raster, picture, pixels, len(scan))

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        groups: dict[str, Mapping[str, NDArray[Any]]] = {"foreground": self.policy.state(), "pose": self.pose.state()}
        for name, one in (("layout", self.layout), ("drawing", self.drawing), ("surface", self.surface)):
            if one is not None:
                groups[name] = one.state()
        return joined(groups) | {
            "mode": packed(self.mode),
            "diagonal": np.array(self.size.diagonal),
            "radius": np.array(self.radius),
            "pose_voxel": np.array(self.pose_voxel),
            "voxel": np.array(self.voxel),
            "spacing": np.array(self.spacing),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Frame:
        """What ``state`` gave."""
        mode = text(state["mode"])
        if mode not in ("2d+3d", "3d", "2d"):
            raise ValueError(f"mode {mode!r}")
        layout, drawing, surface = (below(state, name) for name in ("layout", "drawing", "surface"))
        return cls(
            mode,  # type: ignore[arg-type]
            ForegroundPolicy.from_state(below(state, "foreground")),
            UsualSize(float(state["diagonal"]), "mm"),
            float(state["radius"]),
            float(state["pose_voxel"]),
            float(state["voxel"]),
            float(state["spacing"]),
            CommonPose.from_state(below(state, "pose")),
            ViewLayout.from_state(layout) if layout else None,
            Drawing.from_state(drawing) if drawing else None,
            GoodSurface.from_state(surface) if surface else None,
        )


def mode_of(scans: Sequence[Scan], config: CmdrIadConfig) -> Mode:
    """The mode for these good scans.

    Raises
    ------
    ScanError
        If the settings ask for photographs and a scan has none.
    """
    bare = None if draws(scans, config) else next((scan for scan in scans if scan.image is None), None)
    if config.mode == "auto":
        return "2d+3d" if bare is None else "3d"
    if config.mode != "3d" and bare is not None:
        raise ScanError(
            f"Scan {bare.source or bare.name} has {NO_IMAGE}, which mode = {config.mode} needs",
            "Give every good scan with its image, or train with mode = auto or 3d",
        )
    return config.mode


def draws(scans: Sequence[Scan], config: CmdrIadConfig) -> bool:
    """Whether the images of these parts are drawn: of clouds, which have no photograph."""
    return config.pictures == "auto" and not any(scan.organised or scan.image is not None for scan in scans)


def _lie_alike(scans: Sequence[Scan], rows: Sequence[NDArray[np.int64]]) -> bool:
    """Whether the parts of organised scans cover the same cells of the sensor's grid, but for little."""
    shown = []
    for scan, own in zip(scans, rows, strict=True):
        assert scan.grid is not None
        mask = np.zeros(_COARSE * _COARSE, bool)
        mask[sensor_raster(scan.grid, own, _COARSE, fill=True).cells] = True
        shown.append(mask)
    usual = np.mean(shown, axis=0) >= 0.5
    overlaps = [(mask & usual).sum() / max((mask | usual).sum(), 1) for mask in shown]
    return bool(np.median(overlaps) >= _ALIKE)


def _views(
    scans: Sequence[Scan],
    placed: Sequence[Floats],
    transforms: Sequence[NDArray[np.float64]],
    config: CmdrIadConfig,
    runtime: Runtime,
) -> NDArray[np.float64]:
    """(K, 3, 3) from where the parts are looked at: as the sensor did, or from enough sides."""
    fullest = int(np.argmax([len(part) for part in placed]))
    scan = scans[fullest]
    if scan.organised:
        return (sensor_view(scan) @ transforms[fullest][:3, :3].T)[None]
    part = placed[fullest]
    thin = voxel_grid(part, voxel_leaving([part], float(np.linalg.norm(np.ptp(part, axis=0))), _SURFACE_POINTS)).points
    normals = estimate_normals(thin, k=min(config.normal_neighbors, len(thin)), runtime=runtime)
    return covering_views(thin, normals, config.views).views


def _cell_of(scan: Scan, points: Floats, side: int) -> float:
    """About how far apart the points of neighbouring cells of the sensor's grid are, in millimetres."""
    assert scan.grid is not None
    return spacing(points) * max(1.0, max(scan.grid.shape) / side)


def _rows(scan: Scan, policy: ForegroundPolicy) -> NDArray[np.int64]:
    rows = np.flatnonzero(policy.mask(scan))
    if len(rows) < _LEAST:
        raise ScanError(f"Scan {scan.source or scan.name} shows only {len(rows)} points of the part", "Check the scan")
    return rows[np.lexsort(scan.points[rows].T)]


def _outwards(scan: Scan, rows: NDArray[np.int64], transform: NDArray[np.float64]) -> Floats | None:
    """(len(rows), 3) rough outward directions in the category's pose, as far as the scan tells them."""
    hints = outward(scan)
    return None if hints is None else (hints[rows] @ transform[:3, :3].T).astype(np.float32)


def _surface(parts: Sequence[Floats], outwards: Sequence[Floats | None], voxel: float) -> GoodSurface | None:
    """Of the good parts in one pose."""
    known = [one for one in outwards if one is not None]
    hints = known if len(known) == len(parts) else None
    if voxel <= 0:
        return GoodSurface.learn(parts, voxel, hints)
    grids = [voxel_grid(part, voxel) for part in parts]
    if hints is not None:
        hints = [grid.summed(own) for grid, own in zip(grids, hints, strict=True)]
    return GoodSurface.learn([grid.points for grid in grids], voxel, hints)


def _in_mm(scan: Scan, rows: NDArray[np.int64]) -> Floats:
    return scan.points[rows] * np.float32(UNITS_IN_MM[scan.unit])
