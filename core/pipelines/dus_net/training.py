"""Fitting the networks to a category: Down-Net on its good scans made noisy, then Up-Net on the frozen Down-Net's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from core.backbones.down_up.down_net import DownNet, DownSizes
from core.backbones.down_up.groups import Groups
from core.backbones.down_up.network import DusNet, load_dus_net, rebuilt, recalled
from core.backbones.down_up.remembered import GoodSurface
from core.backbones.down_up.up_net import UpNet, UpSizes
from core.backbones.weights import default_weights, find
from core.geometry.neighbors import nearest
from core.geometry.normals import estimate_normals
from core.geometry.patches import Patches, make_patches
from core.pipelines.dus_net.config import DusNetConfig
from core.pipelines.dus_net.frame import Placed
from core.progress import Progress
from core.runtime import Runtime

Floats = NDArray[np.float32]

_NORMAL_POINTS = 12
_RISE = 0.05
"""Share of the steps in which the learning rate rises."""
_WINDOW = 10
"""Steps whose mean loss is one point of the curve."""
_TRUTH = 32
"""Measured points a centre that Up-Net is held against, at most."""


@dataclass(frozen=True, eq=False)
class Example:
    """A good scan, ready to be trained on.

    Attributes
    ----------
    cloud, normals : (V, 3) float32
    cut : Patches
        Of the cloud.
    dense : (M, 3) float32
        The part as it was measured.
    owner : (M,) int64
        The centre that each of these is nearest to.
    others : GoodSurface, or None
        What the other good scans have in common.
    scan_unit : float
        Length of the scan's unit in the category's frame.
    """

    cloud: Floats
    normals: Floats
    cut: Patches
    dense: Floats
    owner: NDArray[np.int64]
    others: GoodSurface | None
    scan_unit: float

    @classmethod
    def of(cls, placed: Placed, others: GoodSurface | None, config: DusNetConfig, runtime: Runtime) -> Example:
        cut = make_patches(placed.cloud, config.patches, config.patch_points, runtime=runtime)
        owner = nearest(placed.cloud[cut.centers_index], placed.points, 1)[1][:, 0]
        normals = estimate_normals(placed.cloud, k=max(3, min(_NORMAL_POINTS, len(placed.cloud))))
        return cls(placed.cloud, normals, cut, placed.points, owner, others, 1.0 / placed.length)


@dataclass(frozen=True, eq=False)
class _Sample:
    """What one step sees of one scan: noisy groups, the centres they should have, and the true points about them."""

    noisy: Groups
    wanted: Tensor
    dense: Tensor
    spacing: float
    others: GoodSurface | None


def started(config: DusNetConfig, runtime: Runtime) -> DusNet:
    """The networks before they are fitted: pretrained ones where the config says so and the sizes match, else drawn.

    Raises
    ------
    WeightsError
    """
    up = UpSizes(config.upsampling, output=config.up_output, axes=config.up_axes)
    if not config.start:
        down = DownSizes(config.width, config.depth, config.heads, config.down_output)
        return DusNet.drawn(down, up, _seed(runtime)).to(runtime.device)
    model = load_dus_net(default_weights("dus_net") if config.weights == "auto" else find(config.weights))
    sizes = model.down.sizes
    down = DownSizes(sizes.width, sizes.depth, sizes.heads, config.down_output)
    fresh = DusNet.drawn(down, up, _seed(runtime))
    if model.down.sizes != down:
        model.down = fresh.down
    if model.up.sizes != up:
        model.up = fresh.up
    return model.to(runtime.device)


def _seed(runtime: Runtime) -> int:
    return int(torch.randint(2**31, (), generator=runtime.generator(21)))


def train(
    model: DusNet, examples: Sequence[Example], config: DusNetConfig, runtime: Runtime, progress: Progress
) -> DusNet:
    """Both stages; gives the model, frozen, for evaluation.

    Raises
    ------
    Cancelled
    """
    down_loss, up_loss = config.down_loss(), config.up_loss()
    share = config.steps / max(1, config.steps + config.up_steps)

    def of_down(sample: _Sample, _: torch.Generator) -> Tensor:
        predicted = _centers(model.down, sample)
        terms = down_loss(sample.wanted, predicted, sample.noisy.radius)
        return torch.stack(list(terms.values())).sum()

    def of_up(sample: _Sample, draws: torch.Generator) -> Tensor:
        with torch.no_grad():
            centers = _centers(model.down, sample) if config.down_net else sample.wanted
        gap = torch.full((1,), sample.spacing / math.sqrt(config.upsampling), device=centers.device)
        terms = up_loss(rebuilt(model, centers), sample.dense, gap, draws)
        return torch.stack(list(terms.values())).sum()

    model.requires_grad_(False)
    if config.down_net and down_loss.used:
        _descend(model.down, config.steps, of_down, examples, config, runtime, progress.part(0.0, share), "Down-Net")
    if config.up_net and up_loss.used:
        _descend(model.up, config.up_steps, of_up, examples, config, runtime, progress.part(share, 1.0), "Up-Net")
    progress.update(1.0)
    return model.eval()


def _descend(
    network: DownNet | UpNet,
    steps: int,
    loss_of: Callable[[_Sample, torch.Generator], Tensor],
    examples: Sequence[Example],
    config: DusNetConfig,
    runtime: Runtime,
    progress: Progress,
    title: str,
) -> None:
    """AdamW with a short rise and a cosine."""
    salt = 1 if isinstance(network, DownNet) else 2
    network.train().requires_grad_(True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=0.01)
    losses: list[float] = []
    for step in range(steps):
        progress.update(step / steps, f"{title}, step {step + 1} of {steps}")
        rng, draws = runtime.rng(salt, step), runtime.generator(salt, step)
        sample = _sampled(examples[int(rng.integers(len(examples)))], network, config, runtime, rng, draws)
        for group in optimizer.param_groups:
            rise = min(1.0, (step + 1) / max(1.0, _RISE * steps))
            group["lr"] = config.learning_rate * rise * max(0.01, 0.5 * (1 + math.cos(math.pi * step / steps)))
        with torch.autocast(runtime.device.type, torch.bfloat16, enabled=runtime.native_bfloat16):
            loss = loss_of(sample, draws)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
        if len(losses) == _WINDOW or step + 1 == steps:
            progress.metric(f"{title} loss", step + 1, float(np.mean(losses)))
            losses.clear()
    network.eval().requires_grad_(False)


def _centers(network: DownNet, sample: _Sample) -> Tensor:
    known = None if sample.others is None else recalled([sample.others], sample.noisy)
    found: Tensor = network(sample.noisy, known)
    return found


def _sampled(
    example: Example,
    network: DownNet | UpNet,
    config: DusNetConfig,
    runtime: Runtime,
    rng: np.random.Generator,
    draws: torch.Generator,
) -> _Sample:
    """A scan and what is remembered for it, turned and scaled a little; some of its groups, swollen and noisy."""
    index = example.cut.centers_index
    places = example.cloud[index]
    chosen = np.arange(len(index))
    if len(index) > config.train_patches:
        # Up-Net must see the centres as densely as they are.
        if isinstance(network, UpNet) or rng.random() < config.cropping:
            away = np.square(places - places[rng.integers(len(places))]).sum(axis=1)
            chosen = np.argpartition(away, config.train_patches)[: config.train_patches]
        else:
            chosen = rng.choice(chosen, config.train_patches, replace=False)
    turn, scale = _small_turn(rng, config.turning), float(rng.normal(1.0, config.scaling))
    cloud, normals = (scale * (example.cloud @ turn)).astype(np.float32), (example.normals @ turn).astype(np.float32)
    swollen = config.swelling()(rng, cloud, normals)
    if config.jitter > 0:
        swollen = swollen + rng.normal(0.0, config.jitter, swollen.shape).astype(np.float32)
    groups = Groups.of(swollen, Patches(index[chosen], example.cut.neighbors[chosen]))
    noisy = config.noise()(groups, draws, example.scan_unit).to(runtime.device)
    owned = np.isin(example.owner, chosen)
    dense = example.dense[owned]
    if len(dense) > _TRUTH * len(chosen):
        dense = dense[rng.choice(len(dense), _TRUTH * len(chosen), replace=False)]
    gap = float(np.median(nearest(places, places[chosen[:200]], min(2, len(places)))[0][:, -1]))
    return _Sample(
        noisy,
        torch.from_numpy(cloud[index[chosen]])[None].to(runtime.device),
        torch.from_numpy((scale * (dense @ turn)).astype(np.float32))[None].to(runtime.device),
        max(scale * gap, 1e-12),
        None if example.others is None else example.others.turned(turn, scale),
    )


def _small_turn(rng: np.random.Generator, degrees: float) -> NDArray[np.float64]:
    """A rotation by normally distributed angles about the axes, to multiply rows with."""
    turn: NDArray[np.float64] = Rotation.from_rotvec(rng.normal(0.0, degrees, 3), degrees=True).as_matrix()
    return turn.T
