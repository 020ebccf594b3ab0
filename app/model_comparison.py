"""Which of a category's models did best on validation parts, from what their cards say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.store.library import ModelEntry
from core.store.validation_score import ValidationScore, best_of


def validation_of(entry: ModelEntry) -> ValidationScore | None:
    """How a model did, None where it was not measured."""
    return None if entry.card is None else ValidationScore.from_mapping(entry.card.validation)


def best_models(entries: Sequence[ModelEntry]) -> frozenset[Path]:
    """The models of one category that did best, ``entries`` being the newest first; empty where there is no rival."""
    usable = [entry for entry in entries if entry.card is not None and entry.problem is None]
    return frozenset(usable[i].path for i in best_of([validation_of(entry) for entry in usable]))
