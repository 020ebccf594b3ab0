"""What the view is asked to show: a field of values, and the mode it is shown in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.scores import MapKind


class ViewMode(StrEnum):
    """How the points are coloured."""

    HEATMAP = "heatmap"  # by the field; the marked region is contoured
    MASK = "mask"  # marked points in one colour on a plain part
    RGB = "rgb"  # as the sensor saw them; the marked region is contoured
    PLAIN = "plain"  # shape alone
    GROUND_TRUTH = "ground_truth"  # labels, and how the mask agrees with them


@dataclass(frozen=True, eq=False)
class Field:
    """One value a point, and how to read it.

    Attributes
    ----------
    values : (N,) floating
        NaN where nothing is known; drawn grey.
    title : str
        What the colour bar is headed with.
    kind : MapKind
        Decides the colours: ``score`` and ``weight`` sequential, ``selection`` and ``height`` diverging about 0 (the
        range is made symmetric), ``label`` one colour a name.
    low, high : float
        Values at the ends of the colour bar. Beyond them the end colours hold. Ignored for ``label``.
    unit : str
        Shown behind the title; empty for none.
    ends : (str, str)
        Words for the lowest and the highest colour; empty for none.
    names : tuple of str
        Of labels that are 0, 1, 2, ...: what each is called, the first being nothing special; empty for numbers.
    """

    values: NDArray[np.floating]
    title: str
    kind: MapKind = "score"
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    ends: tuple[str, str] = ("", "")
    names: tuple[str, ...] = ()

    @property
    def diverging(self) -> bool:
        """Whether 0 is the middle of the colours."""
        return self.kind in ("selection", "height")


class Outlined(Protocol):
    """What the view needs of a defect."""

    @property
    def id(self) -> int: ...

    @property
    def position(self) -> Sequence[float] | NDArray[np.floating]: ...

    @property
    def bounds(self) -> Sequence[Sequence[float]] | NDArray[np.floating]: ...
