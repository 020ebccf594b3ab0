"""Features of images by name: what a config names, a model stores and a pipeline is given.

A name is one part or several joined by ``+``. A part is ``oriented_energy`` (needs no weights), the name of a weight
set (see ``core.backbones.weights``), ``random:`` and an architecture, or ``auto:rgb`` / ``auto:rendered``, which is
resolved at once to the best that this computer has, see ``core.backbones.defaults``.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.backbones.defaults import IMAGE_PREFERENCES, Modality
from core.backbones.feature_names import (
    AUTO,
    RANDOM,
    FeatureChoice,
    concrete_parts,
    find_weights,
    first_usable,
    weight_choices,
)
from core.backbones.image_extractors import (
    ImageFeatures,
    OrientedEnergy,
    SummedImageFeatures,
    extractor_of,
    random_extractor,
)
from core.backbones.resnet import RESNETS
from core.errors import WeightsError
from core.runtime import Runtime

__all__ = ["ImageFeatures", "default_image_features", "image_feature_choices", "image_features"]

IMAGE_ARCHITECTURES = (*RESNETS, "vit_base_patch8")
_BUILT_IN = (OrientedEnergy.NAME,)


def image_features(name: str, runtime: Runtime, *, layers: Sequence[str] = ()) -> ImageFeatures:
    """The extractor of that name.

    Parameters
    ----------
    name : str
        See the module. Of several parts each is brought to unit length at each location and to the finest stride, and
        all are concatenated in the order of the name.
    runtime : Runtime
    layers : sequence of str
        Which of ``layer1`` (stride 4), ``layer2`` (8) and ``layer3`` (16) to take of networks that have them; maps of
        several are brought bilinearly to the finest and concatenated. All that the weights hold if not given. A ViT
        (last block, final norm, no class token; stride 8) and the oriented energy (stride 8) have no such layers.

    Raises
    ------
    WeightsError
        If a part is unknown, its weights are missing or of no image network, or end before a layer that is asked for.
    ConfigError
        If a layer has another name.
    """
    parts = [_part(part, runtime, layers) for part in concrete_parts(name, _resolved)]
    return parts[0] if len(parts) == 1 else SummedImageFeatures(parts, runtime)


def default_image_features(modality: Modality) -> str:
    """What ``auto:rgb`` or ``auto:rendered`` means on this computer now."""
    return first_usable(IMAGE_PREFERENCES[modality], IMAGE_ARCHITECTURES, _BUILT_IN)


def image_feature_choices() -> tuple[FeatureChoice, ...]:
    """What can be chosen, for lists in the window: automatic, weight-free, every known weight set (here or missing),
    each that is here beside the weight-free, and random networks to compare with."""
    automatic = tuple(
        FeatureChoice(f"{AUTO}:{modality}", f"Automatic, for {what}", f"Now: {default_image_features(modality)}", True)
        for modality, what in _MODALITIES.items()
    )
    plain = FeatureChoice(OrientedEnergy.NAME, "Oriented energy", "A formula, no weights: works everywhere", True)
    sets = weight_choices(IMAGE_ARCHITECTURES)
    beside = tuple(
        FeatureChoice(f"{plain.name}+{one.name}", f"{plain.title} and {one.title}", one.note, True)
        for one in sets
        if one.available
    )
    random = tuple(
        FeatureChoice(f"{RANDOM}{architecture}", f"Random {architecture}", "Never trained: only to compare with", True)
        for architecture in RESNETS
    )
    return (*automatic, plain, *sets, *beside, *random)


_MODALITIES: dict[Modality, str] = {"rgb": "photographs", "rendered": "shaded surfaces"}


def _resolved(part: str) -> str:
    modality = next((one for one in _MODALITIES if part == f"{AUTO}:{one}"), None)
    if modality is None:
        choices = " or ".join(f"{AUTO}:{one}" for one in _MODALITIES)
        raise WeightsError(f"{part!r} does not say for which images", f"Use {choices}")
    return default_image_features(modality)


def _part(part: str, runtime: Runtime, layers: Sequence[str]) -> ImageFeatures:
    if part == OrientedEnergy.NAME:
        return OrientedEnergy(runtime)
    if part.startswith(RANDOM):
        architecture = part.removeprefix(RANDOM)
        if architecture not in RESNETS:
            choices = ", ".join(f"{RANDOM}{one}" for one in RESNETS)
            raise WeightsError(f"There is no {part!r}", f"Use one of: {choices}")
        return random_extractor(architecture, part, runtime, layers)
    return extractor_of(find_weights(part, IMAGE_ARCHITECTURES, _BUILT_IN), runtime, layers)
