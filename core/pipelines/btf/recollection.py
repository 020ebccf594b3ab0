"""What one kind of features remembers of good parts, and how far a scan's patches are from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.backbones.patch_memory import PatchMemory
from core.geometry.reweighting import reweighted_maximum
from core.pipelines.btf.config import BtfConfig
from core.runtime import Runtime

Floats = NDArray[np.float32]

_LEVEL_SCANS, _LEVEL_ROWS = 20, 1000
"""Good scans, and patches of each, that say how far good patches are from other scans' patches."""
_LEVEL = 0.99


@dataclass(frozen=True, eq=False)
class Found:
    """How a scan's patches compare with the memory.

    Attributes
    ----------
    distances : (n,) float32
        Mean distance to the nearest good patches, in the features' own unit.
    weight : float
        PatchCore's weight of the part's score, 0 to 1; 1 where it is turned off.
    """

    distances: Floats
    weight: float


class Recollection:
    """A memory of good patches and the usual distance from it.

    Attributes
    ----------
    memory : PatchMemory
    level : float
        The distance that one good patch in a hundred exceeds, measured from the patches of the other good scans.
    """

    def __init__(self, memory: PatchMemory, level: float) -> None:
        self.memory, self.level = memory, level

    @classmethod
    def learn(cls, good: Iterable[Tensor], scans: int, config: BtfConfig, runtime: Runtime) -> Recollection:
        """Of the (n, C) features of each of ``scans`` good scans."""
        asked = set(np.linspace(0, scans - 1, min(scans, _LEVEL_SCANS)).astype(int).tolist())
        kept: dict[int, Tensor] = {}

        def watched() -> Iterable[Tensor]:
            for i, rows in enumerate(good):
                if i in asked:
                    some = torch.randperm(len(rows), generator=runtime.generator(17, i))[:_LEVEL_ROWS]
                    kept[i] = rows[some.to(rows.device)]
                yield rows

        memory = PatchMemory.learn(watched(), scans, runtime, share=config.coreset, most=config.memory)
        away = [
            memory.nearest(rows, config.neighbors, without=i)[0].mean(dim=1).cpu().numpy() for i, rows in kept.items()
        ]
        level = float(np.quantile(np.concatenate(away), _LEVEL))
        return cls(memory, level if level > 0 else 1.0)

    def compare(self, rows: Tensor, config: BtfConfig) -> Found:
        """Hold a scan's (n, C) patches against the memory."""
        distances, items = self.memory.nearest(rows, config.neighbors)
        first = distances[:, 0]
        weight = 1.0
        if config.reweighting and float(first.max()) > 0:
            others = config.reweighting_neighbors - 1
            bank = self.memory.bank
            worst = reweighted_maximum(rows.to(bank.device), bank, first, items[:, 0], neighbours=others)
            weight = worst / float(first.max())
        return Found(distances.mean(dim=1).cpu().numpy(), weight)

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        return {
            "bank": self.memory.bank.cpu().numpy(),
            "owners": self.memory.owners.cpu().numpy(),
            "level": np.array(self.level),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]], runtime: Runtime) -> Recollection:
        """What ``state`` gave."""
        memory = PatchMemory(torch.from_numpy(state["bank"]), torch.from_numpy(state["owners"]), runtime)
        return cls(memory, float(state["level"]))
