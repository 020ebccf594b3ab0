"""Picking a network's tensors out of a checkpoint, by name and shape, so that nothing is skipped silently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from core.errors import WeightsError

_COUNTER = "num_batches_tracked"


def pick_tensors(
    tensors: Mapping[str, Tensor],
    expected: Mapping[str, tuple[int, ...]],
    *,
    title: str,
    remedy: str,
    unused: Sequence[str] = (),
) -> dict[str, Tensor]:
    """The tensors that a network needs, checked.

    Parameters
    ----------
    tensors : mapping
        A checkpoint's, by name.
    expected : mapping
        Each name of the network's state with its shape. Counters of batch norm may be missing: they are not used.
    title : str
        The network's name in errors.
    remedy : str
        Which checkpoint to choose instead.
    unused : sequence of str
        Beginnings of the names that the published checkpoint holds beside these, such as ``fc.``. Any other name is an
        error: it would mean that the file is of another network.

    Returns
    -------
    dict
        Every expected tensor, float32 (counters int64).

    Raises
    ------
    WeightsError
        If one is missing, of another shape or not finite, or a name is neither expected nor known as unused; says what
        was expected and found.
    """
    missing = [name for name in expected if name not in tensors and not name.endswith(_COUNTER)]
    if missing:
        raise WeightsError(
            f"{len(missing)} of {title}'s {len(expected)} tensors are missing, the first is {missing[0]!r} "
            f"(the file holds {len(tensors)}, the first is {next(iter(tensors), 'none')!r})",
            remedy,
        )
    strange = [name for name in tensors if name not in expected and not name.startswith(tuple(unused))]
    if strange:
        raise WeightsError(
            f"{len(strange)} tensors of the file are not of {title}, the first is {strange[0]!r}", remedy
        )
    picked = {}
    for name, shape in expected.items():
        if name not in tensors:
            picked[name] = torch.zeros(shape, dtype=torch.int64)
            continue
        tensor = tensors[name]
        if tuple(tensor.shape) != tuple(shape):
            raise WeightsError(
                f"{name!r} has the shape {tuple(tensor.shape)} where {tuple(shape)} was expected", remedy
            )
        picked[name] = tensor.long() if name.endswith(_COUNTER) else tensor.float()
        if not bool(torch.isfinite(picked[name]).all()):
            raise WeightsError(f"{name!r} holds values that are not finite", "Copy or download the file again")
    return picked
