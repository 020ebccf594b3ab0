"""Training of the importance-aware fusion on maps that were computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from core.pipelines.iaenet.iaf import ImportanceAwareFusion, baseline, cross_entropy, fusion_loss
from core.progress import Progress
from core.runtime import Runtime

Floats = NDArray[np.float32]

_AT_ONCE = 65_536
"""Points whose mean and variance are taken at once."""


@dataclass(frozen=True)
class IafSettings:
    """See ``IaenetConfig`` for each.

    Attributes
    ----------
    epochs, batch, points : int
    learning_rate, weight_decay, margin, weight : float
    positive_only, through_gate : bool
    """

    epochs: int
    batch: int
    points: int
    learning_rate: float
    weight_decay: float
    margin: float
    weight: float
    positive_only: bool
    through_gate: bool


def train_iaf(
    maps: Sequence[Floats], labels: Sequence[NDArray[np.bool_]], settings: IafSettings, runtime: Runtime,
    progress: Progress,
) -> ImportanceAwareFusion:  # fmt: skip
    """The fusion trained to tell anomalous points from good ones by both experts' scaled scores.

    Parameters
    ----------
    maps : sequence of (n_i, 2) float32
        Of each sample.
    labels : sequence of (n_i,) bool

    Returns
    -------
    ImportanceAwareFusion
        Frozen, for evaluation, on the runtime's device.

    Raises
    ------
    Cancelled
    """
    device, draws = runtime.device, runtime.generator(21)
    inputs = [torch.from_numpy(one) for one in maps]
    truths = [torch.from_numpy(one.astype(np.float32)) for one in labels]
    b = baseline(torch.cat(inputs), torch.cat(truths), positive_only=settings.positive_only)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=draws)))
        model = ImportanceAwareFusion()
    model.to(device).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    steps = settings.epochs * -(-len(inputs) // settings.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(settings.epochs):
        losses = []
        for batch in torch.randperm(len(inputs), generator=draws).split(settings.batch):
            progress.check()
            chosen = [_some(len(inputs[i]), settings.points, draws) for i in batch.tolist()]
            x = torch.cat([inputs[i][rows] for i, rows in zip(batch.tolist(), chosen, strict=True)]).to(device)
            y = torch.cat([truths[i][rows] for i, rows in zip(batch.tolist(), chosen, strict=True)]).to(device)
            importance, logits = model(x)
            costs = cross_entropy(logits, y, positive_only=settings.positive_only)
            loss = fusion_loss(
                importance, costs, b, margin=settings.margin, weight=settings.weight,
                through_gate=settings.through_gate,
            )  # fmt: skip
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        progress.metric("fusion loss", epoch + 1, float(np.mean(losses)))
        progress.update((epoch + 1) / settings.epochs, f"fusion, epoch {epoch + 1} of {settings.epochs}")
    _settle(model, inputs, settings.points, draws)
    return model.eval().requires_grad_(False)


def _settle(model: ImportanceAwareFusion, inputs: Sequence[torch.Tensor], points: int, draws: torch.Generator) -> None:
    """Give the normalisations the mean and variance under the final weights, instead of those of the last steps."""
    norms = [layer for layer in model.modules() if isinstance(layer, torch.nn.BatchNorm1d)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over all that follows
    device = norms[0].weight.device
    table = torch.cat([one[_some(len(one), points, draws)] for one in inputs])
    table = table[torch.randperm(len(table), generator=draws)]
    with torch.no_grad():
        for part in table.chunk(-(-len(table) // _AT_ONCE)):
            model(part.to(device))
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


def _some(count: int, at_most: int, draws: torch.Generator) -> torch.Tensor:
    """Rows of a sample that a step looks at."""
    if at_most <= 0 or count <= at_most:
        return torch.arange(count)
    return torch.randint(count, (at_most,), generator=draws)
