"""A bank of good feature vectors: exact search, and rebuilding of new vectors from what is found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.pipelines.iaenet.pursuit import matching_pursuit
from core.runtime import Runtime, in_chunks

Floats = NDArray[np.float32]

_SPARE = 8
"""Candidates beyond k that are measured exactly: the fast form of the distance can reorder near ties."""


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Vectors rebuilt from a bank.

    Attributes
    ----------
    values : (Q, C) float32 tensor
    residual : (Q,) float32 tensor
        Distance of each vector to its reconstruction.
    rows : (Q, k) int64 tensor
        Bank rows that were found, nearest first.
    distances : (Q, k) float32 tensor
    coefficients : (Q, k) float32 tensor
        Of the rows; at most the asked number of them is not 0.
    """

    values: Tensor
    residual: Tensor
    rows: Tensor
    distances: Tensor
    coefficients: Tensor


class Bank:
    """Vectors of good scans, and which scan each is of.

    Parameters
    ----------
    vectors : (M, C) float32 array
    scans : (M,) integer array
        Number of the training scan of each vector.
    runtime : Runtime
        Where to search.
    levels : (M,) float32 array, optional
        What score is usual where such a vector is found: see ``Expert3D.levels`` and ``with_usual_residuals``.
    """

    def __init__(
        self, vectors: Floats, scans: NDArray[np.integer], runtime: Runtime, levels: Floats | None = None
    ) -> None:
        self.vectors = np.ascontiguousarray(vectors, np.float32)
        self.scans = np.ascontiguousarray(scans, np.int32)
        if self.vectors.ndim != 2 or self.scans.shape != (len(self.vectors),):
            raise ValueError(f"vectors {self.vectors.shape} and scans {self.scans.shape} do not match")
        self.runtime = runtime
        self.levels = None if levels is None else np.ascontiguousarray(levels, np.float32)

    def __len__(self) -> int:
        return len(self.vectors)

    @cached_property
    def _table(self) -> Tensor:
        return torch.from_numpy(self.vectors).to(self.runtime.device)

    @cached_property
    def _middle(self) -> Tensor:
        return self._table.mean(dim=0)

    @cached_property
    def _centred(self) -> Tensor:
        """About the mean, where |a|^2 + |b|^2 - 2ab loses the fewest digits."""
        return self._table - self._middle

    @cached_property
    def _squares(self) -> Tensor:
        return self._centred.square().sum(dim=1)

    @cached_property
    def _owners(self) -> Tensor:
        return torch.from_numpy(self.scans).to(self.runtime.device)

    def owners_of(self, rows: Tensor) -> Tensor:
        """(m,) the scans of these (m,) rows."""
        return self._owners[rows]

    def with_usual_residuals(self, k: int, nonzeros: int) -> Bank:
        """The same vectors, with how far each is from what those of the other scans make of it as its level.

        Where there is one scan alone, nothing is known to be usual: 0.
        """
        levels = np.zeros(len(self), np.float32)
        scans = np.unique(self.scans)
        for scan in scans if len(scans) > 1 else []:
            own = np.flatnonzero(self.scans == scan)
            queries = self._table[torch.from_numpy(own).to(self.runtime.device)]
            levels[own] = self.reconstruct(queries, k, nonzeros, without=int(scan)).residual.cpu().numpy()
        return Bank(self.vectors, self.scans, self.runtime, levels)

    def usual(self, rows: Tensor) -> Tensor:
        """(Q,) mean level of each query's (Q, k) ``rows``.

        Raises
        ------
        ValueError
            If the bank has no levels.
        """
        if self.levels is None:
            raise ValueError("scores can be held against what is usual only with a bank that has levels")
        return torch.from_numpy(self.levels).to(rows.device)[rows].mean(dim=1)

    def search(
        self, queries: Tensor, k: int, *, without: int | None = None, rows: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The ``k`` nearest vectors of each query, exactly.

        Parameters
        ----------
        queries : (Q, C) float32 tensor on the runtime's device
        k : int
            More than there are means all.
        without : int, optional
            A scan whose vectors do not count: a training scan must not find itself.
        rows : (m,) int64 tensor, optional
            Search among these only.

        Returns
        -------
        distances : (Q, k) float32 tensor, ascending
        rows : (Q, k) int64 tensor

        Raises
        ------
        ValueError
            If nothing is left to search among.
        """
        allowed = self._allowed(without, rows)
        table, squares = self._centred, self._squares
        if allowed is not None:
            table, squares = table[allowed], squares[allowed]
        if len(table) == 0:
            raise ValueError("there is nothing to search among")
        k = min(k, len(table))
        wide = min(k + _SPARE, len(table))
        distances = torch.empty((len(queries), k), device=queries.device)
        found = torch.empty((len(queries), k), dtype=torch.int64, device=queries.device)

        def work(part: slice) -> None:
            asked = queries[part] - self._middle
            near = torch.addmm(squares, asked, table.T, alpha=-2.0).topk(wide, dim=1, largest=False, sorted=False)
            exact = (asked[:, None] - table[near.indices]).square().sum(dim=2).sqrt()
            best = exact.topk(k, dim=1, largest=False, sorted=True)
            distances[part], found[part] = best.values, near.indices.gather(1, best.indices)

        bytes_a_row = 8 * len(table) + 4 * wide * (table.shape[1] + 4)
        in_chunks(len(queries), self.runtime.rows_per_chunk(bytes_a_row), work)
        return distances, found if allowed is None else allowed[found]

    def reconstruct(
        self, queries: Tensor, k: int, nonzeros: int, *, without: int | None = None, rows: Tensor | None = None
    ) -> Reconstruction:
        """Each query rebuilt from its ``k`` nearest vectors, of which ``nonzeros`` get a weight."""
        distances, found = self.search(queries, k, without=without, rows=rows)
        values, coefficients = torch.empty_like(queries), torch.empty_like(distances)

        def work(part: slice) -> None:
            atoms = self._table[found[part]]
            coefficients[part] = matching_pursuit(queries[part], atoms, nonzeros)
            values[part] = torch.einsum("qk,qkc->qc", coefficients[part], atoms)

        in_chunks(len(queries), self.runtime.rows_per_chunk(12 * found.shape[1] * queries.shape[1]), work)
        return Reconstruction(values, (queries - values).norm(dim=1), found, distances, coefficients)

    def _allowed(self, without: int | None, rows: Tensor | None) -> Tensor | None:
        """The rows to search among; None means all."""
        if without is None:
            return rows
        if rows is None:
            return (self._owners != without).nonzero()[:, 0]
        return rows[self._owners[rows] != without]
