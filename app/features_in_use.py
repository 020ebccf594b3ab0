"""Which features each method would use now, on this computer: for the lists of weights."""

from __future__ import annotations

from dataclasses import dataclass

from core.backbones.image_features import default_image_features
from core.backbones.point_features import default_point_features
from core.backbones.weights import default_weights
from core.errors import WeightsError
from core.pipelines.registry import pipeline_class, pipeline_ids


@dataclass(frozen=True)
class FeaturesInUse:
    """One method's features with its default settings.

    Attributes
    ----------
    pipeline, title : str
        The method's id and name.
    features : tuple of str
        Names of features, weight sets among them; empty for a method without a backbone.
    missing : str
        Why they cannot be used now; empty if they can.
    """

    pipeline: str
    title: str
    features: tuple[str, ...]
    missing: str = ""

    def uses(self, weights: str) -> bool:
        """Whether a weight set is among them."""
        return any(weights in features.split("+") for features in self.features)


def features_in_use() -> tuple[FeaturesInUse, ...]:
    """For every method, in the registry's order."""
    return tuple(_of(pipeline_id) for pipeline_id in pipeline_ids())


def _of(pipeline_id: str) -> FeaturesInUse:
    cls = pipeline_class(pipeline_id)
    named = [s for s in cls.Config.settings() if s.type is str and (s.name == "weights" or s.name.endswith("features"))]
    try:
        return FeaturesInUse(pipeline_id, cls.title, tuple(_resolved(s.name, s.default) for s in named))
    except WeightsError as error:
        return FeaturesInUse(pipeline_id, cls.title, (), str(error))


def _resolved(setting: str, value: str) -> str:
    if setting == "weights":
        return default_weights("point_mae").name if value == "auto" else value
    meanings = {
        "auto": default_point_features,
        "auto:rgb": lambda: default_image_features("rgb"),
        "auto:rendered": lambda: default_image_features("rendered"),
    }
    return "+".join(meanings[part]() if part in meanings else part for part in value.split("+"))
