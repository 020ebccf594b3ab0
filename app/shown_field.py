"""What the view shows of a result, as a field: the chosen map, or the difference of two."""

from __future__ import annotations

import dataclasses

from PySide6.QtCore import QCoreApplication

from app.fields import DIFFERENCE, field_of
from app.session import Session
from app.viewer.field import Field


def shown_field(session: Session, limits: tuple[float, float] | None) -> Field | None:
    """The field over ``limits`` or the range of its kind; None without a result."""
    displayed = session.comparison.displayed()
    if displayed is None or session.scan is None:
        return None
    key, shown = displayed
    field = field_of(key, shown, session.scan.unit, session.calibration, limits)
    if key == DIFFERENCE:  # the ends of the legend say in which
        field = dataclasses.replace(field, title=QCoreApplication.translate("ViewLink", "More in"))
    return field
