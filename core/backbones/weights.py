"""Which backbone weights there are, and where they lie.

A set is looked for in the user's weights folder first, then among those that ship with the program. In both, weights
are a ``.safetensors`` file with a ``.json`` card of the same name beside it. Sets that are published elsewhere are
known by their source, so that the window can say where to get them.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from core.errors import WeightsError
from core.folders import data_folder

Origin = Literal["shipped", "user", "missing"]


@dataclass(frozen=True)
class WeightSet:
    """Weights of one backbone.

    Attributes
    ----------
    name : str
        What a model remembers it by, such as ``point_mae-nominal``; also its file's name without the ending.
    title : str
        For people.
    architecture : str
        The network it belongs to: ``point_mae``.
    licence, source : str
        Under which terms it may be used, and where it comes from.
    path : Path, optional
        Where it lies on this computer; None while it does not.
    origin : str
        ``shipped``, ``user`` (in the user's weights folder) or ``missing``.
    card : mapping
        What its maker says of it: data, steps, loss, probe; empty if nothing.
    """

    name: str
    title: str
    architecture: str
    licence: str
    source: str
    path: Path | None = None
    origin: Origin = "missing"
    card: Mapping[str, Any] | None = None

    @property
    def sha256(self) -> str:
        """SHA-256 of the file, in hexadecimal; empty while it is missing."""
        return "" if self.path is None else file_sha256(self.path)

    @property
    def size(self) -> int:
        """Bytes of the file; 0 while it is missing."""
        return 0 if self.path is None else self.path.stat().st_size

    @property
    def available(self) -> bool:
        return self.path is not None

    def __hash__(self) -> int:
        return hash((self.name, self.path))


_KNOWN = (
    WeightSet(
        "point_mae-shapenet",
        "Point-MAE, official (ShapeNet, 300 epochs)",
        "point_mae",
        "MIT; trained on ShapeNet, whose terms allow research only",
        "https://github.com/Pang-Yatian/Point-MAE/releases/download/main/pretrain.pth",
    ),
    WeightSet(
        "point_mae-nominal",
        "Point-MAE, trained by Nominal on procedural and open shapes",
        "point_mae",
        "Apache-2.0",
        "Ships with Nominal; made by its verb 'pretrain'",
    ),
)
"""In order of preference."""


def weights_folder() -> Path:
    """The user's weights folder, ``$NOMINAL_WEIGHTS`` if set. It need not exist."""
    chosen = os.environ.get("NOMINAL_WEIGHTS")
    return Path(chosen) if chosen else data_folder() / "weights"


def shipped_folder() -> Path:
    """Where the sets that ship lie."""
    return Path(str(importlib.resources.files("resources").joinpath("weights")))


def known_weights() -> tuple[WeightSet, ...]:
    """Every set the program knows of: published ones, shipped ones and the user's own, here or missing.

    Published sets come first in order of preference, then the user's own by name.
    """
    found: dict[str, WeightSet] = {}
    folders: tuple[tuple[Path, Origin], ...] = ((weights_folder(), "user"), (shipped_folder(), "shipped"))
    for folder, origin in folders:
        if folder.is_dir():
            for path in sorted(folder.glob("*.safetensors")):
                made = _from_file(path, origin)
                if made is not None:
                    found.setdefault(made.name, made)
    table = [_placed(known, found.pop(known.name, None)) for known in _KNOWN]
    return (*table, *sorted(found.values(), key=lambda w: w.name))


def available_weights(architecture: str | None = None) -> tuple[WeightSet, ...]:
    """The sets that lie on this computer, of one architecture or of all, best first."""
    return tuple(w for w in known_weights() if w.available and architecture in (None, w.architecture))


def default_weights(architecture: str) -> WeightSet:
    """The set to use where the user has chosen none: the first available one.

    Raises
    ------
    WeightsError
        If there is none of this architecture.
    """
    sets = available_weights(architecture)
    if not sets:
        elsewhere = [w.source for w in known_weights() if w.architecture == architecture]
        raise WeightsError(
            f"There are no {architecture} weights on this computer",
            f"Import weights, for example from {elsewhere[0]}" if elsewhere else "Import weights",
        )
    return sets[0]


def find(name: str) -> WeightSet:
    """The available set of that name.

    Raises
    ------
    WeightsError
        If there is none; the message says where to get it if the program knows.
    """
    known = {w.name: w for w in known_weights()}
    chosen = known.get(name)
    if chosen is not None and chosen.available:
        return chosen
    if chosen is not None:
        raise WeightsError(
            f"The weights {name!r} are not on this computer",
            f"Get them from {chosen.source} and import the file under this name",
        )
    here = ", ".join(w.name for w in available_weights()) or "none"
    raise WeightsError(f"There are no weights named {name!r}", f"Import them, or use one of: {here}")


def verify(weights: WeightSet, sha256: str) -> None:
    """Check that a set is the one that a model was fitted with.

    Raises
    ------
    WeightsError
        If its file has another SHA-256.
    """
    if weights.sha256 != sha256:
        raise WeightsError(
            f"The weights {weights.name!r} on this computer (SHA-256 {weights.sha256[:12]}…) are not those of the "
            f"model ({sha256[:12]}…)",
            "Import the weights the model was trained with, or train it again",
        )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal; remembered until the file changes.

    Raises
    ------
    WeightsError
        If it cannot be read.
    """
    try:
        status = path.stat()
        return _sha256(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror or error})", "Check the file") from error


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _placed(known: WeightSet, found: WeightSet | None) -> WeightSet:
    """A set of the table, with the file that was found for it, if any."""
    if found is None or found.architecture != known.architecture:
        return known
    return replace(known, path=found.path, origin=found.origin, card=found.card)


def _from_file(path: Path, origin: Origin) -> WeightSet | None:
    """The set in a file with a card; None where the card is missing or says no architecture."""
    try:
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(card, dict) or not isinstance(card.get("architecture"), str):
        return None
    return WeightSet(
        path.stem,
        str(card.get("title", path.stem)),
        card["architecture"],
        str(card.get("licence", "unknown")),
        str(card.get("source", "unknown")),
        path,
        origin,
        card,
    )
