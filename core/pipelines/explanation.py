"""What a method shows to justify the score of one point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Explanation:
    """The good surface that a place was compared with.

    Attributes
    ----------
    title : str
        A few words, for a heading.
    text : str
        What was compared with what and how far they differ, in the user's words.
    source : str
        Name of the good scan that the surface is from.
    points : (k, 3) float32
        The good surface where it was measured, in the good scan's frame and unit.
    placed : (k, 3) float32
        The same moved onto the picked place, in the judged scan's frame and unit.
    distance : float
        How unlike the picked place and the good surface are, in the method's own measure.
    """

    title: str
    text: str
    source: str
    points: NDArray[np.float32]
    placed: NDArray[np.float32]
    distance: float
