"""The dual memory bank: codes of good patches, and the 2D vectors that they refer to (paper, section 3.2.3).

Shape-guided retention: every code stays, and a 2D vector stays if a retained code refers to it. The paper reduces
nothing further; both sides can be bounded by a greedy coreset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.geometry.coreset import greedy_coreset
from core.pipelines.iaenet.bank import Bank, Reconstruction
from core.pipelines.iaenet.links import Links
from core.runtime import Runtime

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sample:
    """What one good scan gives to the memory.

    Attributes
    ----------
    codes : (G, 128) float32
        Of its patches.
    centers : (G, 3) float32
        Where they lie, in the scan's frame.
    vectors : (V, C) float32
        Of its image cells; V may be 0.
    links : Links
        Of G patches to rows of ``vectors``.
    levels : (G,) float32, optional
        Of its patches, see ``Expert3D.levels``.
    """

    codes: Floats
    centers: Floats
    vectors: Floats
    links: Links
    levels: Floats | None = None

    @classmethod
    def without_image(cls, codes: Floats, centers: Floats, levels: Floats | None = None) -> Sample:
        """Of a scan that only the 3D expert looks at."""
        nothing = Links(np.zeros(len(codes) + 1, np.int64), np.empty(0, np.int64))
        return cls(codes, centers, np.empty((0, 0), np.float32), nothing, levels)


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that a memory will take, before it is made.

    Attributes
    ----------
    codes, vectors, links : int
    """

    codes: int
    vectors: int
    links: int

    @property
    def total(self) -> int:
        return self.codes + self.vectors + self.links


def estimate_memory(
    scans: int,
    patches: int,
    vectors: int,
    vector_width: int,
    *,
    code_width: int = 128,
    links_a_patch: int = 40,
    max_codes: int = 0,
    max_vectors: int = 0,
) -> MemoryEstimate:
    """The largest that the memory can become.

    Parameters
    ----------
    scans, patches, vectors : int
        Good scans; patches, and 2D vectors on the part, of one of them.
    links_a_patch : int
        Cells that a patch refers to; 40 is usual for 500 points on a 28 x 28 grid.
    max_codes, max_vectors : int
        Bounds; 0 for none.
    """
    codes, kept = scans * patches, scans * vectors
    codes = min(codes, max_codes) if max_codes > 0 else codes
    kept = min(kept, max_vectors) if max_vectors > 0 else kept
    return MemoryEstimate(codes * (4 * code_width + 20), kept * (4 * vector_width + 4), codes * (8 * links_a_patch + 8))


@dataclass(frozen=True, eq=False)
class DualMemory:
    """The memory of a category.

    Attributes
    ----------
    codes : Bank
        (M, 128) codes of good patches.
    centers : (M, 3) float32
        Where these lie in their scans' frames.
    vectors : Bank
        (V, C) 2D vectors.
    links : Links
        Of M codes to rows of ``vectors``.
    """

    codes: Bank
    centers: Floats
    vectors: Bank
    links: Links

    @classmethod
    def build(
        cls, samples: Sequence[Sample], runtime: Runtime, *, max_codes: int = 0, max_vectors: int = 0
    ) -> DualMemory:
        """From what each good scan gives; the number of a scan is its place in ``samples``.

        Parameters
        ----------
        max_codes, max_vectors : int
            Bounds kept by a greedy coreset; 0 for none, as in the paper.
        """
        codes = np.concatenate([one.codes for one in samples])
        centers = np.concatenate([one.centers for one in samples])
        code_scans = np.repeat(np.arange(len(samples)), [len(one.codes) for one in samples])
        vectors = np.concatenate([one.vectors for one in samples])
        vector_scans = np.repeat(np.arange(len(samples)), [len(one.vectors) for one in samples])
        starts = np.cumsum([0] + [len(one.vectors) for one in samples])
        rows = np.concatenate([one.links.rows + start for one, start in zip(samples, starts, strict=False)])
        first = np.cumsum([0] + [len(one.codes) for one in samples])
        owners = np.concatenate([one.links.owners + start for one, start in zip(samples, first, strict=False)])

        given = [one.levels for one in samples if one.levels is not None]
        levels = np.concatenate(given) if len(given) == len(samples) else None

        kept = _coreset(codes, max_codes, runtime)
        codes, centers, code_scans = codes[kept], centers[kept], code_scans[kept]
        owners = _renumbered(kept, int(first[-1]))[owners]
        owners, rows = owners[owners >= 0], rows[owners >= 0]

        referred = np.unique(rows)
        if max_vectors > 0:
            referred = referred[_coreset(vectors[referred], max_vectors, runtime)]
        rows = _renumbered(referred, int(starts[-1]))[rows]
        owners, rows = owners[rows >= 0], rows[rows >= 0]
        return cls(
            Bank(codes, code_scans, runtime, None if levels is None else levels[kept]),
            centers.astype(np.float32),
            Bank(vectors[referred], vector_scans[referred], runtime),
            Links.from_pairs(owners, rows, len(codes)),
        )

    def linked(self, codes: Tensor) -> Tensor:
        """The rows of ``vectors`` that any of these code rows refers to, ascending.

        Parameters
        ----------
        codes : integer tensor of any shape
            Such as the rows found for all patches of a scan, which makes the union that Shape-Guided searches.
        """
        asked = np.unique(codes.cpu().numpy())
        begins, ends = self.links.offsets[asked], self.links.offsets[asked + 1]
        lengths = ends - begins
        places = np.repeat(begins - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
        return torch.from_numpy(np.unique(self.links.rows[places])).to(codes.device)

    def reconstruct_vectors(
        self, queries: Tensor, k: int, nonzeros: int, *, without: int | None = None, among: Tensor | None = None
    ) -> Reconstruction:
        """2D vectors rebuilt from the bank (paper, eq. 3): the whole one, or what ``among`` (code rows) refers to.

        Where the codes found refer to no vector, or to none but those of the scan ``without``, the whole bank is
        searched.
        """
        rows = None if among is None else self.linked(among)
        if rows is not None and not bool((self.vectors.owners_of(rows) != (-1 if without is None else without)).any()):
            rows = None
        return self.vectors.reconstruct(queries, k, nonzeros, without=without, rows=rows)

    @property
    def bytes(self) -> int:
        """What its arrays take."""
        return sum(array.nbytes for array in self.state().values())

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        levels = {"levels": self.codes.levels, "vector_levels": self.vectors.levels}
        known = {name: values for name, values in levels.items() if values is not None}
        return known | {
            "codes": self.codes.vectors,
            "code_scans": self.codes.scans,
            "centers": self.centers,
            "vectors": self.vectors.vectors,
            "vector_scans": self.vectors.scans,
            "link_offsets": self.links.offsets,
            "link_rows": self.links.rows,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]], runtime: Runtime) -> DualMemory:
        """What ``state`` gave."""
        return cls(
            Bank(state["codes"], state["code_scans"], runtime, state.get("levels")),
            np.asarray(state["centers"], np.float32),
            Bank(state["vectors"], state["vector_scans"], runtime, state.get("vector_levels")),
            Links(np.asarray(state["link_offsets"], np.int64), np.asarray(state["link_rows"], np.int64)),
        )


def _coreset(vectors: Floats, at_most: int, runtime: Runtime) -> NDArray[np.int64]:
    """Ascending rows to keep; all where there is no bound."""
    if at_most <= 0 or len(vectors) <= at_most:
        return np.arange(len(vectors))
    return np.sort(greedy_coreset(torch.from_numpy(vectors).to(runtime.device), at_most, seed=runtime.seed))


def _renumbered(kept: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """(count,) new number of each old row, -1 for those that are not kept."""
    numbers = np.full(count, -1, np.int64)
    numbers[kept] = np.arange(len(kept))
    return numbers
