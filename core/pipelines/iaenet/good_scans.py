"""The good scans that a model keeps, small, to show what a judged place was compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.geometry.icp import Surface, moved, refine
from core.geometry.neighbors import nearest
from core.geometry.normals import estimate_normals
from core.geometry.registration import transform_points
from core.geometry.units import UNITS_IN_MM
from core.pipelines.explanation import Explanation
from core.pipelines.iaenet.expert_3d import CodedCloud, Judgement3D
from core.pipelines.iaenet.frame import Prepared
from core.pipelines.iaenet.memory import DualMemory
from core.pipelines.iaenet.sdf_patches import principal_axes
from core.pipelines.iaenet.sdf_settings import SdfSettings
from core.pipelines.state import text
from core.runtime import Runtime

Floats = NDArray[np.float32]

_KEPT = 8192
"""Points of each good scan."""


@dataclass(frozen=True, eq=False)
class GoodScans:
    """The good scans in the category's frame.

    Attributes
    ----------
    names, units : tuple of str
    clouds : tuple of (n_i, 3) float32
        In millimetres.
    transforms : (S, 4, 4) float64
        From each scan's own frame, in millimetres, to the category's.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    clouds: tuple[Floats, ...]
    transforms: NDArray[np.float64]

    @classmethod
    def of(cls, prepared: Sequence[Prepared], runtime: Runtime) -> GoodScans:
        """A sample of each."""
        clouds = []
        for i, one in enumerate(prepared):
            count = min(_KEPT, len(one.cloud))
            clouds.append(one.cloud[np.sort(runtime.rng(41, i).choice(len(one.cloud), count, replace=False))])
        return cls(
            tuple(one.scan.name for one in prepared),
            tuple(one.scan.unit for one in prepared),
            tuple(clouds),
            np.stack([one.transform for one in prepared]),
        )

    def explain(
        self,
        prepared: Prepared,
        coded: CodedCloud,
        judged: Judgement3D,
        memory: DualMemory,
        point: int,
        shown: float,
        settings: SdfSettings,
    ) -> Explanation:
        """The good patch most like the one that explains the score of a point of the cloud.

        Parameters
        ----------
        point : int
            Of ``prepared.cloud``.
        shown : float
            X1 of this point as its map shows it, blurred.
        settings : SdfSettings
            Of the 3D expert.
        """
        patch = int(judged.patch[point])
        rows, scans = judged.nearest_good(memory.codes)
        scan = int(scans[patch])
        here, there = coded.centers[patch], memory.centers[rows[patch]]
        own = prepared.cloud[np.unique(coded.patches.neighbors[patch])]
        radius = float(np.linalg.norm(own - here, axis=1).max())
        cloud = self.clouds[scan]
        good = cloud[np.linalg.norm(cloud - there, axis=1) <= radius]
        if len(good) == 0:
            good = cloud[nearest(cloud, there[None], min(16, len(cloud)))[1][0]]
        placed = _placed(good, there, own, here, radius, settings.frame)
        back = np.linalg.inv(self.transforms[scan])
        return Explanation(
            "Nearest good surface",
            f"This place was held against good patches; the one most like it is of {self.names[scan]}. "
            f"{_said(shown, float(judged.points[point]), settings)}",
            self.names[scan],
            transform_points(good, back) * np.float32(1 / UNITS_IN_MM[self.units[scan]]),
            prepared.to_scan_frame(placed),
            float(judged.distances[patch, 0]),
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        return {
            "names": np.array([name.encode() for name in self.names]),
            "units": np.array([unit.encode() for unit in self.units]),
            "points": np.concatenate(self.clouds),
            "counts": np.array([len(cloud) for cloud in self.clouds], np.int64),
            "transforms": self.transforms,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> GoodScans:
        """What ``state`` gave."""
        ends = np.cumsum(state["counts"])[:-1]
        return cls(
            tuple(text(name) for name in state["names"]),
            tuple(text(unit) for unit in state["units"]),
            tuple(np.split(np.asarray(state["points"], np.float32), ends)),
            np.asarray(state["transforms"], np.float64),
        )


def _said(shown: float, own: float, settings: SdfSettings) -> str:
    """X1 of a point in words: as its map shows it, and before the blur."""
    if settings.evidence == "residual":
        held = ", held against what is usual for such patches" if settings.relative else ""
        return f"The 3D expert (X1) gives {shown:.3g} here: how far the patch's code is from good ones{held}."
    unit = "mm" if settings.unit == "scan" else "sizes of its patch"
    held = ", held against how far good ones lie" if settings.relative else ""
    return (
        f"The point lies {own:.3g} {unit} from the surface rebuilt from good patches{held}; with its surroundings the "
        f"3D expert (X1) gives {shown:.3g} {unit}."
    )


def _placed(good: Floats, there: Floats, own: Floats, here: Floats, radius: float, frame: str) -> Floats:
    """A good patch moved onto the picked one: centre on centre, turned where codes do not see turns, then fitted."""
    start = np.eye(4)
    if frame == "principal" and min(len(good), len(own)) >= 3:
        axes = [principal_axes(torch.from_numpy(p - p.mean(axis=0))[None])[0].numpy() for p in (good, own)]
        start[:3, :3] = axes[1] @ axes[0].T
    start[:3, 3] = here - start[:3, :3] @ there
    if len(own) < 10:
        return moved(good.astype(np.float64), start).astype(np.float32)
    target = Surface.of(own, estimate_normals(own, k=min(12, len(own))))
    fitted = refine(good.astype(np.float64), target, start, 0.5 * radius, 20, 1e-4 * radius)
    return moved(good.astype(np.float64), fitted).astype(np.float32)
