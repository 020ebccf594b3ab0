"""Features brought to a common scale before they are compared, if the settings ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.pipelines.cmdr_iad.config import CmdrIadConfig
from core.pipelines.cmdr_iad.described import Described, Features
from core.pipelines.state import below, joined


@dataclass(frozen=True, eq=False)
class Standard:
    """Of one modality's channels.

    Attributes
    ----------
    mean, deviation : (C,) float32 Tensor
        0 and 1 where features stay as they are.
    """

    mean: Tensor
    deviation: Tensor

    @classmethod
    def learn(cls, good: Sequence[Features], *, plain: bool) -> Standard:
        """Over the valid cells of the good parts; ``plain`` leaves features as they are."""
        channels = good[0].sources.shape[1]
        device = good[0].sources.device
        if plain:
            return cls(torch.zeros(channels, device=device), torch.ones(channels, device=device))
        total, squares = torch.zeros((2, channels), dtype=torch.float64, device=device)
        count = 0
        for one in good:
            values = one.at_cells.double()
            total, squares, count = total + values.sum(0), squares + values.square().sum(0), count + len(values)
        mean = total / count
        deviation = (squares / count - mean.square()).clamp(min=0).sqrt()
        # A channel that never varies would turn the least noise into everything.
        floor = 1e-3 * float(deviation.square().mean().sqrt()) + 1e-12
        return cls(mean.float(), deviation.clamp(min=floor).float())

    def __call__(self, features: Features) -> Features:
        """The same at the sources: what is spread from them is then standardised too."""
        return features.replaced((features.sources - self.mean) / self.deviation)

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        return {"mean": self.mean.cpu().numpy(), "deviation": self.deviation.cpu().numpy()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]], device: torch.device) -> Standard:
        """What ``state`` gave."""
        return cls(*(torch.from_numpy(np.array(state[name], np.float32)).to(device) for name in ("mean", "deviation")))


@dataclass(frozen=True, eq=False)
class Standards:
    """Of both modalities; None where a mode does not look at one."""

    surface: Standard | None
    image: Standard | None

    @classmethod
    def learn(cls, good: Sequence[Described], config: CmdrIadConfig) -> Standards:
        """Over the good parts."""
        plain = not config.standardise
        surfaces = [one.surface for one in good if one.surface is not None]
        images = [one.image for one in good if one.image is not None]
        return cls(
            Standard.learn(surfaces, plain=plain) if surfaces else None,
            Standard.learn(images, plain=plain) if images else None,
        )

    @property
    def channels(self) -> tuple[int, int]:
        """Of surface and image features; 0 where there are none."""
        sizes = [0 if one is None else len(one.mean) for one in (self.surface, self.image)]
        return sizes[0], sizes[1]

    def __call__(self, described: Described) -> Described:
        """A part with standardised features."""
        surface, image = described.surface, described.image
        if surface is not None and self.surface is not None:
            surface = self.surface(surface)
        if image is not None and self.image is not None:
            image = self.image(image)
        return replace(described, surface=surface, image=image)

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        own = {"surface": self.surface, "image": self.image}
        return joined({name: one.state() for name, one in own.items() if one is not None})

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]], device: torch.device) -> Standards:
        """What ``state`` gave."""
        found = {name: below(state, name) for name in ("surface", "image")}
        surface, image = (Standard.from_state(one, device) if one else None for one in found.values())
        return cls(surface, image)
