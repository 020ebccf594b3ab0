"""Training of the importance-aware fusion on maps that were computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from core.pipelines.iaenet.iaf import ImportanceAwareFusion, baseline, cross_entropy, fusion_loss
from core.progress import Progress
from core.runtime import Runtime

Floats = NDArray[np.float32]

_RISE = 8.0
"""Least rise of the logit over the range of a score that alone tells everything."""
_PROBES, _STEP, _REACH = 256, 0.05, 1.25
_AT_ONCE = 65_536
"""Points whose mean and variance are taken at once."""


@dataclass(frozen=True)
class IafSettings:
    """See ``IaenetConfig`` for each.

    Attributes
    ----------
    epochs, batch, points : int
    balance, learning_rate, weight_decay, margin, weight, monotone : float
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
    monotone: float
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
    b = baseline(
        torch.cat([one[rows] for one, rows in zip(inputs, once, strict=True)]),
        torch.cat([one[rows] for one, rows in zip(truths, once, strict=True)]),
        positive_only=settings.positive_only,
    )
    slopes = _RISE * merits(maps, labels)
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
            importance, logits = model(x)
            costs = cross_entropy(logits, y, positive_only=settings.positive_only)
            loss = fusion_loss(
                importance, costs, b, margin=settings.margin, weight=settings.weight,
                through_gate=settings.through_gate,
            )  # fmt: skip
            if settings.monotone > 0:
                loss = loss + settings.monotone * _falling(model, slopes, draws)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        progress.metric("fusion loss", epoch + 1, float(np.mean(losses)))
        progress.update((epoch + 1) / settings.epochs, f"fusion, epoch {epoch + 1} of {settings.epochs}")
    _settle(model, torch.cat([inputs[i][drawn(i)] for i in range(len(inputs))]), draws)
    return model.eval().requires_grad_(False)


def merits(maps: Sequence[Floats], labels: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """(2,) shares of 1: how well each expert tells the anomalous points, by how far its AUROC exceeds chance.

    A half each where neither does better than chance.
    """
    table, bad = np.concatenate(maps), np.concatenate(labels)
    if not bad.any() or bad.all():
        return np.full(2, 0.5)
    found = np.empty(2)
    for expert in range(2):
        ranks = rankdata(table[:, expert])
        of_bad = ranks[bad].sum() - bad.sum() * (bad.sum() + 1) / 2
        found[expert] = max(of_bad / (float(bad.sum()) * float((~bad).sum())) - 0.5, 0.0)
    return found / found.sum() if found.sum() > 0 else np.full(2, 0.5)


def _falling(model: ImportanceAwareFusion, slopes: NDArray[np.float64], draws: torch.Generator) -> torch.Tensor:
    """How much the logit rises less than ``slopes`` with either expert's score, in the mean over the scores' range."""
    device = next(model.parameters()).device
    at = (torch.rand((_PROBES, 2), generator=draws) * _REACH).to(device)
    steps = _STEP * torch.eye(2, device=device)
    model.eval()  # these points must not enter the statistics of real ones
    _, logits = model(torch.cat([at, at + steps[0], at + steps[1]]))
    model.train()
    here, *there = logits.chunk(3)
    wanted = torch.as_tensor(slopes, dtype=torch.float32).tolist()
    lacks = [(want - (value - here) / _STEP).clamp_min(0.0).mean() for want, value in zip(wanted, there, strict=True)]
    return torch.stack(lacks).sum()


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
