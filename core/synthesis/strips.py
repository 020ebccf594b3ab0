"""Made strips: what a laser profilometer sees of the cut edge of a long foam block, and of what goes wrong in cutting.

The scan is unorganised and long: profile after profile in the order of measuring, some points of each missing. The
face is flat, falls off over a rounded edge into the cut flank, and has pores, saw marks and long waves, as polyurethane
cuts have (R. Daci et al., CMDR-IAD, arXiv 2603.03939, section 4.2, names irregular cuts, burrs, gaps and distortions).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from core.synthesis.defects import ragged

Image = NDArray[np.float64]

NOISE = 0.02
"""Standard deviation of a measured height, in mm."""
VISIBLE = 0.12
"""A point that a defect moved by more is labelled, in mm."""
PITCH = 0.25
"""Distance of profiles and of points in one, in mm."""
_MISSING = 0.015
_EDGE = 2 / 3  # of the width, where the face turns into the flank
_SLOPE, _ROUNDING = 0.9, 2.5  # of the flank; of the edge, in mm
_PORES = 0.02  # a square millimetre
_MARGIN = 0.1  # of the length, at both ends, without defects


@dataclass(frozen=True, eq=False)
class Strip:
    """One made scan.

    Attributes
    ----------
    points : (N, 3) float32
        In mm and in the order of measuring: x along the strip, y across it, z up.
    labels : (N,) bool
        True where a defect moved the surface by more than ``VISIBLE``.
    """

    points: NDArray[np.float32]
    labels: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Face:
    """The places of a strip, and the edge line of the good cut."""

    x: Image  # (lines, 1)
    y: Image  # (1, columns)
    edge: Image  # (lines, 1)

    def surface(self, edge: Image) -> Image:
        """(lines, columns) heights of the smooth face that ends at an edge line."""
        beyond = (self.y - edge) / _ROUNDING
        return -_SLOPE * _ROUNDING * np.logaddexp(0.0, beyond)

    def site(self, rng: np.random.Generator) -> float:
        """Somewhere along the strip, away from its ends."""
        length = float(self.x[-1, 0])
        return float(rng.uniform(_MARGIN, 1.0 - _MARGIN)) * length

    def along(self, middle: float, length: float) -> Image:
        """(lines, 1) 1 in the middle of a stretch, 0 at its ends and beyond."""
        return np.clip(1.0 - (2.0 * (self.x - middle) / length) ** 2, 0.0, 1.0)


def _burr(face: _Face, rng: np.random.Generator) -> Image:
    """A ragged fin that stands on the edge."""
    length, height, width = rng.uniform(15, 40), rng.uniform(0.6, 1.4), rng.uniform(1.2, 2.0)
    inside = np.flatnonzero(face.along(face.site(rng), length)[:, 0])
    heights = np.zeros_like(face.x)
    heights[inside, 0] = height * ragged(len(inside), int(rng.integers(2**31)))
    return heights * np.clip(1.0 - 2.0 * np.abs(face.y - face.edge) / width, 0.0, 1.0)


def _gap(face: _Face, rng: np.random.Generator) -> Image:
    """A piece that is missing from the edge."""
    bite = rng.uniform(2.0, 4.5) * np.sqrt(face.along(face.site(rng), rng.uniform(5, 12)))
    return face.surface(face.edge - bite) - face.surface(face.edge)


def _irregular(face: _Face, rng: np.random.Generator) -> Image:
    """An edge line that wanders: the blade was pushed aside."""
    stretch = face.along(face.site(rng), rng.uniform(40, 90))
    wander = gaussian_filter(rng.normal(size=len(face.x)), rng.uniform(6, 14))
    wander *= rng.uniform(0.8, 1.8) / np.abs(wander).max()
    return face.surface(face.edge + stretch * wander[:, None]) - face.surface(face.edge)


def _distortion(face: _Face, rng: np.random.Generator) -> Image:
    """A wide bulge or hollow of the face."""
    radius, height = rng.uniform(7, 13), rng.uniform(0.5, 1.2) * rng.choice((-1.0, 1.0))
    across = rng.uniform(0.2, 0.6) * float(face.y[0, -1])
    q = np.minimum(((face.x - face.site(rng)) ** 2 + (face.y - across) ** 2) / radius**2, 1.0)
    return height * (1.0 - q) ** 2


def _tear(face: _Face, rng: np.random.Generator) -> Image:
    """A patch where the foam was torn and not cut."""
    radius = rng.uniform(5, 9)
    across = rng.uniform(0.3, 0.85) * float(face.y[0, -1])
    q = np.minimum(((face.x - face.site(rng)) ** 2 + (face.y - across) ** 2) / radius**2, 1.0)
    grain = gaussian_filter(rng.normal(size=q.shape), 2.0)
    return rng.uniform(0.25, 0.45) * grain / grain.std() * np.sqrt(1.0 - q)


_DEFECTS: dict[str, Callable[[_Face, np.random.Generator], Image]] = {
    "burr": _burr,
    "gap": _gap,
    "irregular": _irregular,
    "distortion": _distortion,
    "tear": _tear,
}
KINDS = tuple(_DEFECTS)
"""The defects that a strip can have."""


def make_strip(seed: int, defects: Sequence[str] = (), *, lines: int = 2000, columns: int = 240) -> Strip:
    """A strip with these defects, each at a place of its own.

    Parameters
    ----------
    seed : int
        The same seed gives the same strip; with defects it gives the same good surface under them.
    defects : sequence of str
        Of ``KINDS``.
    lines, columns : int
        Profiles, and points of each before some are lost.

    Raises
    ------
    ValueError
        If there is no such defect, or too few lines or columns.
    """
    if unknown := set(defects) - set(KINDS):
        raise ValueError(f"There is no defect {', '.join(sorted(unknown))}: choose among {', '.join(KINDS)}")
    if lines < 100 or columns < 60:
        raise ValueError(f"{lines} lines of {columns} points are too few for a strip")
    rng = np.random.default_rng([seed, 1])
    x: Image = PITCH * np.arange(lines, dtype=np.float64)[:, None]
    y: Image = PITCH * np.arange(columns, dtype=np.float64)[None, :]
    edge = _EDGE * y[0, -1] + 0.15 * _waves(x, rng, 120.0) + 0.05 * _waves(x, rng, 15.0)
    face = _Face(x, y, edge)
    good = face.surface(edge) + 0.1 * _waves(x, rng, 200.0) + _texture(face, rng)
    changes = np.random.default_rng([seed, 2])
    moved = sum((_DEFECTS[kind](face, changes) for kind in defects), np.zeros_like(good))
    heights = good + moved + rng.normal(0.0, NOISE, good.shape)
    points = np.stack(np.broadcast_arrays(x, y, heights), axis=-1).reshape(-1, 3)
    measured = rng.random(len(points)) >= _MISSING
    return Strip(points[measured].astype(np.float32), (np.abs(moved) > VISIBLE).ravel()[measured])


def _waves(x: Image, rng: np.random.Generator, wavelength: float) -> Image:
    """A smooth wander of about unit size along the strip."""
    parts = [np.sin(2 * np.pi * (x * f / wavelength + rng.random())) / f for f in (0.7, 1.0, 1.6)]
    return sum(parts[1:], parts[0])


def _texture(face: _Face, rng: np.random.Generator) -> Image:
    """Pores everywhere, and saw marks on the flank."""
    shape = (len(face.x), face.y.shape[1])
    pores = np.zeros(shape)
    for radius in (0.3, 0.5, 0.8):  # mm
        impulses = (rng.random(shape) < _PORES * PITCH**2 / 3) * rng.uniform(0.08, 0.3, shape)
        sigma = radius / PITCH / 1.5
        pores += gaussian_filter(impulses, sigma) * (2 * np.pi * sigma**2)
    flank = 1.0 / (1.0 + np.exp(-(face.y - face.edge) / 1.0))
    marks = 0.03 * np.sin(2 * np.pi * face.x / rng.uniform(2.6, 3.4) + 0.2 * face.y)
    return flank * marks - pores
