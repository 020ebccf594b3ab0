"""Lengths in the units that scans come in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

UNITS_IN_MM: Mapping[str, float] = MappingProxyType({"um": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1e3, "inch": 25.4})
"""Millimetres in one of each unit that a ``Scan`` may have."""


def from_mm(length: float, unit: str) -> float:
    """``length`` in millimetres, expressed in ``unit``.

    Raises
    ------
    ValueError
        If ``unit`` is none of ``UNITS_IN_MM``.
    """
    if unit not in UNITS_IN_MM:
        raise ValueError(f"unit {unit!r} is none of {', '.join(UNITS_IN_MM)}")
    return length / UNITS_IN_MM[unit]
