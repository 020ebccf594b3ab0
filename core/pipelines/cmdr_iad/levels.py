"""How far off the networks are on good parts, cell by cell: what an error of the same size means differs by place.

P3 compares raw distances. Edges, holes and textures are told and rebuilt worse than plain surface on every good part,
and hide defects elsewhere. Where scans lie alike, an error can be held against what good parts have at the same cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from core.pipelines.cmdr_iad.networks import Task
from core.pipelines.state import below, joined

_LOWEST, _HIGHEST = -8.0, 40.0
"""Deviations from the mean beyond which an error counts no less and no more."""
_ENOUGH = 0.5
"""Share of the good parts that must show a cell for it to have a level of its own."""


@dataclass(frozen=True, eq=False)
class Level:
    """Of one network.

    Attributes
    ----------
    mean, deviation : (K, H, W) float32 Tensor
        On the CPU.
    usual : float
        Of the means: it keeps relative errors in the range of distances.
    """

    mean: Tensor
    deviation: Tensor
    usual: float

    @classmethod
    def learn(cls, maps: Sequence[Tensor], valid: Sequence[Tensor], reach: int) -> Level:
        """From (K, H, W) errors of good parts and the cells where they are valid.

        ``reach`` cells around lend their level where it is higher, for parts do not lie alike to the cell.
        """
        values, held = torch.stack(list(maps)).double(), torch.stack(list(valid))
        count = held.sum(dim=0)
        mean = (values * held).sum(dim=0) / count.clamp(min=1)
        squares = ((values - mean).square() * held).sum(dim=0) / count.clamp(min=1)
        own = count >= max(2.0, _ENOUGH * len(maps))
        if not own.any():
            own = count > 0
        deviation = squares.sqrt()
        usual, spread = float(mean[own].median()), float(deviation[own].median())
        mean[~own], deviation[~own] = usual, spread
        if reach > 0:
            mean, deviation = (
                functional.max_pool2d(one[:, None], 2 * reach + 1, 1, reach)[:, 0] for one in (mean, deviation)
            )
        return cls(mean.float(), (deviation + max(spread, 1e-6)).float(), usual)

    def __call__(self, errors: Tensor, valid: Tensor, scale: float) -> Tensor:
        """(K, H, W) usual * exp(z / scale), z how many deviations an error is above the mean; 0 where not valid."""
        z = ((errors - self.mean) / self.deviation).clamp(_LOWEST, _HIGHEST)
        return self.usual * torch.exp(z / scale) * valid


@dataclass(frozen=True)
class Levels:
    """Of every network; empty where errors stay as they are."""

    levels: Mapping[Task, Level]

    def __call__(self, errors: Mapping[Task, Tensor], valid: Tensor, scale: float) -> dict[Task, Tensor]:
        """Errors relative to those of good parts."""
        return {
            task: self.levels[task](one, valid, scale) if task in self.levels else one for task, one in errors.items()
        }

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        return joined(
            {
                task: {
                    "mean": one.mean.numpy(),
                    "deviation": one.deviation.numpy(),
                    "usual": np.array(one.usual),
                }
                for task, one in self.levels.items()
            }
        )

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]], tasks: Sequence[Task]) -> Levels:
        """What ``state`` gave of these networks."""
        found: dict[Task, Level] = {}
        for task in tasks:
            own = below(state, task)
            if own:
                mean, deviation = (torch.from_numpy(np.array(own[name], np.float32)) for name in ("mean", "deviation"))
                found[task] = Level(mean, deviation, float(own["usual"]))
        return cls(found)
