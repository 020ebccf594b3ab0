"""Ways to make one score of the two experts' ones: importance-aware, and those of the paper's table 6."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.pipelines.iaenet.iaf import ImportanceAwareFusion
from core.runtime import Runtime, in_chunks

Floats = NDArray[np.float32]

_NU = 0.5
"""Of M3DM's one-class support vector machine, with 1,000 passes."""


class Fusion(ABC):
    """Scaled scores of both experts to one."""

    @abstractmethod
    def points(self, maps: Floats) -> Floats:
        """(n,) fused scores of (n, 2) scaled ones, 3D first."""

    def object(self, scores: Floats) -> float:
        """The fused score of a part from its (2,) scaled ones: a point more (paper, eq. 21)."""
        return float(self.points(scores[None])[0])


class MaxFusion(Fusion):
    """The higher of both (Shape-Guided)."""

    def points(self, maps: Floats) -> Floats:
        return maps.max(axis=1)


class AdditionFusion(Fusion):
    """The sum of both (BTF)."""

    def points(self, maps: Floats) -> Floats:
        return maps.sum(axis=1)


@dataclass(frozen=True, eq=False)
class SvmFusion(Fusion):
    """The linear one-class support vector machine of M3DM: w·x, one w for points and one for parts.

    The machine draws a plane between the good scores and the origin; scores beyond it, on the good ones' side, are
    worse than theirs as both experts' scores grow with the defect.

    Attributes
    ----------
    of_points, of_parts : (2,) float64
    """

    of_points: NDArray[np.float64]
    of_parts: NDArray[np.float64]

    @classmethod
    def fit(cls, maps: Sequence[Floats], parts: Floats, seed: int, at_most: int = 200_000) -> SvmFusion:
        """From the (n, 2) scaled scores of good scans' points, and (scans, 2) of these as wholes."""
        table = np.concatenate(maps)
        if len(table) > at_most:
            table = table[np.random.default_rng([seed, 31]).choice(len(table), at_most, replace=False)]
        return cls(_plane(table, seed), _plane(parts, seed))

    def points(self, maps: Floats) -> Floats:
        return (maps @ self.of_points).astype(np.float32)

    def object(self, scores: Floats) -> float:
        return float(scores @ self.of_parts)


class IafFusion(Fusion):
    """The paper's own. Scores are -ln(1 - A) of the predictor's output A: the same order, without its crowding at 1."""

    def __init__(self, model: ImportanceAwareFusion, runtime: Runtime) -> None:
        self.model, self.runtime = model, runtime

    def points(self, maps: Floats) -> Floats:
        return np.logaddexp(0.0, self.judged(maps)[1]).astype(np.float32)

    def judged(self, maps: Floats) -> tuple[Floats, Floats]:
        """Importance (n, 2) and logit (n,) of (n, 2) scaled scores."""
        importance, logits = np.empty((len(maps), 2), np.float32), np.empty(len(maps), np.float32)

        def work(part: slice) -> None:
            with torch.inference_mode():
                found = self.model(torch.from_numpy(maps[part]).to(self.runtime.device))
            importance[part], logits[part] = found[0].cpu().numpy(), found[1].cpu().numpy()

        in_chunks(len(maps), self.runtime.rows_per_chunk(4 * 64 * 8), work)
        return importance, logits


@dataclass(frozen=True, eq=False)
class Fusions:
    """All of them, fitted on the same maps.

    Attributes
    ----------
    iaf : IafFusion
    ocsvm : SvmFusion
    """

    iaf: IafFusion
    ocsvm: SvmFusion

    def named(self, name: str) -> Fusion:
        """``iaf``, ``max``, ``addition`` or ``ocsvm``."""
        simple: dict[str, Fusion] = {"max": MaxFusion(), "addition": AdditionFusion()}
        return {**simple, "iaf": self.iaf, "ocsvm": self.ocsvm}[name]

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        state: dict[str, NDArray[Any]] = {
            "ocsvm/points": self.ocsvm.of_points,
            "ocsvm/parts": self.ocsvm.of_parts,
        }
        return state | {f"iaf/{key}": value.cpu().numpy() for key, value in self.iaf.model.state_dict().items()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]], runtime: Runtime) -> Fusions:
        """What ``state`` gave."""
        model = ImportanceAwareFusion()
        own = {k.removeprefix("iaf/"): torch.from_numpy(np.array(v)) for k, v in state.items() if k.startswith("iaf/")}
        model.load_state_dict(own)
        model.to(runtime.device).eval().requires_grad_(False)
        return cls(IafFusion(model, runtime), SvmFusion(state["ocsvm/points"], state["ocsvm/parts"]))


def _plane(table: Floats, seed: int) -> NDArray[np.float64]:
    """The weights of the one-class machine; equal ones where the scores say nothing, or point away from a defect."""
    linear: Any = import_module("sklearn.linear_model")
    machine = linear.SGDOneClassSVM(nu=_NU, random_state=seed, max_iter=1000)
    weights = np.asarray(machine.fit(table.astype(np.float64)).coef_, np.float64)
    weights = np.maximum(weights, 0.0)
    return weights if weights.sum() > 0 else np.full(2, 0.5)
