"""The network of the 3D expert: a PointNet that codes a patch, and the signed distance field that decodes it.

IAENet takes both from Shape-Guided (Chu et al., ICML 2023), which joins PointNet (Qi et al., CVPR 2017) and neural-pull
(Ma et al., ICML 2021): 734,848 + 2,435,585 parameters, counting the gains of the weight normalisation.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, relu
from torch.nn.utils.parametrizations import weight_norm

CODE_WIDTH = 128
_HIDDEN = 512
_LAYERS = 7


class PatchEncoder(nn.Module):
    """PointNet: points of a patch to its code. The code is not negative, for it leaves through a ReLU."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 64, 128, 1024)
        self.convolutions = nn.ModuleList(nn.Conv1d(a, b, 1) for a, b in itertools.pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm1d(b) for b in widths[1:])
        self.linears = nn.ModuleList([nn.Linear(1024, 512), nn.Linear(512, CODE_WIDTH)])
        self.linear_norms = nn.ModuleList([nn.BatchNorm1d(512), nn.BatchNorm1d(CODE_WIDTH)])

    def forward(self, points: Tensor) -> Tensor:
        """(B, 128) codes of (B, P, 3) normalised ``points``."""
        batch, size, _ = points.shape
        values = points.reshape(-1, 3)
        for i, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            # A convolution of one point is a linear layer, and twice as fast as one on the CPU.
            values = norm(_pointwise(convolution, values))
            values = relu(values) if i + 1 < len(self.norms) else values
        values = relu(values.view(batch, size, -1).max(dim=1).values)  # the order of ReLU and maximum is the same
        for layer, norm in zip(self.linears, self.linear_norms, strict=True):
            values = relu(norm(layer(values)))
        return values


def _pointwise(convolution: nn.Module, values: Tensor) -> Tensor:
    assert isinstance(convolution, nn.Conv1d)
    return linear(values, convolution.weight[:, :, 0], convolution.bias)


class DistanceDecoder(nn.Module):
    """The signed distance field of a code (paper, eq. 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.code = nn.Linear(CODE_WIDTH, _HIDDEN)
        self.query = nn.Linear(3, _HIDDEN)
        self.join = nn.Linear(2 * _HIDDEN, _HIDDEN)
        self.hidden = nn.ModuleList(nn.Linear(_HIDDEN, _HIDDEN) for _ in range(_LAYERS))
        self.last = nn.Linear(_HIDDEN, 1)
        # Starts near the distance to a sphere (Atzmon and Lipman, CVPR 2020).
        for layer in (self.join, *self.hidden):
            nn.init.normal_(layer.weight, 0.0, math.sqrt(2 / _HIDDEN))
            nn.init.zeros_(layer.bias)
        nn.init.normal_(self.last.weight, 2 * math.sqrt(math.pi / _HIDDEN), 1e-6)
        nn.init.constant_(self.last.bias, -0.5)
        for layer in self.hidden:
            weight_norm(layer)

    def start_flat(self) -> None:
        """Let the field start at 0 everywhere, for learning distances whose sign is given: these need no sphere."""
        nn.init.normal_(self.last.weight, 0.0, 1e-3)
        nn.init.zeros_(self.last.bias)

    def forward(self, codes: Tensor, queries: Tensor) -> Tensor:
        """(B, Q) signed distances at (B, Q, 3) ``queries`` of the surfaces of (B, 128) ``codes``.

        The joining layer sees [query, code]. The code's share is the same for all queries of a patch and is computed
        once, which equals the concatenation up to rounding.
        """
        of_query, of_code = self.join.weight.split(_HIDDEN, dim=1)
        shared = relu(self.code(codes)) @ of_code.T + self.join.bias
        values = relu(relu(self.query(queries)) @ of_query.T + shared[:, None])
        for layer in self.hidden:
            values = relu(layer(values))
        distances: Tensor = self.last(values).squeeze(-1)
        return distances


class PatchSdf(nn.Module):
    """Encoder and decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = PatchEncoder()
        self.decoder = DistanceDecoder()

    def forward(self, points: Tensor, queries: Tensor) -> Tensor:
        """(B, Q) signed distances at (B, Q, 3) ``queries`` of the patches of (B, P, 3) ``points``."""
        distances: Tensor = self.decoder(self.encoder(points), queries)
        return distances


def load_sdf(tensors: dict[str, Any], device: torch.device) -> PatchSdf:
    """The network with these tensors (of any floating type), frozen, for evaluation.

    Raises
    ------
    RuntimeError
        If names or shapes are another network's.
    """
    model = PatchSdf()
    found = {name: torch.as_tensor(value) for name, value in tensors.items()}
    for name, value in model.state_dict().items():  # files need not hold what only training reads
        if name.endswith("num_batches_tracked"):
            found.setdefault(name, value)
    model.load_state_dict(found)
    return model.to(device).eval().requires_grad_(False)
