"""Pretrained weights of the 3D expert's network."""

from __future__ import annotations

from core.backbones.checkpoints import read_tensors
from core.backbones.weights import WeightSet, default_weights, find
from core.errors import WeightsError
from core.pipelines.iaenet.sdf import PatchSdf, load_sdf
from core.runtime import Runtime

ARCHITECTURE = "pointnet_sdf"
"""What cards call the network."""


def pretrained(name: str = "auto", runtime: Runtime | None = None) -> tuple[PatchSdf, WeightSet]:
    """The weights of that name, by default the best on this computer, to start from or to use as they are.

    Raises
    ------
    WeightsError
        If they are not here, or are another network's.
    """
    chosen = default_weights(ARCHITECTURE) if name == "auto" else find(name)
    assert chosen.path is not None
    try:
        model = load_sdf(read_tensors(chosen.path), (runtime or Runtime.choose("cpu")).device)
    except RuntimeError as error:
        raise WeightsError(
            f"The weights {chosen.name!r} are not those of a patch distance field", "Choose another set"
        ) from error
    return model, chosen
