"""Numbers as the window writes them: in the user's locale, with as many digits as they carry."""

from __future__ import annotations

import math

from PySide6.QtCore import QLocale

NOTHING = "–"


def number(value: float | None, digits: int = 4) -> str:
    """``value`` with ``digits`` significant digits; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value != 0 and not 1e-4 <= abs(value) < 1e7:
        return QLocale().toString(float(value), "e", digits - 1)
    return QLocale().toString(float(value), "f", decimals(value, digits))


def decimals(value: float, digits: int = 4) -> int:
    """Decimal places that show ``value`` with ``digits`` significant digits, at most eight."""
    if value == 0 or not math.isfinite(value):
        return digits - 1
    return min(8, max(0, digits - 1 - math.floor(math.log10(abs(value)))))


def count(value: int) -> str:
    """A whole number with the locale's thousands separators."""
    return QLocale().toString(int(value))


def percent(share: float) -> str:
    """A share as per cent."""
    return f"{number(100 * share, 2 if share >= 0.01 else 1)} %"


def duration(seconds: float) -> str:
    """Seconds in words that fit a status bar."""
    if seconds < 10:
        return f"{number(seconds, 2)} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{number(minutes / 60, 2)} h"
