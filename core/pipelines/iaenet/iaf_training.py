"""Training of the importance-aware fusion on maps that were computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import smooth_l1_loss

from core.pipelines.iaenet.iaf import ImportanceAwareFusion, baseline, cross_entropy, fusion_loss
from core.progress import Progress
from core.runtime import Runtime

Floats = NDArray[np.float32]

_PROBES, _REACH = 512, 1.25
"""Places between the scores, from 0 to the reach, at which the fusion is held near the linear one, anew each step."""
_AT_ONCE = 65_536
"""Points whose mean and variance are taken at once."""


@dataclass(frozen=True)
class IafSettings:
    """See ``IaenetConfig`` for each.

    Attributes
    ----------
    epochs, batch, points : int
    balance, learning_rate, weight_decay, margin, weight, linear_prior : float
    positive_only, through_gate : bool
    """

    epochs: int
    batch: int
    points: int
    balance: float
    learning_rate: float
    weight_decay: float
    margin: float
    weight: float
    linear_prior: float
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
    bad = [one.nonzero()[:, 0] for one in truths]

    def drawn(i: int) -> torch.Tensor:
        return _some(len(inputs[i]), bad[i], settings, draws)

    once = [drawn(i) for i in range(len(inputs))]
    seen = torch.cat([one[rows] for one, rows in zip(inputs, once, strict=True)])
    truth = torch.cat([one[rows] for one, rows in zip(truths, once, strict=True)])
    b = baseline(seen, truth, positive_only=settings.positive_only)
    probes = _PROBES if settings.linear_prior > 0 else 0
    weights, offset = best_line(seen, truth) if probes else (np.zeros(2), 0.0)
    line = torch.as_tensor(weights, dtype=torch.float32, device=device)
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
            chosen = [drawn(i) for i in batch.tolist()]
            x = torch.cat([inputs[i][rows] for i, rows in zip(batch.tolist(), chosen, strict=True)]).to(device)
            y = torch.cat([truths[i][rows] for i, rows in zip(batch.tolist(), chosen, strict=True)]).to(device)
            between = (torch.rand((probes, 2), generator=draws) * _REACH).to(device)
            importance, logits = model(torch.cat([x, between]))
            held = smooth_l1_loss(logits[len(x) :], between @ line + offset) if probes else 0.0
            importance, logits = importance[: len(x)], logits[: len(x)]
            costs = cross_entropy(logits, y, positive_only=settings.positive_only)
            loss = fusion_loss(
                importance, costs, b, margin=settings.margin, weight=settings.weight,
                through_gate=settings.through_gate,
            )  # fmt: skip
            loss = loss + settings.linear_prior * held
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        progress.metric("fusion loss", epoch + 1, float(np.mean(losses)))
        progress.update((epoch + 1) / settings.epochs, f"fusion, epoch {epoch + 1} of {settings.epochs}")
    share = probes / min(len(inputs), settings.batch)  # of probes to a map, as in the steps
    between = torch.rand((round(share * len(inputs)), 2), generator=draws) * _REACH
    _settle(model, torch.cat([*(inputs[i][drawn(i)] for i in range(len(inputs))), between]), draws)
    return model.eval().requires_grad_(False)


def best_line(maps: torch.Tensor, labels: torch.Tensor) -> tuple[NDArray[np.float64], float]:
    """Weights (2,), none below 0, and offset of the logistic regression that tells anomalous points best.

    An expert whose weight would be negative is left out: its score is high where a part is good, which is chance.
    """
    table, bad = maps.numpy().astype(np.float64), labels.numpy() > 0.5
    weights = np.zeros(2)
    if not bad.any() or bad.all():
        return weights + 1.0, -1.0
    linear: Any = import_module("sklearn.linear_model")
    used = [0, 1]
    while used:
        found = linear.LogisticRegression(C=100.0).fit(table[:, used], bad)
        if (found.coef_[0] >= 0).all():
            weights[used] = found.coef_[0]
            return weights, float(found.intercept_[0])
        used.pop(int(np.argmin(found.coef_[0])))
    return weights + 1.0, -1.0


def _settle(model: ImportanceAwareFusion, table: torch.Tensor, draws: torch.Generator) -> None:
    """Give the normalisations the mean and variance under the final weights, instead of those of the last steps.

    ``table`` : (n, 2) float32, as a step sees it.
    """
    norms = [layer for layer in model.modules() if isinstance(layer, torch.nn.BatchNorm1d)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over all that follows
    device = norms[0].weight.device
    table = table[torch.randperm(len(table), generator=draws)]
    with torch.no_grad():
        for part in table.chunk(-(-len(table) // _AT_ONCE)):
            model(part.to(device))
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


def _some(count: int, bad: torch.Tensor, settings: IafSettings, draws: torch.Generator) -> torch.Tensor:
    """Rows of a sample that a step looks at; ``bad`` are the anomalous ones."""
    number = settings.points if settings.points > 0 else count
    share = round(settings.balance * number) if len(bad) else 0
    if share == 0:
        return torch.arange(count) if number >= count else torch.randint(count, (number,), generator=draws)
    others = torch.randint(count, (number - share,), generator=draws)
    return torch.cat([bad[torch.randint(len(bad), (share,), generator=draws)], others])
