"""Reading tensors from other people's checkpoints without running their code, and writing our own."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.errors import WeightsError
from core.files import written_whole

_WRAPPERS = ("base_model", "state_dict", "model_state_dict", "model", "teacher")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a ``.safetensors`` file or of a torch checkpoint, on the CPU, by name.

    A checkpoint is read with ``weights_only``: it can hold tensors and plain containers, and no code is run. Where the
    tensors sit in a dictionary inside (``base_model``, ``state_dict``, ...), that one is taken. ``module.`` prefixes of
    data-parallel training are dropped.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, holds code, or no tensors.
    """
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}", "Check the path")
    found: Any = _safetensors(path) if path.suffix.lower() == ".safetensors" else _checkpoint(path)
    while isinstance(found, Mapping) and not any(isinstance(value, Tensor) for value in found.values()):
        inner = next((found[key] for key in _WRAPPERS if isinstance(found.get(key), Mapping)), None)
        if inner is None:
            break
        found = inner
    tensors = {}
    if isinstance(found, Mapping):
        tensors = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    if not tensors:
        raise WeightsError(f"{path.name} holds no tensors by name", "Choose a checkpoint of the network's weights")
    return {name.removeprefix("module."): value for name, value in tensors.items()}


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(
            f"{path.name} is no readable safetensors file ({error})", "Copy or download it again"
        ) from error


def _checkpoint(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path.name} holds more than tensors, or is damaged, and was not loaded: it could run code",
            "Use a checkpoint that holds only weights, or a .safetensors file",
        ) from error
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, AttributeError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path.name} is no readable torch checkpoint", "Copy or download it again") from error


def save_weights(
    path: Path,
    tensors: Mapping[str, Tensor],
    card: Mapping[str, Any] | None = None,
    *,
    precision: torch.dtype = torch.float16,
) -> None:
    """Write tensors as safetensors and, beside it, the card as JSON; each whole or not at all.

    Parameters
    ----------
    precision : torch.dtype
        That floating-point tensors are written in.

    Raises
    ------
    OutputError
        If the place cannot be written.
    """
    written = {
        name: tensor.detach().cpu().to(precision if tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in tensors.items()
    }
    with written_whole(path) as temporary:
        save_file(written, temporary)
    if card is not None:
        with written_whole(path.with_suffix(".json")) as temporary:
            temporary.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
