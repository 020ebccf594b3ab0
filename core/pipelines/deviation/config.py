"""The settings of the deviation pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from core.pipelines.config import Config, setting


@dataclass(frozen=True)
class DeviationConfig(Config):
    """Constants of ``deviation``. There is no paper: the defaults are this project's own."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {},
        "fast": {"max_points": 60_000, "rounds": 1},
    }

    pose: Literal["auto", "fixed", "any"] = setting(
        "auto",
        "How parts lie in the scanner: close to one pose, in any pose, or found out from the good scans",
        choices=("auto", "fixed", "any"),
    )
    background: Literal["auto", "none", "plane"] = setting(
        "auto",
        "What to take off before comparing: nothing, the plane the part stands on, or found out from the good scans",
        choices=("auto", "none", "plane"),
    )
    rounds: int = setting(
        2,
        "How often the good scans are registered: first to one of them, then to what they have in common",
        unit="rounds",
        low=1,
        high=5,
    )
    step: float = setting(
        0.0, "Spacing of the nominal surface's points, in the scans' unit; 0 takes the scans' own spacing", low=0.0
    )
    max_points: int = setting(
        400_000, "The nominal surface is thinned to about this many points", unit="points", low=1000, high=5_000_000
    )
    neighbours: int = setting(
        6, "Nearest points of the nominal surface that a point is compared with", unit="points", low=1, high=50
    )
    smoothing: float = setting(
        2.5,
        "Deviations are averaged over this radius on the scan: wider finds fainter, larger defects; 0 turns it off",
        unit="point spacings",
        low=0.0,
        high=8.0,
    )
    shrink: float = setting(
        4.0,
        "How many scans the spread of places that bend alike counts for beside the spread at one place",
        unit="scans",
        low=0.0,
        high=100.0,
    )
    beyond: float = setting(
        12.0,
        "Surface that goes on for more than this beyond where all good scans ended is not judged: none of them showed "
        "it. Less than this is judged as a burr",
        unit="point spacings",
        low=0.0,
        high=1000.0,
    )
    top: float = setting(
        0.001,
        "The object score is the mean of this share of the point scores, the highest after smoothing",
        unit="share",
        low=0.0,
        high=1.0,
    )
