"""Training of the 3D expert's network: queries are pulled onto the surface along the gradient of the distance field."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from core.pipelines.iaenet.sdf import CODE_WIDTH, DistanceDecoder, PatchEncoder, PatchSdf
from core.pipelines.iaenet.sdf_patches import noisy_queries
from core.pipelines.iaenet.sdf_settings import SdfSettings
from core.progress import Progress
from core.runtime import Runtime, in_chunks

_FLOOR = 1e-12
_RISE = 0.05
"""Share of the steps in which the learning rate of the cosine schedule rises."""
_SETTLING = 512
"""Patches that an untrained encoder is settled on."""
_WINDOW = 20
"""Steps whose mean loss is one point of the curve."""


def pulled(distance: Callable[[Tensor], Tensor], queries: Tensor) -> Tensor:
    """Where the field pulls ``queries`` to: g = q - s * grad s / ||grad s||.

    Parameters
    ----------
    distance : callable
        (B, Q, 3) queries to (B, Q) signed distances.
    queries : (B, Q, 3) float tensor

    Returns
    -------
    (B, Q, 3) float tensor
        With the graph for training the field.
    """
    queries = queries.detach().requires_grad_()
    s = distance(queries).to(queries.dtype)
    (gradient,) = torch.autograd.grad(s.sum(), queries, create_graph=True)
    length = (gradient.square().sum(dim=-1, keepdim=True) + _FLOOR).sqrt()
    return queries - s[..., None] * gradient / length


def pull_loss(decoder: DistanceDecoder, codes: Tensor, queries: Tensor, targets: Tensor) -> Tensor:
    """Mean distance between where queries are pulled to and their nearest points on the surface.

    Parameters
    ----------
    codes : (B, 128) float tensor
    queries, targets : (B, Q, 3) float tensor
    """
    return (pulled(lambda at: decoder(codes, at), queries) - targets).norm(dim=-1).mean()


def distance_loss(decoder: DistanceDecoder, codes: Tensor, queries: Tensor, distances: Tensor) -> Tensor:
    """Mean difference between the field and the signed ``distances`` (B, Q) of (B, Q, 3) ``queries``."""
    return (decoder(codes, queries).to(distances.dtype) - distances).abs().mean()


def train_sdf(
    patches: Tensor,
    settings: SdfSettings,
    runtime: Runtime,
    progress: Progress,
    *,
    normals: Tensor | None = None,
    start: PatchSdf | None = None,
) -> PatchSdf:
    """The network trained on good patches.

    Parameters
    ----------
    patches : (T, P, 3) float32 tensor
        Normalised, of all good scans.
    normals : (T, P, 3) float32 tensor, optional
        Of their points, one-sided; the distance loss needs them.
    start : PatchSdf, optional
        Weights to start from; it is left as it is. Drawn anew if not given.

    Returns
    -------
    PatchSdf
        Frozen, for evaluation, on the runtime's device.

    Raises
    ------
    Cancelled
    """
    device, draws = runtime.device, runtime.generator(11)
    model = _drawn(settings, draws)
    if start is not None:
        model.load_state_dict(start.state_dict())
    model.to(device)
    patches = patches.to(device)
    sides = None if normals is None else normals.to(device)
    if settings.loss == "distance" and sides is None:
        raise ValueError("the distance loss needs normals")
    batch = min(settings.batch, len(patches))
    whole = len(patches) // batch  # a rest of few patches would upset the batch statistics; the order changes anyway
    steps = settings.epochs * whole
    if settings.steps > 0:
        steps = min(steps, settings.steps)
    if settings.trained == "decoder" and start is None:
        settle(model.encoder, patches, draws)
    fixed = encoded(model.eval(), patches, runtime) if settings.trained == "decoder" else None
    trained = model.parameters() if fixed is None else model.decoder.parameters()
    if fixed is None:
        model.train()
    optimizer = torch.optim.Adam(trained, lr=settings.learning_rate)
    order = torch.empty(0, dtype=torch.int64)
    losses: list[float] = []
    for step in range(steps):
        progress.update(step / steps, f"learning the surface, step {step + 1} of {steps}")
        if len(order) < batch:
            order = torch.randperm(len(patches), generator=draws)
        chosen, order = order[:batch].to(device), order[batch:]
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate(settings, step, steps)
        seen = patches[chosen]
        queries = noisy_queries(seen, settings, draws)
        loss_of: Callable[..., Tensor] = pull_loss
        goals = queries.targets
        if settings.loss == "distance":
            assert sides is not None
            loss_of, goals = distance_loss, queries.signed_distances(sides[chosen])
        if fixed is None:
            loss = descended(optimizer, runtime, _with_codes, loss_of, model, seen, queries.at, goals)
        else:
            loss = descended(optimizer, runtime, loss_of, model.decoder, fixed[chosen], queries.at, goals)
        losses.append(loss)
        if len(losses) == _WINDOW or step + 1 == steps:
            progress.metric("3D expert loss", step + 1, float(np.mean(losses)))
            losses.clear()
    progress.update(1.0)
    return model.eval().requires_grad_(False)


def untrained_sdf(patches: Tensor, settings: SdfSettings, runtime: Runtime) -> PatchSdf:
    """The network that training would start from, its encoder settled on ``patches`` (T, P, 3); frozen."""
    draws = runtime.generator(11)
    model = _drawn(settings, draws).to(runtime.device)
    settle(model.encoder, patches.to(runtime.device), draws)
    return model.eval().requires_grad_(False)


def _drawn(settings: SdfSettings, draws: torch.Generator) -> PatchSdf:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=draws)))
        model = PatchSdf()
        if settings.loss == "distance":
            model.decoder.start_flat()
    return model


def settle(encoder: PatchEncoder, patches: Tensor, draws: torch.Generator) -> None:
    """Give an untrained encoder the statistics of its layers on ``patches``; without, all codes are nearly the same."""
    norms = [layer for layer in encoder.modules() if isinstance(layer, nn.BatchNorm1d)]
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all that it sees
    encoder.train()
    some = torch.randperm(len(patches), generator=draws)[:_SETTLING]
    with torch.no_grad():
        for part in some.split(64):
            if len(part) > 1:
                encoder(patches[part.to(patches.device)])
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum


def encoded(model: PatchSdf, patches: Tensor, runtime: Runtime) -> Tensor:
    """(T, 128) codes of (T, P, 3) normalised ``patches``, without gradients."""
    codes = torch.empty((len(patches), CODE_WIDTH), device=runtime.device)

    def work(part: slice) -> None:
        codes[part] = model.encoder(patches[part])

    with torch.no_grad():
        in_chunks(len(codes), runtime.rows_per_chunk(4 * 4096 * patches.shape[1]), work)
    return codes


def descended(
    optimizer: torch.optim.Optimizer, runtime: Runtime, loss_of: Callable[..., Tensor], *arguments: object
) -> float:
    """One step of the optimiser down ``loss_of(*arguments)``; gives the loss before it."""
    with torch.autocast(runtime.device.type, torch.bfloat16, enabled=runtime.native_bfloat16):
        loss = loss_of(*arguments)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def _with_codes(
    loss_of: Callable[..., Tensor], model: PatchSdf, patches: Tensor, queries: Tensor, goals: Tensor
) -> Tensor:
    return loss_of(model.decoder, model.encoder(patches), queries, goals)


def rate(settings: SdfSettings, step: int, steps: int) -> float:
    """The share of the learning rate at a step: constant, or a short rise and a cosine."""
    if settings.schedule == "constant":
        return 1.0
    return min(1.0, (step + 1) / max(1.0, _RISE * steps)) * decayed(step / steps)


def decayed(done: float) -> float:
    """The cosine schedule's share of the learning rate when ``done`` of the steps are."""
    return max(0.01, 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))
