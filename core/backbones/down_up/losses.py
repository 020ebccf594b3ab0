"""The losses of Down-Net (DUS-Net, eq. 5 to 8) and Up-Net (eq. 12 to 14), in the intended and in the printed forms.

As printed, eq. 5 and 6 compare every centre with every prediction and are smallest where all predictions collapse to
one point; the intended forms compare each with its own. Eq. 12 as printed has no bandwidth (it pushes neighbours 0.707
apart); the intended one is PU-Net's. Eq. 13 as printed is one-sided; the intended one looks from both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from core.backbones.down_up.pyramid import gathered
from core.geometry.neighbors import nearest

Pairing = Literal["paired", "all_pairs"]
Repulsion = Literal["pu_net", "pu_net_port", "literal"]
Distribution = Literal["two_sided", "one_sided", "sliced"]

_SHORT = 1e-4
"""Vectors shorter than this have no direction."""
_TINY = 1e-12
_PU_RADIUS, _PU_H = 0.07, 0.03
_PU_SPACING = 0.028
"""Spacing of the points of PU-Net's patches, whose radius is 1: 4096 on a disc of area pi. In that unit its constants
hold."""
_SLICES = 64


def mean_squared(wanted: Tensor, predicted: Tensor, pairing: Pairing = "paired") -> Tensor:
    """Eq. 5, the squared distance summed over x, y, z: of (B, G, 3) centres, 1 / G over the clouds' mean."""
    if pairing == "paired":
        return (wanted - predicted).square().sum(-1).mean()
    squares = torch.cdist(wanted, predicted).square()
    return squares.sum((1, 2)).mean() / wanted.shape[1]


def cosine(wanted: Tensor, predicted: Tensor, pairing: Pairing = "paired") -> Tensor:
    """Eq. 6: 1 - cos of the directions from the origin of (B, G, 3) centres, which are to be centred."""
    lengths, found = wanted.norm(dim=-1, keepdim=True), predicted.norm(dim=-1, keepdim=True)
    a, b = wanted / lengths.clamp_min(_SHORT), predicted / found.clamp_min(_SHORT)
    if pairing == "all_pairs":
        return (1.0 - a @ b.transpose(1, 2)).sum((1, 2)).mean() / wanted.shape[1]
    directed = ((lengths > _SHORT) & (found > _SHORT))[..., 0].float()
    # 1 - cos as half the squared difference of unit vectors: exact where float32 rounds 1 - cos to 0.
    apart = 0.5 * (a - b).square().sum(-1)
    return (directed * apart).sum() / directed.sum().clamp_min(1.0)


def chamfer(wanted: Tensor, predicted: Tensor) -> Tensor:
    """Eq. 7: mean squared distance to the nearest, both ways, of clouds (B, N, 3) and (B, M, 3)."""
    return _to_nearest(wanted, predicted).square().mean() + _to_nearest(predicted, wanted).square().mean()


@dataclass(frozen=True)
class DownLoss:
    """Eq. 8, with the weight of each term.

    Attributes
    ----------
    mse, cosine, chamfer : float
        0 leaves a term out, as the paper's ablations M1 to M3 do.
    pairing : str
        ``paired`` or, as printed, ``all_pairs``.
    """

    mse: float = 1.0
    cosine: float = 1.0
    chamfer: float = 1.0
    pairing: Pairing = "paired"

    @property
    def used(self) -> bool:
        """Whether anything is left to learn from."""
        return self.mse > 0 or self.cosine > 0 or self.chamfer > 0

    def __call__(self, wanted: Tensor, predicted: Tensor, radius: Tensor) -> dict[str, Tensor]:
        """The terms of centred clouds (B, G, 3), each times its weight and in squares of the mean patch ``radius``.

        The unit makes the optimiser's steps the same for every size of patch; it changes no minimum.
        """
        unit = radius.mean().square()
        terms = {}
        if self.mse:
            terms["mse"] = self.mse * mean_squared(wanted, predicted, self.pairing) / unit
        if self.cosine:
            terms["cosine"] = self.cosine * cosine(wanted, predicted, self.pairing) / unit
        if self.chamfer:
            terms["chamfer"] = self.chamfer * chamfer(wanted, predicted) / unit
        return terms


def repulsion(points: Tensor, neighbors: int = 4, form: Repulsion = "pu_net", unit: Tensor | float = 1.0) -> Tensor:
    """Eq. 12 on points (B, M, 3).

    Parameters
    ----------
    neighbors : int
        K, the nearest others of each point.
    form : str
        ``pu_net``: mean of 0.07 - d exp(-d^2 / 0.03^2); ``pu_net_port``: mean of (0.07 - d) exp(-d^2 / 0.03^2), as a
        PyTorch port has it; ``literal``: sum of -d exp(-d^2) over K neighbours and all points.
    unit : float or (B,) tensor
        Length that counts as 1.
    """
    distance = _among_themselves(points, neighbors)
    distance = distance / (unit[:, None, None] if isinstance(unit, Tensor) else unit)
    if form == "literal":
        return (-distance * torch.exp(-distance.square())).sum((1, 2)).mean()
    weight = torch.exp(-distance.square() / _PU_H**2)
    if form == "pu_net":
        return (_PU_RADIUS - distance * weight).mean()
    return ((_PU_RADIUS - distance) * weight).mean()


def distribution(
    points: Tensor,
    wanted: Tensor,
    form: Distribution = "two_sided",
    unit: Tensor | float = 1.0,
    draws: torch.Generator | None = None,
) -> Tensor:
    """Eq. 13 between points (B, M, 3) and the dense truth (B, N, 3).

    Parameters
    ----------
    form : str
        ``two_sided``: mean distance to the nearest, both ways; ``one_sided``: as printed, the sum of each predicted
        point's distance to its nearest true one; ``sliced``: the sliced earth mover's distance over 64 directions.
    unit : float or (B,) tensor
        Length that counts as 1.
    draws : torch Generator, optional
        Of the directions.
    """
    scale = unit[:, None] if isinstance(unit, Tensor) else unit
    if form == "sliced":
        return (_sliced(points, wanted, draws) / scale).mean()
    there = _to_nearest(points, wanted) / scale
    if form == "one_sided":
        return there.sum(1).mean()
    return there.mean() + (_to_nearest(wanted, points) / scale).mean()


@dataclass(frozen=True)
class UpLoss:
    """Eq. 14, with the weight of each term.

    Attributes
    ----------
    repulsion, distribution : float
        PU-Net's are 1 and 100; 0 leaves a term out, as the paper's ablations M4 and M5 do.
    repulsion_form, distribution_form : str
    neighbors : int
        K of the repulsion.
    """

    repulsion: float = 1.0
    distribution: float = 100.0
    repulsion_form: Repulsion = "pu_net"
    distribution_form: Distribution = "two_sided"
    neighbors: int = 4

    @property
    def used(self) -> bool:
        """Whether anything is left to learn from."""
        return self.repulsion > 0 or self.distribution > 0

    def __call__(self, points: Tensor, wanted: Tensor, spacing: Tensor, draws: torch.Generator) -> dict[str, Tensor]:
        """The terms, each times its weight, of points (B, M, 3) that should be as dense as ``spacing`` (B,) says."""
        unit = spacing / _PU_SPACING
        if self.repulsion_form == "literal":
            unit = torch.ones_like(unit)
        terms = {}
        if self.repulsion:
            apart = repulsion(points, self.neighbors, self.repulsion_form, unit)
            terms["repulsion"] = self.repulsion * apart
        if self.distribution:
            where = distribution(points, wanted, self.distribution_form, unit, draws)
            terms["distribution"] = self.distribution * where
        return terms


def _to_nearest(queries: Tensor, points: Tensor) -> Tensor:
    """(B, Q) distance of each query to its nearest point, with gradients to both."""
    found = [nearest(_plain(p), _plain(q), 1)[1][:, 0] for q, p in zip(queries, points, strict=True)]
    rows = torch.from_numpy(np.stack(found)).to(points.device)
    return _length(queries - gathered(points, rows))


def _among_themselves(points: Tensor, neighbors: int) -> Tensor:
    """(B, M, K) distances to the nearest others."""
    found = [nearest(_plain(p), _plain(p), min(neighbors + 1, len(p)))[1][:, 1:] for p in points]
    rows = torch.from_numpy(np.stack(found)).to(points.device)
    return _length(points[:, :, None] - gathered(points, rows))


def _sliced(points: Tensor, wanted: Tensor, draws: torch.Generator | None) -> Tensor:
    """(B, S) mean distance of sorted projections; the clouds are read at as many even ranks as the smaller has."""
    directions = torch.randn((3, _SLICES), generator=draws).to(points.device)
    directions = directions / directions.norm(dim=0)
    count = min(points.shape[1], wanted.shape[1])
    sorted_both = []
    for cloud in (points, wanted):
        ranks = torch.linspace(0, cloud.shape[1] - 1, count, device=cloud.device).round().long()
        sorted_both.append((cloud @ directions).sort(dim=1).values[:, ranks])
    return (sorted_both[0] - sorted_both[1]).abs().mean(1)


def _plain(points: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.ascontiguousarray(points.detach().cpu().float().numpy())


def _length(vectors: Tensor) -> Tensor:
    return (vectors.square().sum(-1) + _TINY**2).sqrt()
