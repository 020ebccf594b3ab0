"""Python 3.11 survives what Qt for Python takes from its constants."""

from __future__ import annotations

import sys

import pytest
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from app.constants_held import hold_constants

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 12), reason="constants are immortal")


def test_no_session_uses_up_the_constants(qtbot: QtBot) -> None:
    hold_constants()
    first = sys.getrefcount(None)
    hold_constants()
    for constant in (None, True, False):
        assert 1 << 39 < sys.getrefcount(constant) < 1 << 41, "held once, however often it is asked for"
    box = QComboBox()
    qtbot.addWidget(box)
    for _ in range(1000):
        box.currentData()
    assert abs(sys.getrefcount(None) - first) < 1 << 20
