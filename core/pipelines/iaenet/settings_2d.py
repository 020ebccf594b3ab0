"""The constants of the 2D expert."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings2D:
    """How the 2D expert describes and judges.

    Attributes
    ----------
    fpfh_radius : float
        Of the descriptor's neighbourhood, in millimetres.
    fpfh_neighbors : int
        At most so many nearest points in it.
    neighbors : int
        k2, vectors that a vector is rebuilt from.
    nonzeros : int
        Of these with a weight.
    linked : bool
        Whether only vectors are searched that the found codes refer to, or the whole bank.
    blur : float
        Standard deviation of the maps' Gaussian, in pixels.
    held : bool
        Whether maps end at the part's outline, so that the blur brings in nothing from outside, or are 0 there.
    relative : bool
        Whether residuals are lessened by those of the good vectors that were found.
    highest : bool
        Whether a point takes the highest of the views that see it, or their mean.
    facing : bool
        Whether in that mean views count by the squared cosine under which they see the point.
    steadiness : float
        Places count half where good scans differ by so many usual spreads; used where the memory has spreads.
    """

    fpfh_radius: float
    fpfh_neighbors: int
    neighbors: int
    nonzeros: int
    linked: bool
    blur: float
    held: bool
    relative: bool
    highest: bool
    facing: bool
    steadiness: float
