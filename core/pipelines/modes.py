"""Methods that judge by the photograph, by the surface, or by both: which of it a training would use.

Such a method's config has a text field ``mode`` with the choices ``auto``, ``2d+3d``, ``3d`` and ``2d``.
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
    """

    mode: str
    automatic: bool
    possible: bool


def mode_use(config: type[Config], values: Mapping[str, Any], *, images: bool) -> ModeUse | None:
    """The mode that a training would judge in; None for methods that have no modes.

    Parameters
    ----------
    config : type of Config
    values : mapping
        Of the fields; those not named have their default.
    images : bool
        Whether all good scans have a photograph.

    Raises
    ------
    ConfigError
        If a value cannot be taken.
    """
    chosen = getattr(config.from_mapping(values), "mode", None)
    if not isinstance(chosen, str):
        return None
    if chosen == AUTO:
        return ModeUse(BOTH if images else SURFACE, automatic=True, possible=True)
    return ModeUse(chosen, automatic=False, possible=images or chosen == SURFACE)
