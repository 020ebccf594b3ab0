"""A guard against a fault of Qt for Python on Python before 3.12.

PySide6 6.12 gives back None, True and False from its methods without counting the reference (measured: about 40 for
each picture of the view). From Python 3.12 on these objects are immortal (PEP 683) and nothing happens; on 3.11 their
count runs out after some thousand pictures, and Python ends the program with "deallocating None".
"""

from __future__ import annotations

import ctypes
import sys

_MANY = 1 << 40
"""References that no session uses up."""


def hold_constants() -> None:
    """Make None, True and False as good as immortal, as later versions of Python do. Harmless when repeated."""
    if sys.implementation.name != "cpython" or sys.version_info >= (3, 12):
        return
    for constant in (None, True, False):
        references = ctypes.c_ssize_t.from_address(id(constant))  # the first field of every object of this CPython
        if abs(references.value - sys.getrefcount(constant)) < 100 and references.value < _MANY // 2:
            references.value += _MANY
