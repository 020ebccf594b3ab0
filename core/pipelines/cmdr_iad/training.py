"""Training of the four networks, each alone, on features that were taken once (P3 3.4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from core.pipelines.cmdr_iad.config import CmdrIadConfig
from core.pipelines.cmdr_iad.described import Described
from core.pipelines.cmdr_iad.networks import TASKS, TITLES, Networks, Task, told
from core.progress import Progress
from core.runtime import Runtime

_SHARES = {"map_2d": 1.0, "map_3d": 1.0, "rec_2d": 3.0, "rec_3d": 1.5}
"""About how the time divides, for the progress alone."""
_MANY = 10
"""Scans from which on a training has steps enough for each to show a few cells."""
_SALTS: dict[Task, int] = {task: 31 + i for i, task in enumerate(TASKS["2d+3d"])}


def seeds(runtime: Runtime) -> dict[Task, int]:
    """Of each network's first weights."""
    return {task: int(torch.randint(2**31, (), generator=runtime.generator(salt))) for task, salt in _SALTS.items()}


def cosine_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """1 - mean cosine of (n, C) features at valid cells: 0 for the same directions, 2 for opposite ones."""
    return 1.0 - functional.cosine_similarity(found, wanted, dim=-1).mean()


def train(
    networks: Networks, parts: Sequence[Described], config: CmdrIadConfig, runtime: Runtime, progress: Progress
) -> None:
    """Train every network on the good parts. They are left in evaluation mode, on the runtime's device."""
    total = sum(_SHARES[task] for task in networks.modules)
    start = 0.0
    for task, module in networks.modules.items():
        end = start + _SHARES[task] / total
        _train_one(task, module.to(runtime.device), parts, config, runtime, progress.part(start, end, TITLES[task]))
        start = end


def _train_one(
    task: Task,
    module: nn.Module,
    parts: Sequence[Described],
    config: CmdrIadConfig,
    runtime: Runtime,
    progress: Progress,
) -> None:
    draws = runtime.generator(_SALTS[task], 1)
    module.train()
    optimizer = torch.optim.Adam(module.parameters(), lr=config.learning_rate)
    with torch.random.fork_rng(devices=[runtime.device] if runtime.device.type == "cuda" else []):
        torch.manual_seed(int(torch.randint(2**31, (), generator=draws)))
        for epoch in range(config.epochs):
            losses = []
            for i in torch.randperm(len(parts), generator=draws).tolist():
                progress.check()
                loss = cosine_loss(
                    *told(task, module, parts[i], cells_of_step(parts[i], len(parts), config.cells_per_step, draws))
                )
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                losses.append(float(loss.detach()))
            progress.metric(f"loss {task}", epoch + 1, float(np.mean(losses)))
            progress.update((epoch + 1) / config.epochs, f"epoch {epoch + 1} of {config.epochs}")
    module.eval()


def cells_of_step(part: Described, scans: int, count: int, draws: torch.Generator) -> NDArray[np.int64] | None:
    """(count,) which of a part's valid cells a step looks at; None for all of them.

    All where few scans make few steps: five made plates, 60 steps of 512 cells each, did not teach the maps.
    """
    if scans < _MANY or not 0 < count < len(part.cells):
        return None
    return torch.randperm(len(part.cells), generator=draws)[:count].numpy()
