"""How a verdict looks: word, icon and colours, never colour alone."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from app.translation import QT_TRANSLATE_NOOP
from core.inspection.verdict import Verdict


@dataclass(frozen=True)
class Look:
    """The banner of a verdict: ``ground`` and ``ink`` are the same in both themes, their contrast is at least 4.5."""

    word: str
    icon: str
    ground: str
    ink: str


_LOOKS = {
    Verdict.ACCEPT: Look(QT_TRANSLATE_NOOP("Verdict", "ACCEPT"), "accept", "#1a7f37", "#ffffff"),
    Verdict.REVIEW: Look(QT_TRANSLATE_NOOP("Verdict", "REVIEW"), "review", "#f5b721", "#1b1400"),
    Verdict.REJECT: Look(QT_TRANSLATE_NOOP("Verdict", "REJECT"), "reject", "#b3261e", "#ffffff"),
}


def look(verdict: Verdict) -> Look:
    """The banner's word (in the user's language), icon and colours."""
    found = _LOOKS[verdict]
    return Look(QCoreApplication.translate("Verdict", found.word), found.icon, found.ground, found.ink)


def mode_line(lacking: str) -> str:
    """In which mode a scan that lacked this was judged; empty where it lacked nothing."""
    if not lacking:
        return ""
    return QCoreApplication.translate("Verdict", "By shape alone: {lacking}").format(lacking=lacking)


def meaning(verdict: Verdict) -> str:
    """The decision rule that led to the verdict, in words."""
    return {
        Verdict.ACCEPT: QCoreApplication.translate("Verdict", "The object score lies below the part threshold."),
        Verdict.REVIEW: QCoreApplication.translate(
            "Verdict", "The object score lies within the review band around the part threshold: a person decides."
        ),
        Verdict.REJECT: QCoreApplication.translate("Verdict", "The object score lies above the part threshold."),
    }[verdict]
