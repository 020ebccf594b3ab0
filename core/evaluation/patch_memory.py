"""PatchCore's memory: what good patches look like, and how far a patch is from all of them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from core.geometry.coreset import greedy_coreset
from core.runtime import Runtime, in_chunks

SHARE = 0.1
"""Of the good patches that the coreset keeps (Roth et al. 2022 use 1, 10 and 25 %)."""
MOST_KEPT = 2_000
_MOST_ROWS = 50_000
_MOST_BYTES = 400 * 2**20
"""Good patches that the coreset is chosen from: more are thinned at random before."""


class PatchMemory:
    """A coreset of the features of good patches.

    Parameters
    ----------
    good : iterable of (n, C) Tensor
        Features of each good scan's patches; taken one after another.
    scans : int
        How many there will be: each may bring its share of what memory holds.
    """

    def __init__(self, good: Iterable[Tensor], scans: int, runtime: Runtime) -> None:
        self._runtime = runtime
        kept = []
        for i, rows in enumerate(good):
            most = min(_MOST_ROWS, _MOST_BYTES // (4 * rows.shape[1])) // max(scans, 1)
            if len(rows) > most:
                chosen = torch.randperm(len(rows), generator=runtime.generator(11, i))[: max(most, 1)]
                rows = rows[chosen.sort().values.to(rows.device)]
            kept.append(rows.float())
        table = torch.cat(kept)
        count = max(1, min(round(SHARE * len(table)), MOST_KEPT))
        self.bank = table[torch.from_numpy(greedy_coreset(table, count, seed=runtime.seed)).to(table.device)].clone()

    def distances(self, rows: Tensor) -> Tensor:
        """(n,) distance of each of (n, C) features to the nearest in the memory."""
        rows = rows.float()
        result = torch.empty(len(rows), device=rows.device)

        def work(part: slice) -> None:
            result[part] = torch.cdist(rows[part], self.bank).amin(dim=1)

        in_chunks(len(rows), self._runtime.rows_per_chunk(8 * len(self.bank)), work)
        return result
