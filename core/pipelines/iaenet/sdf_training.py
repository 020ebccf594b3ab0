"""Training of the 3D expert's network: queries are pulled onto the surface along the gradient of the distance field."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from core.pipelines.iaenet.sdf import PatchSdf
from core.pipelines.iaenet.sdf_patches import noisy_queries
from core.pipelines.iaenet.sdf_settings import SdfSettings
from core.progress import Progress
from core.runtime import Runtime

_FLOOR = 1e-12
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


def pull_loss(model: PatchSdf, patches: Tensor, queries: Tensor, targets: Tensor) -> Tensor:
    """Mean distance between where queries are pulled to and their nearest points on the surface.

    Parameters
    ----------
    patches : (B, P, 3) float tensor
    queries, targets : (B, Q, 3) float tensor
    """
    codes = model.encoder(patches)
    return (pulled(lambda at: model.decoder(codes, at), queries) - targets).norm(dim=-1).mean()


def train_sdf(
    patches: Tensor, settings: SdfSettings, runtime: Runtime, progress: Progress, *, start: PatchSdf | None = None
) -> PatchSdf:
    """The network trained on good patches.

    Parameters
    ----------
    patches : (T, P, 3) float32 tensor
        Normalised, of all good scans.
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
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=draws)))
        model = PatchSdf()
    if start is not None:
        model.load_state_dict(start.state_dict())
    model.to(device).train()
    patches = patches.to(device)
    batch = min(settings.batch, len(patches))
    whole = len(patches) // batch  # a rest of few patches would upset the batch statistics; the order changes anyway
    steps = settings.epochs * whole
    if settings.steps > 0:
        steps = min(steps, settings.steps)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    order = torch.empty(0, dtype=torch.int64)
    losses: list[float] = []
    for step in range(steps):
        progress.update(step / steps, f"learning the surface, step {step + 1} of {steps}")
        if len(order) < batch:
            order = torch.randperm(len(patches), generator=draws)
        chosen, order = order[:batch].to(device), order[batch:]
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * (decayed(step / steps) if settings.schedule == "cosine" else 1.0)
        seen = patches[chosen]
        losses.append(optimized(model, optimizer, seen, *noisy_queries(seen, settings, draws), runtime))
        if len(losses) == _WINDOW or step + 1 == steps:
            progress.metric("3D expert loss", step + 1, float(np.mean(losses)))
            losses.clear()
    progress.update(1.0)
    return model.eval().requires_grad_(False)


def optimized(
    model: PatchSdf,
    optimizer: torch.optim.Optimizer,
    patches: Tensor,
    queries: Tensor,
    targets: Tensor,
    runtime: Runtime,
) -> float:
    """One step of the optimiser; gives the loss before it."""
    with torch.autocast(runtime.device.type, torch.bfloat16, enabled=runtime.native_bfloat16):
        loss = pull_loss(model, patches, queries, targets)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def decayed(done: float) -> float:
    """The cosine schedule's share of the learning rate when ``done`` of the steps are."""
    return max(0.01, 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))
