"""The space in which patches are told apart: reduced, weighed, and measured against what is usual at each place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.pipelines.sca.anchors import FeatureAnchors
from core.pipelines.sca.config import ScaConfig
from core.pipelines.sca.patch_features import PatchSet

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FeatureSpace:
    """Learned on the good scans' patches.

    Attributes
    ----------
    mean : (C,) float32
    basis : (C, D) float32
        Whitening principal components of the tokens; D = 0 leaves the tokens as they are.
    weights : (W,) float32
        Of each of the assembled features.
    anchors : FeatureAnchors or None
    """

    mean: Floats
    basis: Floats
    weights: Floats
    anchors: FeatureAnchors | None

    @classmethod
    def learn(
        cls, sets: Sequence[PatchSet], config: ScaConfig, owners: Sequence[int]
    ) -> tuple[FeatureSpace, list[Floats]]:
        """The space, and the features of the scans in it; each judged without what its scan contributed itself.

        Parameters
        ----------
        owners : sequence of int
            The scan of each patch set; the first set of a scan is what the anchors learn from.
        """
        tokens = np.concatenate([one.tokens for one in sets]).astype(np.float64)
        mean = tokens.mean(axis=0)
        basis = np.zeros((tokens.shape[1], 0))
        if config.feature_width > 0:
            variance, axes = np.linalg.eigh(np.cov((tokens - mean).T))
            kept = np.argsort(variance)[::-1][: min(config.feature_width, max(1, len(tokens) - 1))]
            # Directions that hold nothing but rounding must not be blown up.
            basis = axes[:, kept] / np.sqrt(np.maximum(variance[kept], 1e-4 * variance.max() + 1e-12))
            basis *= np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(basis.shape[1])])
        space = cls(mean.astype(np.float32), basis.astype(np.float32), np.ones(1, np.float32), None)
        assembled = [space._assembled(one, config) for one in sets]
        widths = [w.shape[1] for w in space._blocks(sets[0], config)]
        shares = (config.token_weight, config.fpfh_weight, config.placed_weight)
        weights = np.repeat(np.array(shares, np.float32), widths)
        anchors = None
        features = assembled
        if config.anchors > 0:
            first = {owner: i for i, owner in reversed(list(enumerate(owners)))}
            learned = [first[owner] for owner in sorted(first)]
            anchors = FeatureAnchors.learn(
                [assembled[i] for i in learned], [sets[i].centers for i in learned], config.anchors, config.anchor_floor
            )
            features = []
            for one, values, owner in zip(sets, assembled, owners, strict=True):
                own = anchors.contribution(assembled[first[owner]], sets[first[owner]].centers)
                features.append(anchors.normalise(values, one.centers, without=own))
        return cls(space.mean, space.basis, weights, anchors), [_filled(x) * weights for x in features]

    def features(self, one: PatchSet, config: ScaConfig) -> Floats:
        """(n, W) features of a scan that the space was not learned on."""
        assembled = self._assembled(one, config)
        if self.anchors is not None:
            assembled = self.anchors.normalise(assembled, one.centers)
        return _filled(assembled) * self.weights

    def _assembled(self, one: PatchSet, config: ScaConfig) -> Floats:
        return np.concatenate(self._blocks(one, config), axis=1)

    def _blocks(self, one: PatchSet, config: ScaConfig) -> tuple[Floats, Floats, Floats]:
        """Tokens, geometry and place, each with no columns where its weight is 0."""
        tokens: Floats = one.tokens
        if self.basis.shape[1]:
            tokens = np.asarray((one.tokens - self.mean) @ self.basis, np.float32)
        return (
            tokens if config.token_weight > 0 else tokens[:, :0],
            one.geometry if config.fpfh_weight > 0 else one.geometry[:, :0],
            one.placed if config.placed_weight > 0 else one.placed[:, :0],
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        state: dict[str, NDArray[Any]] = {"mean": self.mean, "basis": self.basis, "weights": self.weights}
        if self.anchors is not None:
            state |= {f"anchors/{key}": value for key, value in self.anchors.state().items()}
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> FeatureSpace:
        """What ``state`` gave."""
        anchors = {k.removeprefix("anchors/"): v for k, v in state.items() if k.startswith("anchors/")}
        return cls(
            np.asarray(state["mean"], np.float32),
            np.asarray(state["basis"], np.float32),
            np.asarray(state["weights"], np.float32),
            FeatureAnchors.from_state(anchors) if anchors else None,
        )


def _filled(features: Floats) -> Floats:
    """``features`` with 0 for what a patch does not show."""
    return np.nan_to_num(features, nan=0.0)
