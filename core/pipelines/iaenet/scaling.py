"""Bringing both experts' scores to one scale, so that they can be compared and fused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def alignment(of: NDArray[np.floating], onto: NDArray[np.floating]) -> tuple[float, float]:
    """Factor w and offset b by which mean ± 3 standard deviations of scores ``of`` come to lie on those of ``onto``.

    w = s_onto / s_of, b = m_onto - w m_of (Shape-Guided's alignment of its 2D scores with the 3D ones).
    """
    spread = float(np.std(of, dtype=np.float64))
    factor = float(np.std(onto, dtype=np.float64)) / spread if spread > 0 else 1.0
    return factor, float(np.mean(onto, dtype=np.float64)) - factor * float(np.mean(of, dtype=np.float64))


@dataclass(frozen=True, eq=False)
class Scaling:
    """``factor * x + offset`` for each expert, 3D first; cut to 0..1 if ``clip``.

    Attributes
    ----------
    factor, offset : (2,) float64
    clip : bool
    """

    factor: NDArray[np.float64]
    offset: NDArray[np.float64]
    clip: bool

    @classmethod
    def learn(cls, maps: Sequence[Floats], mode: str, top: float, clip: bool) -> Scaling:
        """From the category's training maps.

        Parameters
        ----------
        maps : sequence of (n, 2) float32
            X1 and X2 of points.
        mode : "minmax", "aligned" or "none"
            Each expert's least becomes 0 and its highest 1; or X2 is first aligned with X1 and both then share
            X1's scale; or nothing changes.
        top : float
            Share of the points that may lie above 1; 0 takes the highest.
        """
        if mode == "none":
            return cls(np.ones(2), np.zeros(2), clip)
        table = np.concatenate(maps).astype(np.float64)
        low, high = table.min(axis=0), np.quantile(table, 1.0 - top, axis=0)
        factor = 1.0 / np.maximum(high - low, 1e-12)
        offset = -low * factor
        if mode == "aligned":
            w, b = alignment(table[:, 1], table[:, 0])
            factor = factor[0] * np.array([1.0, w])
            offset = np.array([offset[0], offset[0] + b * factor[0]])
        return cls(factor, offset, clip)

    def __call__(self, maps: NDArray[np.floating]) -> Floats:
        """(n, 2) scaled."""
        scaled = maps * self.factor + self.offset
        return (np.clip(scaled, 0.0, 1.0) if self.clip else scaled).astype(np.float32)

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        return {"factor": self.factor, "offset": self.offset, "clip": np.array(self.clip)}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Scaling:
        """What ``state`` gave."""
        return cls(np.asarray(state["factor"]), np.asarray(state["offset"]), bool(state["clip"]))
