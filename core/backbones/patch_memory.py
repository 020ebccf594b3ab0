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

    Attributes
    ----------
    bank : (m, C) float32 Tensor
        On the runtime's device.
    owners : (m,) int64 Tensor
        Which good scan each item comes from.
    """

    def __init__(self, bank: Tensor, owners: Tensor, runtime: Runtime) -> None:
        self.bank = bank.float().to(runtime.device)
        self.owners = owners.to(runtime.device)
        self._runtime = runtime

    @classmethod
    def learn(
        cls, good: Iterable[Tensor], scans: int, runtime: Runtime, *, share: float = SHARE, most: int = MOST_KEPT
    ) -> PatchMemory:
        """A memory of good scans.

        Parameters
        ----------
        good : iterable of (n, C) Tensor
            Features of each good scan's patches; taken one after another.
        scans : int
            How many there will be: each may bring its share of what memory holds.
        share : float
            Of the patches that are kept, above 0 up to 1.
        most : int
            Never more items than these.
        """
        kept, owners = [], []
        for i, rows in enumerate(good):
            limit = min(_MOST_ROWS, _MOST_BYTES // (4 * rows.shape[1])) // max(scans, 1)
            if len(rows) > limit:
                chosen = torch.randperm(len(rows), generator=runtime.generator(11, i))[: max(limit, 1)]
                rows = rows[chosen.sort().values.to(rows.device)]
            kept.append(rows.float())
            owners.append(torch.full((len(rows),), i, dtype=torch.int64))
        table = torch.cat(kept)
        count = max(1, min(round(share * len(table)), most))
        items = torch.from_numpy(greedy_coreset(table, count, seed=runtime.seed))
        return cls(table[items.to(table.device)].clone(), torch.cat(owners)[items], runtime)

    def nearest(self, rows: Tensor, k: int = 1, *, without: int | None = None) -> tuple[Tensor, Tensor]:
        """The ``k`` items nearest to each of (n, C) features.

        Parameters
        ----------
        rows : (n, C) Tensor
        k : int
            At least 1; fewer where the memory has not so many.
        without : int, optional
            A good scan whose own items do not count, so that it can be judged by the others. Where the memory holds
            nothing else, they do.

        Returns
        -------
        distances : (n, k) float32 Tensor
            Ascending.
        items : (n, k) int64 Tensor
            Rows of ``bank``.
        """
        names = torch.arange(len(self.bank), device=self.bank.device)
        if without is not None and bool((self.owners != without).any()):
            names = names[self.owners != without]
        bank = self.bank[names]
        rows = rows.float().to(bank.device)
        k = min(k, len(bank))
        distances = torch.empty((len(rows), k), device=bank.device)
        items = torch.empty((len(rows), k), dtype=torch.int64, device=bank.device)

        def work(part: slice) -> None:
            found = torch.cdist(rows[part], bank).topk(k, dim=1, largest=False)
            distances[part], items[part] = found.values, names[found.indices]

        in_chunks(len(rows), self._runtime.rows_per_chunk(8 * len(bank)), work)
        return distances, items

    def distances(self, rows: Tensor) -> Tensor:
        """(n,) distance of each of (n, C) features to the nearest in the memory."""
        return self.nearest(rows)[0][:, 0]
