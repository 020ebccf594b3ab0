"""How pipelines lay out what they have fitted: plain arrays under names whose slashes group them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.backbones.weights import find, verify
from core.errors import ModelError

State = Mapping[str, NDArray[Any]]

_WEIGHTS = "weights"


def joined(groups: Mapping[str, State]) -> dict[str, NDArray[Any]]:
    """The arrays of all groups, each named ``group/name``."""
    return {f"{group}/{name}": value for group, own in groups.items() for name, value in own.items()}


def below(state: State, group: str) -> dict[str, NDArray[Any]]:
    """The arrays of one group by their own names; empty where there is no such group."""
    prefix = f"{group}/"
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def packed(text: str) -> NDArray[Any]:
    """A text as an array, which every model file can hold."""
    return np.array(text.encode())


def text(value: Any) -> str:
    """The text of an array that ``packed`` made."""
    item = np.asarray(value).item()
    return item.decode() if isinstance(item, bytes) else str(item)


def packed_weights(weights: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """The backbone weights in use, set name to SHA-256, as a group of their own."""
    return joined({_WEIGHTS: {name: packed(sha256) for name, sha256 in weights.items()}})


def verify_weights(state: State) -> None:
    """Check that what ``packed_weights`` named is on this computer and unchanged.

    Raises
    ------
    WeightsError
    """
    for name, sha256 in below(state, _WEIGHTS).items():
        verify(find(name), text(sha256))


@contextmanager
def reading() -> Iterator[None]:
    """Turns what a damaged or foreign state makes fail inside into an error for the user.

    Raises
    ------
    ModelError
    """
    try:
        yield
    except (KeyError, IndexError, ValueError, TypeError, RuntimeError) as error:
        raise ModelError(
            f"The model's state is incomplete or of other settings ({error})", "Train the category again"
        ) from error
