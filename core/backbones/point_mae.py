"""Point-MAE's extractor: token encoder, position MLP and 12 transformer blocks, as published.

Y. Pang et al.: *Masked Autoencoders for Point Cloud Self-supervised Learning*, ECCV 2022. Tensor names are those of
the official checkpoint below ``MAE_encoder.``, so that it loads as it is. Two things differ from how the published
anomaly detectors run it, on purpose: nothing is random (DropPath acts in training only), and whether batch norm uses
its running statistics or the cloud's own is said by the caller instead of by a forgotten ``eval()``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.backbones.checkpoints import read_tensors
from core.backbones.picking import pick_tensors
from core.backbones.weights import WeightSet, find
from core.errors import WeightsError

WIDTH, DEPTH, HEADS = 384, 12, 6
PARAMETERS = 21_825_024
Layer = tuple[Tensor, Tensor]
"""Weight and bias."""
_CACHED_ROWS = 2048  # rows of a token-encoder slice on the CPU: 512 floats each stay in the second-level cache


class TokenEncoder(nn.Module):
    """The small PointNet that turns a group of points into a token.

    The published code convolves with kernel 1 over (B G, C, k); here the same weights multiply rows, the global half of
    the concatenated feature is multiplied once per group instead of once per point, and in evaluation the batch norm is
    folded into the layer before it. The result is the same up to rounding.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first_conv = nn.Sequential(nn.Conv1d(3, 128, 1), nn.BatchNorm1d(128), nn.ReLU(), nn.Conv1d(128, 256, 1))
        self.second_conv = nn.Sequential(
            nn.Conv1d(512, 512, 1), nn.BatchNorm1d(512), nn.ReLU(), nn.Conv1d(512, WIDTH, 1)
        )

    def forward(self, groups: Tensor, cloud_statistics: bool = False, at_once: int | None = None) -> Tensor:
        """Tokens (B, G, 384) of groups (B, G, k, 3), each centred on its centre.

        Parameters
        ----------
        cloud_statistics : bool
            Normalise by the mean and variance over each cloud's own points (B separate sets of G k rows) instead of the
            running statistics: for clouds in raw metric coordinates. Has no effect in training.
        at_once : int, optional
            Groups that are held at a time in evaluation; as many as is fast if not given.
        """
        batch, count, k, _ = groups.shape
        if self.training:
            return self._trained(groups)
        step = max(1, _CACHED_ROWS // k) if groups.device.type == "cpu" else batch * count
        step = step if at_once is None else min(step, at_once)
        if cloud_statistics:
            tokens = [self._tokens(cloud.split(step), *self._of_cloud(cloud.split(step))) for cloud in groups]
        else:
            tokens = [self._tokens(groups.reshape(-1, k, 3).split(step), *self._running())]
        return torch.cat(tokens).view(batch, count, WIDTH)

    @property
    def _layers(self) -> tuple[nn.Conv1d, nn.BatchNorm1d, nn.Conv1d, nn.Conv1d, nn.BatchNorm1d, nn.Conv1d]:
        layers = [layer for stage in (self.first_conv, self.second_conv) for layer in stage]
        return cast(Any, (layers[0], layers[1], layers[3], layers[4], layers[5], layers[7]))

    def _trained(self, groups: Tensor) -> Tensor:
        batch, count, k, _ = groups.shape
        a, bn_a, b, c, bn_c, d = self._layers
        # A bias commutes with the largest value over the group, so each is added once a group instead of once a point.
        rows = functional.linear(torch.relu(bn_a(_rows(groups.reshape(-1, 3), a))), b.weight[..., 0])
        shared = rows.view(-1, k, 256).amax(1) + cast(Tensor, b.bias)
        of_group, of_point = c.weight[:, :256, 0], c.weight[:, 256:, 0]
        mixed = functional.linear(rows, of_point).view(-1, k, 512)
        mixed = (
            mixed
            + (functional.linear(shared, of_group, c.bias) + functional.linear(cast(Tensor, b.bias), of_point))[:, None]
        )
        token = functional.linear(torch.relu(bn_c(mixed.view(-1, 512))), d.weight[..., 0])
        return token.view(batch, count, k, WIDTH).amax(2) + cast(Tensor, d.bias)

    def _tokens(self, slices: Sequence[Tensor], first: Layer, second: Layer) -> Tensor:
        """(G, 384) of slices of groups (g, k, 3), with the layers before the batch norms as these folded into them."""
        d = self._layers[5]
        tokens = []
        for groups in slices:
            mixed = torch.relu_(self._mixed(groups, first, second))
            # The largest value over the group commutes with adding the bias.
            tokens.append(functional.linear(mixed, d.weight[..., 0]).amax(1) + cast(Tensor, d.bias))
        return torch.cat(tokens)

    def _mixed(self, groups: Tensor, first: Layer, second: Layer) -> Tensor:
        """(g, k, 512): what the second activation is given."""
        local = _rows(torch.relu_(functional.linear(groups, *first)), self._layers[2])
        weight, bias = second
        mixed = functional.linear(local, weight[:, 256:])
        mixed += functional.linear(local.amax(1), weight[:, :256], bias)[:, None]
        return mixed

    def _running(self) -> tuple[Layer, Layer]:
        """The layers folded with the running statistics."""
        a, bn_a, _, c, bn_c, _ = self._layers
        return (
            _fold(a, bn_a, cast(Tensor, bn_a.running_mean), cast(Tensor, bn_a.running_var)),
            _fold(c, bn_c, cast(Tensor, bn_c.running_mean), cast(Tensor, bn_c.running_var)),
        )

    def _of_cloud(self, slices: Sequence[Tensor]) -> tuple[Layer, Layer]:
        """The layers folded with the statistics of the cloud itself, which is never held as a whole.

        The first layer is linear in three coordinates, so that its statistics follow from theirs; the second's are
        merged from those of the slices, in double precision.
        """
        a, bn_a, _, c, bn_c, _ = self._layers
        points = torch.cat([groups.reshape(-1, 3) for groups in slices]).double()
        mean = points.mean(0)
        scatter = (points - mean).T @ (points - mean) / len(points)
        weight = a.weight[..., 0].double()
        first = _fold(
            a,
            bn_a,
            (weight @ mean + cast(Tensor, a.bias)).float(),
            torch.einsum("oi,ij,oj->o", weight, scatter, weight).float(),
        )
        plain = (c.weight[..., 0], cast(Tensor, c.bias))
        sums = [
            torch.var_mean(self._mixed(groups, first, plain).view(-1, 512), dim=0, correction=0) for groups in slices
        ]
        rows = torch.tensor([len(groups) for groups in slices], device=mean.device, dtype=torch.float64)[:, None]
        share = rows / rows.sum()
        variances, means = (torch.stack(values).double() for values in zip(*sums, strict=True))
        whole = (share * means).sum(0)
        variance = (share * (variances + (means - whole).square())).sum(0)
        return first, _fold(c, bn_c, whole.float(), variance.float())


def _rows(rows: Tensor, layer: nn.Conv1d) -> Tensor:
    return functional.linear(rows, layer.weight[..., 0], layer.bias)


def _fold(layer: nn.Conv1d, norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor) -> Layer:
    """The weight and bias of a layer that is followed by a batch norm with these statistics."""
    bias = cast(Tensor, layer.bias)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return layer.weight[..., 0] * scale[:, None], (bias - mean) * scale + norm.bias


class Attention(nn.Module):
    """Multi-head self-attention without bias on query, key and value."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        batch, count, _ = x.shape
        q, k, v = self.qkv(x).view(batch, count, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        if self.training and x.device.type == "cpu":
            # For the few tokens of a masked cloud the fused kernel's backward takes a quarter of a step on the CPU.
            mixed = torch.softmax((q * (WIDTH // HEADS) ** -0.5) @ k.transpose(-1, -2), dim=-1) @ v
        else:
            mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).reshape(batch, count, WIDTH))


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(WIDTH, 4 * WIDTH)
        self.fc2 = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class Block(nn.Module):
    """A pre-norm transformer block. ``drop_path`` is the chance that a branch is left out in training."""

    def __init__(self, drop_path: float = 0.0) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.norm1, self.attn = nn.LayerNorm(WIDTH), Attention()
        self.norm2, self.mlp = nn.LayerNorm(WIDTH), Mlp()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self._dropped(self.attn(self.norm1(x)))
        return x + self._dropped(self.mlp(self.norm2(x)))

    def _dropped(self, branch: Tensor) -> Tensor:
        if not self.training or self.drop_path == 0.0:
            return branch
        keep = 1.0 - self.drop_path
        return branch * (torch.rand(len(branch), 1, 1, device=branch.device) < keep) / keep


class Blocks(nn.Module):
    """A stack of blocks; the position embedding is added to the input of every one."""

    def __init__(self, depth: int, drop_path: float = 0.0) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(drop_path * i / max(1, depth - 1)) for i in range(depth))

    def forward(self, x: Tensor, position: Tensor, kept: Sequence[int] = ()) -> list[Tensor]:
        """The outputs of the blocks named by ``kept`` (0-based, ascending), and last that of the last block."""
        outputs = []
        for i, block in enumerate(self.blocks):
            x = block(x + position)
            if i in kept:
                outputs.append(x)
        return [*outputs, x]


def position_mlp() -> nn.Sequential:
    """The embedding of a group's centre."""
    return nn.Sequential(nn.Linear(3, 128), nn.GELU(), nn.Linear(128, WIDTH))


class PointMAE(nn.Module):
    """The extractor: 21,825,024 parameters, 384 numbers a group.

    Parameters
    ----------
    drop_path : float
        Chance to leave out a residual branch of the last block in training (growing linearly from 0 at the first);
        the paper trains with 0.1. Never used in evaluation.
    cloud_statistics : bool
        Normalise in the token encoder by each cloud's own statistics, see ``TokenEncoder.forward``.
    """

    def __init__(self, drop_path: float = 0.0, cloud_statistics: bool = False) -> None:
        super().__init__()
        self.cloud_statistics = cloud_statistics
        self.encoder = TokenEncoder()
        self.pos_embed = position_mlp()
        self.blocks = Blocks(DEPTH, drop_path)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, groups: Tensor, centers: Tensor, layers: Sequence[int] = ()) -> Tensor:
        """Tokens of every group.

        Parameters
        ----------
        groups : (B, G, k, 3) tensor
            The points of each group, minus its centre.
        centers : (B, G, 3) tensor
        layers : sequence of int
            0-based blocks whose outputs are concatenated, each passed through the same final norm, as M3DM does with
            (3, 7, 11); empty gives the last block's output alone.

        Returns
        -------
        (B, G, 384 * max(1, len(layers))) tensor
        """
        return self.transform(self.encoder(groups, self.cloud_statistics), centers, layers)

    def transform(self, tokens: Tensor, centers: Tensor, layers: Sequence[int] = ()) -> Tensor:
        """The part after the token encoder: tokens (B, G, 384) of its own, see ``forward``."""
        outputs = self.blocks(tokens, self.pos_embed(centers), layers)
        kept = outputs[:-1] if layers else outputs
        return torch.cat([self.norm(x) for x in kept], dim=-1)


def load_point_mae(
    weights: str | Path | WeightSet, *, device: torch.device | str = "cpu", cloud_statistics: bool = False
) -> PointMAE:
    """The extractor with weights, in evaluation, float32, frozen.

    Parameters
    ----------
    weights : str, Path or WeightSet
        A set, its name, or a file: ours or a checkpoint as published.
    device : torch.device or str
    cloud_statistics : bool
        See ``PointMAE``.

    Raises
    ------
    WeightsError
        If there is no such set, or the file is not Point-MAE's.
    """
    chosen = find(weights) if isinstance(weights, str) else weights
    path = chosen.path if isinstance(chosen, WeightSet) else chosen
    if path is None:
        raise WeightsError(f"The weights {chosen} are not on this computer", "Import them first")
    try:
        tensors = point_mae_tensors(read_tensors(path))
    except WeightsError as error:
        raise WeightsError(f"{path.name}: {error.problem}", error.remedy) from error
    with torch.device("meta"):
        model = PointMAE(cloud_statistics=cloud_statistics)
    model.load_state_dict(tensors, assign=True)
    return model.to(device).eval().requires_grad_(False)


def random_point_mae(seed: int = 0, *, cloud_statistics: bool = False) -> PointMAE:
    """The extractor before any training: the random network that weights are held against. In evaluation, frozen."""
    model = PointMAE(cloud_statistics=cloud_statistics)
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv1d):
            nn.init.trunc_normal_(module.weight, std=0.02, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model.eval().requires_grad_(False)


def point_mae_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Pick the extractor's tensors out of a checkpoint and check them.

    Accepts our own names and the official ones (``MAE_encoder.`` before them; the decoder's tensors are left out).

    Returns
    -------
    dict
        Every tensor of ``PointMAE.state_dict()``, float32 (its counters int64).

    Raises
    ------
    WeightsError
        If one is missing, of another shape, or holds values that are not finite; says what was expected and found.
    """
    prefix = "MAE_encoder."
    inner = {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    found = inner or dict(tensors)
    remedy = (
        "Choose a Point-MAE checkpoint of the published size (384 wide, 12 blocks), such as the official pretrain.pth"
    )
    # Whatever else lies there belongs to the decoder or to a classifier made of it.
    return pick_tensors(found, _expected(), title="Point-MAE", remedy=remedy, unused=("",))


@lru_cache(maxsize=1)
def _expected() -> Mapping[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in PointMAE().state_dict().items()}
