"""Taking weights from a file of the user's into the user's weights folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from torch import Tensor

from core.backbones.checkpoints import read_tensors, save_weights
from core.backbones.point_mae import point_mae_tensors
from core.backbones.weights import WeightSet, file_sha256, find, known_weights, weights_folder
from core.errors import WeightsError

ARCHITECTURES: Mapping[str, Callable[[Mapping[str, Tensor]], dict[str, Tensor]]] = MappingProxyType(
    {"point_mae": point_mae_tensors}
)
"""Each architecture with what picks its tensors out of a checkpoint, or says by a ``WeightsError`` why it cannot."""


def import_weights(path: Path, *, name: str | None = None) -> WeightSet:
    """Bring a checkpoint into the user's weights folder as float16 safetensors.

    What it is follows from the names and shapes of its tensors, not from the file's name.

    Parameters
    ----------
    path : Path
        ``.safetensors``, or a torch checkpoint that holds nothing but tensors, such as the official Point-MAE
        ``pretrain.pth``.
    name : str, optional
        The name of the set: one that the program knows (``point_mae-shapenet``), or one's own. If not given, the
        architecture and the first digits of the file's SHA-256.

    Returns
    -------
    WeightSet
        The set as it now lies in the folder.

    Raises
    ------
    WeightsError
        If the file is unreadable or of no known network (what was expected and found is said), or the name is bad.
    OutputError
        If the folder cannot be written.
    """
    tensors = read_tensors(path)
    architecture, fitted = _identify(path, tensors)
    sha256 = file_sha256(path)
    name = name or f"{architecture}-{sha256[:8]}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}", name):
        raise WeightsError(f"{name!r} cannot name weights", "Use letters, digits, '.', '_' and '-'")
    known = next((w for w in known_weights() if w.name == name), None)
    if known is not None and known.architecture != architecture:
        raise WeightsError(
            f"{path.name} holds {architecture}, but {name!r} is {known.architecture}", "Use another name"
        )
    if known is not None and known.origin == "shipped":
        raise WeightsError(f"{name!r} is the name of a set that ships with the program", "Use another name")
    card = {
        "title": known.title if known else f"Imported from {path.name}",
        "architecture": architecture,
        "licence": known.licence if known else "unknown",
        "source": known.source if known else path.name,
        "imported file": path.name,
        "imported file sha256": sha256,
    }
    save_weights(weights_folder() / f"{name}.safetensors", fitted, card)
    return find(name)


def _identify(path: Path, tensors: Mapping[str, Tensor]) -> tuple[str, dict[str, Tensor]]:
    reasons = []
    for architecture, pick in ARCHITECTURES.items():
        try:
            return architecture, pick(tensors)
        except WeightsError as error:
            reasons.append(f"{architecture}: {error.problem.rstrip('.')}")
    raise WeightsError(
        f"{path.name} holds weights of no network that Nominal uses ({'; '.join(reasons)})",
        "Choose a checkpoint of one of: " + ", ".join(ARCHITECTURES),
    )
