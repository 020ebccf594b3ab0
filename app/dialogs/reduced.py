"""The question whether scans without an image may be judged by shape alone."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from app.dialogs.question import Question
from app.reduced_mode import ReducedMode, Wish

_SHOWN = 5


def reduced_question(wish: Wish, mode: ReducedMode, parent: QWidget | None = None) -> Question:
    """Ask, and tell the mode the answer."""

    def tr(text: str) -> str:
        return QCoreApplication.translate("ReducedQuestion", text)

    count = len(wish.scans)
    names = ", ".join(wish.scans[:_SHOWN]) + (" …" if count > _SHOWN else "")
    one = tr("This scan has {lacking}. Judge it by shape alone?")
    many = tr("{n} scans have {lacking}. Judge them by shape alone?")
    dialog = Question(
        tr("Judge by shape alone"),
        (one if count == 1 else many).format(n=count, lacking=wish.lacking),
        tr("Judge by shape alone"),
        (
            (tr("Scan") if count == 1 else tr("Scans"), names),
            (tr("Model"), tr("{name}, trained with the image").format(name=wish.name)),
            (tr("Seen"), tr("What departs in shape, by thresholds of its own for this mode")),
            (tr("Not seen"), tr("What shows in the image only, such as stains or wrong colours")),
        ),
        tr("Asked once for this model; the verdict says in which mode it was made."),
        parent,
    )
    dialog.accepted.connect(partial(mode.agree, wish))
    dialog.rejected.connect(partial(mode.decline, wish))
    return dialog
