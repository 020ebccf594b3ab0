"""Deviation: the measured distance from what good parts have in common, in units of how much good parts differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError, RegistrationError, ScanError
from core.geometry.background import ForegroundPolicy
from core.geometry.discs import Smoothing, smoothed
from core.geometry.neighbors import spacing
from core.geometry.orientation import outward
from core.geometry.registration import Reference, needs_any_pose, register, register_near, transform_points
from core.geometry.units import UNITS_IN_MM
from core.pipelines.base import Pipeline
from core.pipelines.deviation.config import DeviationConfig
from core.pipelines.deviation.nominal import ASIDE, Nominal, build, mean_surface
from core.pipelines.part_score import top_mean
from core.pipelines.state import below, joined, reading
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan
from core.scores import ScoreMap, Scores

Array = NDArray[np.float32]

_FIT = 0.5
"""Share of a scan that must lie on the reference."""
_LEAST_POINTS = 30
_COMPANY, _OF_USUAL = 6, 0.8
"""Points of surface have this many within the smoothing radius, themselves counted; usual are 7 of points strewn at
random and 20 of points on a grid. In a scan of fewer points it is this share of what its points usually have."""


@dataclass(frozen=True, eq=False)
class _Fitted:
    """What a fit leaves."""

    policy: ForegroundPolicy
    reference: Reference
    nominal: Nominal
    smoothing: Smoothing
    any_pose: bool
    unit: str


class DeviationPipeline(Pipeline):
    """Deviation from the nominal surface of registered good scans."""

    id: ClassVar[str] = "deviation"
    title: ClassVar[str] = "Deviation"
    paper: ClassVar[str] = "No paper: the deviation map of metrology, with the tolerance learned from good parts"
    summary: ClassVar[str] = (
        "Lays the scan on the good scans and measures the distance between the surfaces, in units of how much good "
        "parts differ at that place. Choose it for rigid parts whose shape repeats well; it sees no colour."
    )
    reference: ClassVar[bool] = True
    min_scans: ClassVar[int] = 1
    Config = DeviationConfig

    def __init__(self, config: DeviationConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._fitted: _Fitted | None = None

    def fit(self, scans: Sequence[Scan], progress: Progress) -> None:
        """See ``Pipeline.fit``. With a single scan the spread is that of its noise alone."""
        self._fitted = None
        if not scans:
            raise ScanError("There is no good scan to learn from", "Add good scans to the category")
        config, seed, unit = self.config, self.runtime.seed, scans[0].unit
        progress.update(0.0, "Looking for the background")
        scaled = [_in_unit(scan, unit) for scan in scans]
        policy = ForegroundPolicy.learn(scaled, config.background, seed)
        parts = []
        for scan in progress.part(0.0, 0.1).over(scaled, "Taking off the background of scan {i} of {n}"):
            parts.append(_part(scan, policy))

        first = int(np.argsort([len(p) for p, _, _ in parts], kind="stable")[len(parts) // 2])
        reference = Reference(parts[first][0])
        progress.update(0.1, "Finding out how the parts lie")
        any_pose = config.pose == "any"
        if config.pose == "auto":
            any_pose = needs_any_pose([points for points, _, _ in parts], reference, seed)
        density = float(np.median([spacing(p) for p, _, _ in parts]))
        step = config.step or max(density, 1e-12)
        poses = [np.eye(4) for _ in parts]
        placed = [p for p, _, _ in parts]
        for turn in range(config.rounds):
            stage = progress.part(0.15 + 0.55 * turn / config.rounds, 0.15 + 0.55 * (turn + 1) / config.rounds)
            for i in stage.over(range(len(parts)), "Registering scan {i} of {n}"):
                if len(parts) > 1:
                    motion = self._registered(placed[i], scans[i], reference, any_pose and turn == 0)
                    poses[i] = motion @ poses[i]
                    placed[i] = transform_points(parts[i][0], poses[i])
            reference = Reference(mean_surface(placed, step, config.max_points)[0].points)

        hints = None
        turned = [hint @ pose[:3, :3].T for (_, hint, _), pose in zip(parts, poses, strict=True) if hint is not None]
        if len(turned) == len(parts):
            hints = np.concatenate(turned).astype(np.float32)
        if len(placed) == 1:
            placed = [placed[0][::2], placed[0][1::2]]
            hints = None if hints is None else np.concatenate([hints[::2], hints[1::2]])
        smoothing = Smoothing.over(config.smoothing, density)
        nominal = build(
            placed,
            hints,
            step=step,
            max_points=config.max_points,
            neighbours=config.neighbours,
            smoothing=smoothing,
            shrink=config.shrink,
            progress=progress.part(0.7, 1.0),
        )
        progress.update(1.0, "Fitted")
        self._fitted = _Fitted(policy, reference, nominal, smoothing, any_pose, unit)

    def score(self, scan: Scan, progress: Progress) -> Scores:
        """See ``Pipeline.score``."""
        if self._fitted is None:
            raise ModelError("This deviation model is not fitted", "Train it on good scans, or load a trained model")
        fitted = self._fitted
        progress.update(0.0, "Finding the part")
        points, _, rows = _part(_in_unit(scan, fitted.unit), fitted.policy)
        progress.update(0.1, "Laying the scan on the good parts")
        pose = self._registered(points, scan, fitted.reference, fitted.any_pose)
        placed = transform_points(points, pose)
        progress.update(0.5, "Measuring the deviation")
        nominal = fitted.nominal
        found = nominal.surface.distance(placed, self.config.neighbours, -nominal.offset)
        judged = ~nominal.never_shown(placed, found, self.config.beyond * nominal.step)
        placed, rows = placed[judged], rows[judged]
        progress.update(0.7, "Comparing it with the spread of good parts")
        disc = fitted.smoothing.neighbours(placed)
        height = smoothed(found.height[judged], disc)
        distance = np.hypot(height, smoothed(ASIDE * found.aside[judged], disc))
        spread = nominal.spread[found.near[judged]].mean(axis=1)
        values = (distance / spread).astype(np.float32)

        back = UNITS_IN_MM[fitted.unit] / UNITS_IN_MM[scan.unit]
        progress.update(1.0, "Scored")

        def everywhere(per_part: NDArray[Any]) -> Array:
            whole = np.full(len(scan), np.nan, np.float32)
            whole[rows] = per_part
            return whole

        unit = scan.unit
        should_be = transform_points(nominal.points, np.linalg.inv(pose).astype(np.float64)) * np.float32(back)
        return Scores(
            reconstruction=should_be,
            points=everywhere(values),
            object=top_mean(smoothed(values, disc)[_supported(disc)], self.config.top),
            maps={
                "signed_deviation": ScoreMap(
                    everywhere(height * back),
                    "Signed deviation",
                    "height",
                    f"Distance from the nominal surface along its normal in {unit}: above it positive, below negative",
                ),
                "distance": ScoreMap(
                    everywhere(distance * back),
                    "Distance",
                    "score",
                    f"Distance from the nominal surface in {unit}, also where a point lies beyond the surface's edge",
                ),
                "local_spread": ScoreMap(
                    everywhere(spread * back),
                    "Local spread",
                    "score",
                    f"How much good parts differ at this place, one standard deviation in {unit}: high forgives more",
                ),
            },
        )

    def _registered(self, points: Array, scan: Scan, reference: Reference, any_pose: bool) -> NDArray[np.float64]:
        """The transform onto the reference; an error names the scan.

        A scan that does not lie as the good ones did is searched in any pose, unless the settings forbid it.
        """
        seed, fixed = self.runtime.seed, self.config.pose == "fixed"
        try:
            if any_pose or fixed:
                return register(points, reference, any_pose=any_pose, seed=seed, min_fitness=_FIT).transform
            return register_near(points, reference, seed=seed, min_fitness=_FIT).transform
        except RegistrationError as error:
            raise RegistrationError(f"Scan {scan.source or scan.name}: {error.problem}", error.remedy) from error

    def state(self) -> dict[str, NDArray[Any]]:
        """See ``Pipeline.state``."""
        if self._fitted is None:
            raise ModelError("This deviation model is not fitted", "Train it on good scans first")
        fitted = self._fitted
        groups = {
            "policy": fitted.policy.state(),
            "reference": fitted.reference.state(),
            "nominal": fitted.nominal.state(),
        }
        return {
            "any_pose": np.array(fitted.any_pose),
            "unit": np.array(fitted.unit),
            "smoothing/count": np.array(fitted.smoothing.count),
            "smoothing/radius": np.array(fitted.smoothing.radius),
            **joined(groups),
        }

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See ``Pipeline.load_state``."""
        self._fitted = None
        with reading():
            smoothing = below(state, "smoothing")
            self._fitted = _Fitted(
                policy=ForegroundPolicy.from_state(below(state, "policy")),
                reference=Reference.from_state(below(state, "reference")),
                nominal=Nominal.from_state(below(state, "nominal")),
                smoothing=Smoothing(int(smoothing["count"]), float(smoothing["radius"])),
                any_pose=bool(state["any_pose"]),
                unit=str(np.asarray(state["unit"]).item()),
            )


def _supported(disc: tuple[NDArray[np.int64], NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """(N,) False for stray points, which few others lie near to: they condemn no part. All, if all are strays."""
    company = disc[1].sum(axis=1)
    supported: NDArray[np.bool_] = company >= min(_COMPANY, _OF_USUAL * float(np.median(company)))
    return supported if supported.any() else ~supported


def _in_unit(scan: Scan, unit: str) -> Scan:
    """``scan`` in another unit."""
    if scan.unit == unit:
        return scan
    return scan.replaced(points=scan.points * np.float32(UNITS_IN_MM[scan.unit] / UNITS_IN_MM[unit]), unit=unit)


def _part(scan: Scan, policy: ForegroundPolicy) -> tuple[Array, Array | None, NDArray[np.int64]]:
    """Points of the part, their rough outward directions, and their rows in the scan.

    They are sorted by coordinates: the scores then do not depend on the order in which a file holds the points.

    Raises
    ------
    ScanError
        If too little is left.
    """
    rows = np.flatnonzero(policy.mask(scan))
    if len(rows) < _LEAST_POINTS:
        raise ScanError(
            f"Scan {scan.source or scan.name} shows only {len(rows)} points of the part",
            f"Use a scan with at least {_LEAST_POINTS}",
        )
    rows = rows[np.lexsort(scan.points[rows].T)]
    hints = outward(scan)
    return scan.points[rows], None if hints is None else hints[rows], rows
