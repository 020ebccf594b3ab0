"""How a scan was measured, held against the good scans: scores of scans from different sensors do not compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from core.geometry.neighbors import nearest
from core.scan import Scan

_NEIGHBOURS = 16
_SAMPLE = 2000
_ON_A_LINE = 1e-3
"""Share of the variance along the longest axis below which that along the second shows a line, not a surface."""

_OTHER_SPACING = 1.25
_OTHER_NOISE = 1.5
"""How many times larger than on all good scans, or smaller: by how much good scans of one sensor do not differ."""
_NO_NOISE = 0.01
"""Noise below this share of the spacing counts as this: scans without noise differ in their rounding alone."""


@dataclass(frozen=True)
class Acquisition:
    """How densely and how exactly a surface was measured.

    Attributes
    ----------
    spacing : float
        The square root of the surface that one point stands for, the median over the points; in the scan's unit.
    noise : float
        Standard deviation of points from the plane through them and their neighbours, at the flatter places (the lower
        quartile), so that edges and curvature count for little; NaN where points lie on lines alone.
    """

    spacing: float
    noise: float

    @classmethod
    def of(cls, points: NDArray[np.float32]) -> Acquisition | None:
        """Of points (N, 3), looked at in some 2,000 places; None for too few points, or points all at one place."""
        if len(points) <= _NEIGHBOURS:
            return None
        places = np.random.default_rng(0).choice(len(points), min(_SAMPLE, len(points)), replace=False)
        distances, found = nearest(points, points[np.sort(places)], _NEIGHBOURS + 1)
        spacing = float(np.median(distances[:, -1])) * sqrt(pi / _NEIGHBOURS)
        if not spacing > 0:
            return None
        around = points[found].astype(np.float64)
        around -= around.mean(axis=1, keepdims=True)
        # three of the coordinates go into the plane
        variances = np.linalg.eigvalsh(np.einsum("qki,qkj->qij", around, around) / (_NEIGHBOURS + 1 - 3))
        flat = variances[variances[:, 1] > _ON_A_LINE * variances[:, 2], 0]
        noise = sqrt(max(float(np.quantile(flat, 0.25)), 0.0)) if len(flat) > len(variances) / 4 else nan
        return cls(spacing, noise)


@dataclass(frozen=True)
class UsualAcquisition:
    """How the good scans of a model were measured.

    Attributes
    ----------
    spacing, noise : (float, float)
        The least and the most of any of them; NaN where unknown.
    unit : str
    """

    spacing: tuple[float, float]
    noise: tuple[float, float]
    unit: str

    @classmethod
    def of(cls, scans: Sequence[Scan]) -> UsualAcquisition | None:
        """Of good scans; None where not one can be measured."""
        known = [one for scan in scans if (one := Acquisition.of(scan.points)) is not None]
        if not known:
            return None
        noises = [one.noise for one in known if isfinite(one.noise)] or [nan]
        spacings = [one.spacing for one in known]
        return cls((min(spacings), max(spacings)), (min(noises), max(noises)), scans[0].unit)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Sequence[float | None]], unit: str) -> UsualAcquisition | None:
        """What ``to_mapping`` gave; None of an empty mapping, as models have from before this was kept."""
        if not values:
            return None
        low, high = ([nan if v is None else float(v) for v in values[key]] for key in ("spacing", "noise"))
        return cls((low[0], low[1]), (high[0], high[1]), unit)

    def to_mapping(self) -> dict[str, list[float | None]]:
        """As plain values, None for what is unknown."""
        return {
            "spacing": list(self.spacing),
            "noise": [value if isfinite(value) else None for value in self.noise],
        }

    @property
    def text(self) -> str:
        """For people, such as "points 0.62 to 0.67 mm apart, noise 0.04 mm"."""
        noise = f", noise {_range(self.noise, self.unit)}" if isfinite(self.noise[1]) else ""
        return f"points {_range(self.spacing, self.unit)} apart{noise}"

    def caution(self, scan: Scan) -> str:
        """What the user must know of a scan that was measured otherwise; empty for one that was measured alike."""
        measured = Acquisition.of(scan.points)
        if measured is None:
            return ""
        differs = []
        if _beyond(measured.spacing, self.spacing, _OTHER_SPACING):
            differs.append(f"points {measured.spacing:.2g} {self.unit} apart, not {_range(self.spacing, self.unit)}")
        least = _NO_NOISE * self.spacing[1]
        usual = (max(self.noise[0], least), max(self.noise[1], least))
        # what curvature adds to the noise grows with the square of the spacing
        curved = max(measured.spacing / self.spacing[1], 1.0) ** 2
        if isfinite(self.noise[1]) and _beyond(max(measured.noise, least), usual, _OTHER_NOISE, curved):
            differs.append(f"noise {measured.noise:.2g} {self.unit}, not {_range(self.noise, self.unit)}")
        if not differs:
            return ""
        return (
            f"Measured otherwise than the good scans: {'; '.join(differs)}. Scores can be too high or too low "
            "everywhere. Measure it as these were, or train with good scans like it."
        )


def _beyond(value: float, usual: tuple[float, float], times: float, grown: float = 1.0) -> bool:
    """Whether a value is so many times larger than usual, where it may have ``grown``, or smaller."""
    return value > usual[1] * times * grown or value < usual[0] / times


def _range(values: tuple[float, float], unit: str) -> str:
    low, high = (f"{value:.2g}" for value in values)
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"
