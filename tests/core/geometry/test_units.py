from __future__ import annotations

import pytest

from core.geometry.units import UNITS_IN_MM, from_mm


@pytest.mark.parametrize(("unit", "length"), [("um", 25_400), ("mm", 25.4), ("cm", 2.54), ("m", 0.0254), ("inch", 1)])
def test_an_inch_in_every_unit(unit, length):
    assert from_mm(25.4, unit) == pytest.approx(length)


def test_unknown_unit_is_refused():
    assert set(UNITS_IN_MM) == {"um", "mm", "cm", "m", "inch"}
    with pytest.raises(ValueError, match="furlong"):
        from_mm(1, "furlong")
