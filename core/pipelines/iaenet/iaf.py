"""Importance-aware fusion: a selector that weighs the experts at each point, and a predictor that joins them.

Both are small networks that see one point at a time (paper, section 3.3.1). Their widths are not in the paper's text;
2-64-64-64-2 and 2-64-64-64-1 with batch normalisation have 17,987 parameters, its 0.018 M.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits, softplus

_WIDTHS = (2, 64, 64, 64)
_LEAST = 1e-7
"""Probabilities are kept so far from 0 and 1 where an expert's map is read as one."""


def _perceptron(outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in pairwise(_WIDTHS):
        linear = nn.Linear(a, b)
        # The normalisation takes this bias away again. Its gradient is rounding alone, which Adam would blow up to full
        # steps that the running mean then lags behind.
        nn.init.zeros_(linear.bias).requires_grad_(False)
        layers += [linear, nn.BatchNorm1d(b), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(_WIDTHS[-1], outputs))


class ImportanceAwareFusion(nn.Module):
    """Selector and predictor. Before training the selector gives each expert a half, everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.selector = _perceptron(2)
        self.predictor = _perceptron(1)
        head = self.selector[-1]
        assert isinstance(head, nn.Linear)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Importance (n, 2) and logit (n,) of the experts' scaled scores (n, 2), 3D first (paper, eq. 5 and 6)."""
        importance = torch.softmax(self.selector(maps), dim=1)
        logits: Tensor = self.predictor(maps * importance).squeeze(1)
        return importance, logits


def cross_entropy(logits: Tensor, labels: Tensor, *, positive_only: bool = False) -> Tensor:
    """(n,) binary cross-entropy of each point.

    The paper's sum in eq. 11 runs over the anomalous class alone (``positive_only``), which costs nothing where good
    points are called anomalous.
    """
    if positive_only:
        return labels * softplus(-logits)
    return binary_cross_entropy_with_logits(logits, labels, reduction="none")


def baseline(maps: Tensor, labels: Tensor, *, positive_only: bool = False) -> float:
    """b = min(C_2d, C_3d), the cross-entropy of the better expert with its map read as a probability (eq. 9)."""
    found = []
    for expert in range(maps.shape[1]):
        chance = maps[:, expert].clamp(_LEAST, 1 - _LEAST)
        cost = labels * -chance.log() if positive_only else binary_cross_entropy(chance, labels, reduction="none")
        found.append(float(cost.double().mean()))
    return min(found)


def entropy(importance: Tensor) -> Tensor:
    """(n,) H = - sum over the experts of S ln S (eq. 15, which is printed without the sum)."""
    return -torch.special.xlogy(importance, importance).sum(dim=1)


def fusion_loss(
    importance: Tensor,
    costs: Tensor,
    b: float,
    *,
    margin: float = 0.1,
    weight: float = 0.1,
    through_gate: bool = True,
) -> Tensor:
    """L = mean CE + lambda mean(r H) with r = max(m - (b - CE), 0) (eq. 13, 16, 19 and 20).

    Parameters
    ----------
    importance : (n, 2) float tensor
    costs : (n,) float tensor
        Cross-entropy of each point.
    b : float
        ``baseline``.
    margin, weight : float
        m and lambda.
    through_gate : bool
        Whether the gradient passes through r. Table 7 tells the loss without H from no loss at all, which would be the
        same if it did not.
    """
    gate = (margin - (b - costs)).clamp_min(0.0)
    gate = gate if through_gate else gate.detach()
    return costs.mean() + weight * (gate * entropy(importance)).mean()
