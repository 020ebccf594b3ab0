"""Methods that judge by the photograph, by the surface, or by both: which of it a training would use.

Such a method's config has a text field ``mode`` with the choices ``auto``, ``2d+3d``, ``3d`` and ``2d``. Where it also
has a field ``pictures`` and that is ``auto``, images of clouds without a photograph are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.pipelines.config import Config

AUTO, BOTH, SURFACE, PHOTOGRAPH = "auto", "2d+3d", "3d", "2d"


@dataclass(frozen=True)
class ModeUse:
    """What the field ``mode`` means for some scans.

    Attributes
    ----------
    mode : str
        ``2d+3d``, ``3d`` or ``2d``.
    automatic : bool
        Whether it was chosen by what the scans have.
    possible : bool
        Whether the scans have what it takes.
    drawn : bool
        Whether the images are no photographs but drawn of the shape.
    """

    mode: str
    automatic: bool
    possible: bool
    drawn: bool = False


def mode_use(
    config: type[Config], values: Mapping[str, Any], *, images: bool, organised: bool = True
) -> ModeUse | None:
    """The mode that a training would judge in; None for methods that have no modes.

    Parameters
    ----------
    config : type of Config
    values : mapping
        Of the fields; those not named have their default.
    images : bool
        Whether all good scans have a photograph.
    organised : bool
        Whether they have a grid.

    Raises
    ------
    ConfigError
        If a value cannot be taken.
    """
    made = config.from_mapping(values)
    chosen = getattr(made, "mode", None)
    if not isinstance(chosen, str):
        return None
    drawn = getattr(made, "pictures", None) == AUTO and not organised and not images
    mode = chosen if chosen != AUTO else BOTH if images or drawn else SURFACE
    return ModeUse(mode, chosen == AUTO, images or drawn or mode == SURFACE, drawn and mode != SURFACE)
