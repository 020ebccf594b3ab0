"""What config fields that name features can hold: choices to offer, what ``auto`` means now, what would be better.

A field says by ``setting(..., features=KIND)`` what it names: ``image`` (see ``core.backbones.image_features``),
``point`` (see ``core.backbones.point_features``), or ``weights:`` and an architecture for the weights of one network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.backbones.defaults import IMAGE_PREFERENCES, POINT_PREFERENCES
from core.backbones.feature_names import AUTO, FeatureChoice, concrete_parts, weight_choices
from core.backbones.weights import WeightSet, default_weights, known_weights
from core.pipelines.config import Config, Setting

_WEIGHTS = "weights:"


@dataclass(frozen=True)
class FeatureUse:
    """What one field of a config means on this computer now.

    Attributes
    ----------
    setting : str
        The field's name.
    kind : str
        As the field declares it.
    features : str
        The concrete features' name.
    title : str
        The same for people.
    missing : tuple of WeightSet
        Weights that they need and that are not on this computer.
    preferred : tuple of WeightSet
        Weights that an automatic choice would take first, if they were here.
    of_photographs : bool
        Whether they are chosen for photographs, which then belong to the scans.
    """

    setting: str
    kind: str
    features: str
    title: str
    missing: tuple[WeightSet, ...]
    preferred: tuple[WeightSet, ...]
    of_photographs: bool

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the name; weight sets are among them."""
        return tuple(self.features.split("+"))


def feature_choices(kind: str) -> tuple[FeatureChoice, ...]:
    """What a field of this kind can hold, best known first, with what is missing on this computer marked."""
    if kind == "image":
        from core.backbones.image_features import image_feature_choices

        return image_feature_choices()
    if kind == "point":
        from core.backbones.point_features import point_feature_choices

        return point_feature_choices()
    architecture = kind.removeprefix(_WEIGHTS)
    sets = weight_choices((architecture,))
    first = next((choice for choice in sets if choice.available), None)
    automatic = FeatureChoice(
        AUTO, "Automatic", f"Now: {first.title}" if first else "No set is on this computer", first is not None
    )
    return (automatic, *sets)


def feature_uses(config: type[Config], values: Mapping[str, Any], *, images: bool = False) -> tuple[FeatureUse, ...]:
    """What each field of a config that names features means now, in the order of the fields.

    Parameters
    ----------
    config : type of Config
    values : mapping
        Of the fields; those not named have their default.
    images : bool
        Whether the scans have photographs.

    Raises
    ------
    ConfigError
        If a value cannot be taken.
    WeightsError
        If an automatic choice finds nothing, or a name is malformed; the message says where to get what is missing.
    """
    named = config.from_mapping(values).named_features(images=images)
    return tuple(_use(spec, named[spec.name]) for spec in config.settings() if spec.name in named)


def pinned(config: Config, *, images: bool) -> Config:
    """The config with every automatic name in use replaced by what it means on this computer now.

    What is fitted several times, as for cross-fitting, must see with the same features each time, whatever weights
    arrive meanwhile.

    Raises
    ------
    WeightsError
        If an automatic choice finds nothing, or a name is malformed.
    """
    kinds = {spec.name: spec.features for spec in config.settings()}
    named = config.named_features(images=images)
    concrete = {
        field: "+".join(concrete_parts(value, partial(resolved, kinds[field]))) for field, value in named.items()
    }
    return dataclasses.replace(config, **concrete)


def _use(spec: Setting, value: str) -> FeatureUse:
    parts = concrete_parts(value, lambda part: resolved(spec.features, part))
    name = "+".join(parts)
    known = {one.name: one for one in known_weights()}
    titles = {choice.name: choice.title for choice in feature_choices(spec.features)}
    title = titles.get(name) or " and ".join(titles.get(part, part) for part in parts)
    missing = tuple(known[part] for part in parts if part in known and not known[part].available)
    preferred = _preferred(spec.features, value, name, known)
    return FeatureUse(spec.name, spec.features, name, title, missing, preferred, f"{AUTO}:rgb" in value)


def resolved(kind: str, auto: str) -> str:
    """What an automatic name stands for on this computer now.

    Raises
    ------
    WeightsError
        If there is nothing to stand for it.
    """
    if kind == "image":
        from core.backbones.image_features import default_image_features

        return default_image_features("rgb" if auto.endswith(":rgb") else "rendered")
    if kind == "point":
        from core.backbones.point_features import default_point_features

        return default_point_features()
    return default_weights(kind.removeprefix(_WEIGHTS)).name


def _preferred(kind: str, value: str, name: str, known: Mapping[str, WeightSet]) -> tuple[WeightSet, ...]:
    """The missing sets of what an automatic choice would rather take than ``name``."""
    if kind == "image" and value in (f"{AUTO}:rgb", f"{AUTO}:rendered"):
        order = IMAGE_PREFERENCES["rgb" if value == f"{AUTO}:rgb" else "rendered"]
    elif kind == "point" and value == AUTO:
        order = POINT_PREFERENCES
    elif value == AUTO:
        order = tuple(one.name for one in known.values() if one.architecture == kind.removeprefix(_WEIGHTS))
    else:
        return ()
    better = order[: order.index(name)] if name in order else ()
    parts = dict.fromkeys(part for one in better for part in one.split("+"))
    return tuple(known[part] for part in parts if part in known and not known[part].available)
