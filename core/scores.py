"""Scores and score maps: what a pipeline says of a scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

MapKind = Literal["score", "selection", "weight", "label", "height"]
"""What a map's values mean, which decides how it is coloured.

``score`` higher is worse; ``selection`` diverging about 0; ``weight`` a share in 0..1; ``label`` an integer name;
``height`` a signed distance from the reference surface in the scan's unit, above it positive.
"""


@dataclass(frozen=True, eq=False)
class ScoreMap:
    """A named per-point array that a pipeline shows of its inner working.

    Attributes
    ----------
    values : (N,) float32
        One value a point, NaN where the pipeline does not judge.
    title : str
        What the window and the reports call it.
    kind : MapKind
    help : str
        One sentence for the user: what high and low values mean.
    ends : (str, str)
        A word or two for what the lowest and the highest colour stand for; empty for none. Legends show them.
    names : tuple of str
        For labels that are 0, 1, 2, ...: what each is called, all that there can be; empty where they are numbers.
    """

    values: NDArray[np.float32]
    title: str
    kind: MapKind = "score"
    help: str = ""
    ends: tuple[str, str] = ("", "")
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        values = np.ascontiguousarray(self.values, dtype=np.float32)
        values.flags.writeable = False
        object.__setattr__(self, "values", values)


@dataclass(frozen=True, eq=False)
class ChunkScores:
    """The scores of a long scan's chunks, each of which is judged like a part.

    Attributes
    ----------
    of_point : (N,) int32
        The chunk of each point, from 0.
    scores : (K,) float64
        One object score a chunk; the part's is the highest.
    """

    of_point: NDArray[np.int32]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, eq=False)
class Scores:
    """What a pipeline says of a scan, in the order and frame of the scan's points. Raw: never clamped or normalised.

    Attributes
    ----------
    points : (N,) float32
        Higher is more anomalous; NaN where the pipeline does not judge (background, missing).
    object : float
        One number for the whole part.
    maps : mapping of str to ScoreMap
        Keys are short identifiers (``[a-z0-9_]+``) that files use.
    reconstruction : (M, 3) float32, or None
        What the part should have been, in the scan's frame.
    chunks : ChunkScores, or None
        Where the method judges a long scan chunk by chunk.
    notes : tuple of str
        What the user must know before trusting this judgement, in whole sentences.
    """

    points: NDArray[np.float32]
    object: float
    maps: Mapping[str, ScoreMap] = field(default_factory=dict)
    reconstruction: NDArray[np.float32] | None = None
    chunks: ChunkScores | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        points = np.ascontiguousarray(self.points, dtype=np.float32)
        points.flags.writeable = False
        object.__setattr__(self, "points", points)
        for key, shown in self.maps.items():
            if shown.values.shape != points.shape:
                raise ValueError(f"map {key} has shape {shown.values.shape}, the scores {points.shape}")
        if self.chunks is not None and self.chunks.of_point.shape != points.shape:
            raise ValueError(f"chunks of shape {self.chunks.of_point.shape}, the scores {points.shape}")

    @property
    def judged(self) -> NDArray[np.bool_]:
        """(N,) True where the pipeline gave a score."""
        return np.isfinite(self.points)

    @property
    def heights(self) -> NDArray[np.float32] | None:
        """(N,) the first map of kind ``height``, or None if the pipeline has no reference surface."""
        return next((m.values for m in self.maps.values() if m.kind == "height"), None)
