"""Which features each method would use now, on this computer: for the lists of weights."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import WeightsError
from core.pipelines.features import feature_uses
from core.pipelines.registry import pipeline_class, pipeline_ids


@dataclass(frozen=True)
class FeaturesInUse:
    """One method's features with its default settings.

    Attributes
    ----------
    pipeline, title : str
        The method's id and name.
    features : tuple of str
        Names of features, weight sets among them, with and without photographs; empty for a method without a backbone.
    missing : str
        Why they cannot be used now; empty if they can.
    titles : tuple of str
        What people call each of ``features``.
    """

    pipeline: str
    title: str
    features: tuple[str, ...]
    missing: str = ""
    titles: tuple[str, ...] = ()

    def uses(self, weights: str) -> bool:
        """Whether a weight set is among them."""
        return any(weights in features.split("+") for features in self.features)


def features_in_use() -> tuple[FeaturesInUse, ...]:
    """For every method, in the registry's order."""
    return tuple(_of(pipeline_id) for pipeline_id in pipeline_ids())


def _of(pipeline_id: str) -> FeaturesInUse:
    cls = pipeline_class(pipeline_id)
    try:
        uses = {
            use.features: use.title for images in (False, True) for use in feature_uses(cls.Config, {}, images=images)
        }
    except WeightsError as error:
        return FeaturesInUse(pipeline_id, cls.title, (), str(error))
    return FeaturesInUse(pipeline_id, cls.title, tuple(uses), titles=tuple(uses.values()))
