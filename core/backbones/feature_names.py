"""Names of features as configs and models hold them: ``PART+PART+...``, and what there is to choose from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.backbones import weights
from core.backbones.weights import WeightSet
from core.errors import WeightsError

RANDOM = "random:"
AUTO = "auto"


@dataclass(frozen=True)
class FeatureChoice:
    """One entry of the window's list.

    Attributes
    ----------
    name : str
        What a config holds.
    title, note : str
        For people: what it is, and what should be known before choosing it.
    available : bool
        Whether it can be used now; if not, ``note`` says what is missing.
    """

    name: str
    title: str
    note: str
    available: bool


def concrete_parts(name: str, resolved: Callable[[str], str]) -> tuple[str, ...]:
    """The parts of a name, each once, in order, with every ``auto`` replaced by the parts of what it means.

    Parameters
    ----------
    name : str
    resolved : callable
        What an ``auto`` or ``auto:...`` stands for; itself free of them.

    Raises
    ------
    WeightsError
        If the name or one of its parts is empty.
    """
    parts: list[str] = []
    for part in name.split("+"):
        part = part.strip()
        parts += resolved(part).split("+") if part == AUTO or part.startswith(AUTO + ":") else [part]
    if not all(parts):
        raise WeightsError(f"{name!r} names no features", "Name one, or several joined by '+'")
    return tuple(dict.fromkeys(parts))


def first_usable(preferences: Sequence[str], architectures: Sequence[str], built_in: Sequence[str]) -> str:
    """The first name whose parts can all be used on this computer; the last where there is none.

    Parameters
    ----------
    preferences : sequence of str
        Without ``auto``.
    architectures : sequence of str
        A weight set counts only where its network is one of these.
    built_in : sequence of str
        Parts that need no weights.
    """
    here = {known.name for known in weights.available_weights() if known.architecture in architectures} | set(built_in)
    return next((name for name in preferences if here.issuperset(name.split("+"))), preferences[-1])


def find_weights(name: str, architectures: Sequence[str], built_in: Sequence[str]) -> WeightSet:
    """The available set of that name, if it belongs to one of the networks.

    Raises
    ------
    WeightsError
        If it is missing (and where to get it), unknown, or of another kind of network.
    """
    known = {one.name for one in weights.known_weights()}
    if name not in known:
        here = [one.name for one in weights.available_weights() if one.architecture in architectures]
        raise WeightsError(f"There are no features named {name!r}", "Use one of: " + ", ".join([*built_in, *here]))
    found = weights.find(name)
    if found.architecture not in architectures:
        raise WeightsError(
            f"The weights {name!r} are of {found.architecture}, which cannot be used here",
            "Choose weights of one of: " + ", ".join(architectures),
        )
    return found


def weight_choices(architectures: Sequence[str]) -> tuple[FeatureChoice, ...]:
    """Every known weight set of these networks, here or missing."""
    choices = []
    for known in weights.known_weights():
        if known.architecture in architectures:
            note = f"Licence: {known.licence}" if known.available else f"Not on this computer. From {known.source}"
            choices.append(FeatureChoice(known.name, known.title, note, known.available))
    return tuple(choices)
