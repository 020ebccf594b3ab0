"""The models that a consensus is of."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from core.errors import ModelError
from core.inspection.common_parts import CommonParts
from core.inspection.held_out import HeldOut
from core.pipelines.base import Pipeline
from core.pipelines.registry import pipeline_class
from core.pipelines.state import below, joined, packed, text
from core.runtime import Runtime
from core.store.model_file import ModelCard

_CARD, _STATE, _HELD_OUT = "card", "state", "good_parts"


@dataclass(frozen=True, eq=False)
class Member:
    """A fitted model that votes.

    Attributes
    ----------
    card : ModelCard
    pipeline : Pipeline
    held_out : HeldOut or None
        What it said of the good parts that it was not fitted on; None where it does not know them one by one.
    """

    card: ModelCard
    pipeline: Pipeline
    held_out: HeldOut | None

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything as plain arrays."""
        known = self.held_out.state() if self.held_out is not None else {}
        groups = {_STATE: self.pipeline.state(), _HELD_OUT: known}
        return {_CARD: packed(json.dumps(dataclasses.asdict(self.card))), **joined(groups)}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]], runtime: Runtime) -> Member:
        """What ``state`` gave."""
        card = ModelCard(**json.loads(text(state[_CARD])))
        method = pipeline_class(card.pipeline)
        pipeline = method(method.Config.from_mapping(card.config), replace(runtime, seed=card.seed))
        pipeline.load_state(below(state, _STATE))
        return cls(card, pipeline, HeldOut.from_state(below(state, _HELD_OUT)))


@dataclass(frozen=True, eq=False)
class Jury:
    """Members that were calibrated on the same good parts.

    Attributes
    ----------
    members : tuple of m Member
    titles, keys : tuple of m str
        What users, and what files call each; no two the same.
    parts : CommonParts
    """

    members: tuple[Member, ...]
    titles: tuple[str, ...]
    keys: tuple[str, ...]
    parts: CommonParts

    @classmethod
    def of(cls, members: Sequence[Member]) -> Jury:
        """From members in the order in which they are to run.

        Raises
        ------
        ModelError
            If they are fewer than two, of different units, or not calibrated on the same good parts.
        """
        titles = _distinct([title_of(member.card) for member in members], " {}")
        if len(members) < 2:
            raise ModelError("A consensus needs two models or more", "Train the category with another method")
        units = {member.card.unit for member in members}
        if len(units) > 1:
            raise ModelError(
                f"{' and '.join(titles)} are of parts in different units ({', '.join(sorted(units))})",
                "Combine models of one category",
            )
        keys = _distinct([member.card.pipeline for member in members], "_{}")
        held_out = {title: member.held_out for title, member in zip(titles, members, strict=True)}
        return cls(tuple(members), titles, keys, CommonParts.of(held_out))


def title_of(card: ModelCard) -> str:
    """A model's name without its category's."""
    return card.name.removeprefix(card.category).strip() or card.name


def _distinct(names: Sequence[str], form: str) -> tuple[str, ...]:
    """The names, those that come again with a number."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else name + form.format(seen[name]))
    return tuple(found)
