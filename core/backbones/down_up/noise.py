"""Noise-Gen: noise on the centre of every patch and on its neighbours (DUS-Net, eq. 1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from core.backbones.down_up.groups import Groups

NoiseKind = Literal["gaussian", "uniform", "salt_and_pepper"]
NoiseUnit = Literal["patch", "part", "scan"]

_PEPPERED = 0.1
"""Share of the coordinates that salt-and-pepper noise moves."""


@dataclass(frozen=True)
class NoiseGen:
    """The module that makes patches noisy.

    Attributes
    ----------
    alpha, beta : float
        Standard deviation of the noise on the centres and on their neighbours; the paper has 0.08 and 0.15.
    unit : str
        What they are measured in: the patch radius, the radius of the part (1, where the part is scaled to the unit
        sphere), or the unit that the cloud's coordinates are in before that. The paper does not say.
    kind : str
        The paper compares Gaussian noise with the two others (table 6); all have the same standard deviation.
    """

    alpha: float = 0.08
    beta: float = 0.15
    unit: NoiseUnit = "patch"
    kind: NoiseKind = "gaussian"

    def __call__(self, groups: Groups, draws: torch.Generator, scan_unit: float = 1.0) -> Groups:
        """The noisy groups; the same draws give the same noise on every device.

        Parameters
        ----------
        groups : Groups
        draws : torch Generator
            On the CPU.
        scan_unit : float
            Length of the scan's unit in the groups' coordinates.
        """
        size = {
            "patch": groups.radius,
            "part": torch.ones_like(groups.radius),
            "scan": torch.full_like(groups.radius, scan_unit),
        }[self.unit]
        return replace(
            groups,
            centers=self._on(groups.centers, self.alpha * size[:, None, None], draws),
            neighbors=self._on(groups.neighbors, self.beta * size[:, None, None, None], draws),
        )

    def _on(self, points: Tensor, deviation: Tensor, draws: torch.Generator) -> Tensor:
        if not bool(deviation.any()):
            return points
        return points + deviation * self._drawn(points.shape, draws).to(points.device, points.dtype)

    def _drawn(self, shape: torch.Size, draws: torch.Generator) -> Tensor:
        """Numbers of mean 0 and standard deviation 1."""
        if self.kind == "gaussian":
            return torch.randn(shape, generator=draws)
        uniform = torch.rand(shape, generator=draws)
        if self.kind == "uniform":
            return (2 * uniform - 1) * 3**0.5
        salt = (uniform < _PEPPERED / 2).float() - (uniform > 1 - _PEPPERED / 2).float()
        return salt / _PEPPERED**0.5
