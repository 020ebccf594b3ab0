"""Token channels brought to a common scale before they are compared, if the settings ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.pipelines.cmdr_iad.strips.describing import Described

_FLOOR = 1e-3  # of the usual deviation: a channel that never varies would turn the least noise into everything


@dataclass(frozen=True, eq=False)
class TokenStandard:
    """Mean and deviation of each channel over the good chunks.

    Attributes
    ----------
    mean, deviation : (C,) float32 tensor
        0 and 1 where tokens stay as they are.
    """

    mean: Tensor
    deviation: Tensor

    @classmethod
    def learn(cls, good: Sequence[Described], *, plain: bool) -> TokenStandard:
        """Over the tokens of good chunks; ``plain`` leaves tokens as they are."""
        channels = good[0].tokens.shape[1]
        if plain:
            return cls(torch.zeros(channels), torch.ones(channels))
        tokens = torch.cat([chunk.tokens for chunk in good]).double()
        deviation = tokens.std(dim=0, correction=0)
        floor = _FLOOR * float(deviation.square().mean().sqrt()) + 1e-12
        return cls(tokens.mean(dim=0).float(), deviation.clamp(min=floor).float())

    def __call__(self, chunk: Described) -> Described:
        """The chunk in this scale. What is spread from its tokens is then in it too: the shares sum to 1."""
        return replace(chunk, tokens=(chunk.tokens - self.mean) / self.deviation)

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        return {"mean": self.mean.numpy(), "deviation": self.deviation.numpy()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> TokenStandard:
        """What ``state`` gave."""
        return cls(*(torch.from_numpy(np.array(state[name], np.float32)) for name in ("mean", "deviation")))
