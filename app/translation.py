"""Marking texts for translation where no object can translate them yet."""

from __future__ import annotations


def QT_TRANSLATE_NOOP(context: str, text: str) -> str:
    """``text`` unchanged; the name is what Qt's ``lupdate`` looks for. (PySide's own is untyped.)"""
    return text
