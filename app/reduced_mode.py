"""Judging scans that lack something of what their model was trained with: asked once, remembered for this run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

if TYPE_CHECKING:
    from app.session import Session

_MARK = " (by shape alone)"


def threshold_key(model: Path, reduced: bool) -> Path:
    """What a model's thresholds go by: each of its modes has its own."""
    return model.with_name(model.name + _MARK) if reduced else model


def of_threshold_key(key: Path) -> tuple[Path, bool]:
    """The model, and whether its reduced mode is meant."""
    return (key.with_name(key.name.removesuffix(_MARK)), True) if key.name.endswith(_MARK) else (key, False)


@dataclass(frozen=True, eq=False)
class Wish:
    """Scans that could be judged by less, if the user agrees.

    Attributes
    ----------
    model : Path
    name : str
        What the model is called.
    lacking : str
        Such as "no RGB image".
    scans : tuple of str
    then : callable
        What is done after a yes.
    """

    model: Path
    name: str
    lacking: str
    scans: tuple[str, ...]
    then: Callable[[], None]


class ReducedMode(QObject):
    """Who may judge without what a scan lacks.

    Signals
    -------
    wanted(Wish)
        The user should say whether; ``agree`` or ``decline`` with it.
    """

    wanted = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._agreed: set[Path] = set()
        self._declined: set[Path] = set()
        self._open: Wish | None = None

    def allowed(self, model: Path | None) -> bool:
        """Whether the user agreed for this model."""
        return model in self._agreed

    def settled(self, model: Path | None) -> bool:
        """Whether the user was asked for this model, so that nothing asks again by itself."""
        return model in self._agreed or model in self._declined

    def ask(self, wish: Wish) -> None:
        """Have the user asked, unless a question is open."""
        if self._open is None:
            self._open = wish
            self.wanted.emit(wish)

    def agree(self, wish: Wish) -> None:
        """Judge these scans by less, and those to come."""
        self._open = None
        self._declined.discard(wish.model)
        self._agreed.add(wish.model)
        wish.then()

    def decline(self, wish: Wish) -> None:
        """Leave them unjudged; the user can still ask for it."""
        self._open = None
        self._declined.add(wish.model)
