"""From four distances to one anomaly map: gate, confidence weights, smoothing, normalisations (P3 3.5 and 5.5).

The order and the constants that P3 does not give are those of the published code (CMDR inference.py). Maps are
(K, H, W), K pictures of one scan; the paper has one of 224 x 224.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_EPS = 1e-8
_LOCAL = 7
"""Cells a side over which the gate's deviation is local."""


@dataclass(frozen=True)
class Fusing:
    """Constants of the fusion, see the settings of the same names.

    Attributes
    ----------
    gate_base, gate_slope, temperature : float
    case : str
        ``full`` or ``1`` to ``6``.
    """

    gate_base: float = 4.0
    gate_slope: float = 2.0
    temperature: float = 0.3
    case: str = "full"


@dataclass(frozen=True, eq=False)
class Fused:
    """The steps of the fusion, each (K, H, W).

    Attributes
    ----------
    joint : Tensor
        Product of the two mapping distances.
    gate : Tensor
        alpha.
    mapping : Tensor
        alpha times joint.
    trust : Tensor
        w3 / (w2 + w3): above 0.5 where the 3D decoder errs less.
    reconstruction : Tensor
        Mean of the decoders' distances, weighted by trust.
    score : Tensor
        Psi of the case, not yet smoothed.
    """

    joint: Tensor
    gate: Tensor
    mapping: Tensor
    trust: Tensor
    reconstruction: Tensor
    score: Tensor


def distance(one: Tensor, other: Tensor) -> Tensor:
    """(n,) Euclidean distance of (n, C) features brought to unit length, 0 to 2; zeros stay zeros."""
    return torch.linalg.vector_norm(functional.normalize(one, dim=-1) - functional.normalize(other, dim=-1), dim=-1)


def means(maps: Tensor, passes: tuple[int, int, int]) -> Tensor:
    """Repeated means over 3 x 3, then 5 x 5, then 7 x 7 cells; zeros lie around the map.

    Parameters
    ----------
    maps : (K, H, W)
    passes : (int, int, int)
        How often each; (0, 5, 3) is the paper's final smoothing.
    """
    for side, count in zip((3, 5, 7), passes, strict=True):
        for _ in range(count):
            maps = functional.avg_pool2d(maps[:, None], side, 1, side // 2)[:, 0]
    return maps


def gate(joint: Tensor, base: float, slope: float) -> Tensor:
    """alpha = sigmoid(W J) with W = base + slope s / mean(s), s the local RMS deviation from the map's mean.

    As W and J are not negative it lies in [0.5, 1): it sharpens, it cannot close.
    """
    squares = (joint - joint.mean()).square()
    local = functional.avg_pool2d(squares[:, None], _LOCAL, 1, _LOCAL // 2)[:, 0].sqrt()
    return torch.sigmoid((base + slope * local / (local.mean() + _EPS)) * joint)


def soft(one: Tensor, other: Tensor) -> Tensor:
    """Mean of two distances weighted by softmax of their negatives (eq. 3 of the ablation)."""
    share = torch.sigmoid(other - one)
    return share * one + (1.0 - share) * other


def fused(map_2d: Tensor, map_3d: Tensor, rec_2d: Tensor, rec_3d: Tensor, how: Fusing) -> Fused:
    """All steps for the distances of both maps and both decoders, 0 where nothing is valid."""
    joint = map_2d * map_3d
    alpha = gate(joint, how.gate_base, how.gate_slope)
    weight_2d, weight_3d = torch.exp(-how.temperature * rec_2d), torch.exp(-how.temperature * rec_3d)
    total = weight_2d + weight_3d
    reconstruction = (weight_2d * rec_2d + weight_3d * rec_3d) / (total + _EPS)
    product = rec_2d * rec_3d
    if how.case == "full":
        score = alpha * joint * reconstruction
    elif how.case in ("1", "2"):  # "d_rec" of case 1 is undefined; cases 4 and 5 speak for the product
        score = (alpha if how.case == "1" else 1.0) * joint * product
    elif how.case == "3":
        score = soft(map_2d, map_3d) * soft(rec_2d, rec_3d)
    elif how.case == "4":
        score = soft(map_2d, map_3d) * (alpha * product)
    elif how.case == "5":
        score = (alpha * joint) * (alpha * product)
    else:
        score = (map_2d + map_3d + rec_2d + rec_3d) / 4.0
    return Fused(joint, alpha, alpha * joint, weight_3d / total, reconstruction, score)


def divisor(score: Tensor, kind: str) -> float:
    """What a smoothed map is divided by.

    Parameters
    ----------
    score : (K, H, W)
    kind : str
        ``mean``: its mean where it is not 0 (the paper's AUPRO). ``root_mean``: the root of its mean over all cells
        (P-AUROC). ``root_mean_nonzero``: the root of its mean where it is not 0 (the image score). ``none``: 1.
        Cells that the smoothing spilled into count as not 0; P3 speaks of unmasked ones.
    """
    if kind == "none":
        return 1.0
    values = score.double() if kind == "root_mean" else score[score != 0].double()
    mean = float(values.mean()) if values.numel() else 0.0
    level = mean if kind == "mean" else mean**0.5
    return level if level > 0 else 1.0
