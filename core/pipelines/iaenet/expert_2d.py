"""The 2D expert: how unlike each place of a part's pictures is to what good parts show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from core.backbones.image_features import ImageFeatures
from core.geometry.fpfh import fpfh
from core.geometry.neighbors import nearest
from core.geometry.views import mean_over_views
from core.pipelines.iaenet.expert_3d import CodedCloud
from core.pipelines.iaenet.frame import Prepared
from core.pipelines.iaenet.links import Links, cells_of_pixels, linked_cells
from core.pipelines.iaenet.memory import DualMemory, Sample
from core.pipelines.iaenet.pictures import SIZE, Photographer, Picture
from core.pipelines.iaenet.settings_2d import Settings2D
from core.pipelines.iaenet.vectors_2d import SIDE, CellVectors, cell_vectors
from core.runtime import Runtime

Floats = NDArray[np.float32]

_CELLS = SIDE * SIDE
_GRAZING = 1e-3
"""Weight of a view that sees a point edge-on."""
_FAINT = 1e-6
"""Weight of a pixel that the blur brings nothing to."""


@dataclass(frozen=True, eq=False)
class Described:
    """A scan as the 2D expert sees it.

    Attributes
    ----------
    pictures : list of Picture
    vectors : list of CellVectors
        One for each picture.
    """

    pictures: list[Picture]
    vectors: list[CellVectors]


class ImageMemory:
    """The 2D side of the memory: one dual memory for each group of pictures that are searched together.

    Where scans share a pose a view shows the same side of each, and is searched by itself; elsewhere all are one group.
    ``spread`` is ``places.usual_spread``, where X2 is held against it.
    """

    def __init__(
        self, groups: Sequence[Sequence[int]], memories: Sequence[DualMemory], spread: Floats | None = None
    ) -> None:
        self.groups, self.memories = [list(group) for group in groups], list(memories)
        self.spread = spread

    @classmethod
    def build(
        cls,
        coded: Sequence[CodedCloud],
        described: Sequence[Described],
        groups: Sequence[Sequence[int]],
        runtime: Runtime,
        *,
        levels: Sequence[Floats] | None = None,
        usual: tuple[int, int] | None = None,
        max_codes: int = 0,
        max_vectors: int = 0,
    ) -> ImageMemory:
        """From the good scans; see ``DualMemory.build``. ``max_vectors`` bounds all groups together.

        ``levels`` are ``Expert3D.levels``, where X1 is relative. ``usual`` are k2 and the non-zeros with which the 2D
        vectors' own levels are found, where X2 is.
        """
        memories: list[DualMemory] = []
        share = -(-max_vectors // len(groups)) if max_vectors > 0 else 0
        for group in groups:
            samples = [
                _sample(c, d, group, None if levels is None else levels[i])
                for i, (c, d) in enumerate(zip(coded, described, strict=True))
            ]
            memory = DualMemory.build(samples, runtime, max_codes=max_codes, max_vectors=share)
            if usual is not None:
                memory = replace(memory, vectors=memory.vectors.with_usual_residuals(*usual))
            if memories:  # the same codes: held once
                memory = replace(memory, codes=memories[0].codes, centers=memories[0].centers)
            memories.append(memory)
        return cls(groups, memories)

    @property
    def shape(self) -> DualMemory:
        """The memory that holds the codes of good patches."""
        return self.memories[0]

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        state: dict[str, NDArray[Any]] = {
            "groups": np.concatenate([np.full(len(g), i) for i, g in enumerate(self.groups)]).astype(np.int64)
        }
        for i, memory in enumerate(self.memories):
            own = memory.state()
            state |= {f"{i}/{key}": own[key] for key in own if i == 0 or key not in _OF_CODES}
        return state if self.spread is None else state | {"spread": self.spread}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]], runtime: Runtime) -> ImageMemory:
        """What ``state`` gave."""
        names = np.asarray(state["groups"], np.int64)
        groups = [np.flatnonzero(names == i).tolist() for i in range(int(names.max()) + 1)]
        memories: list[DualMemory] = []
        for i in range(len(groups)):
            own = {key.partition("/")[2]: value for key, value in state.items() if key.startswith(f"{i}/")}
            memory = DualMemory.from_state(
                {**{key: state[f"0/{key}"] for key in _OF_CODES if f"0/{key}" in state}, **own}, runtime
            )
            if memories:
                memory = replace(memory, codes=memories[0].codes, centers=memories[0].centers)
            memories.append(memory)
        spread = state.get("spread")
        return cls(groups, memories, None if spread is None else np.asarray(spread, np.float32))


_OF_CODES = ("codes", "code_scans", "centers", "levels")


class Expert2D:
    """Describes scans and judges them by a memory.

    Parameters
    ----------
    features : ImageFeatures
        Frozen.
    photographer : Photographer
    settings : Settings2D
    runtime : Runtime
    """

    def __init__(
        self, features: ImageFeatures, photographer: Photographer, settings: Settings2D, runtime: Runtime
    ) -> None:
        self.features, self.photographer, self.settings, self.runtime = features, photographer, settings, runtime

    def describe(self, prepared: Prepared, pictures: list[Picture] | None = None) -> Described:
        """The pictures of a scan and their cells' vectors."""
        pictures = self.photographer.take(prepared) if pictures is None else pictures
        cloud = np.concatenate([prepared.cloud, prepared.filling])
        descriptors = fpfh(
            cloud,
            np.concatenate([prepared.normals, prepared.filling_normals]),
            np.arange(len(cloud)),
            self.settings.fpfh_radius,
            self.settings.fpfh_neighbors,
            runtime=self.runtime,
        )
        maps = self.features(torch.from_numpy(np.stack([one.image for one in pictures]))).cpu().numpy()
        vectors = [cell_vectors(m, descriptors, one.index) for m, one in zip(maps, pictures, strict=True)]
        return Described(pictures, vectors)

    def judge(
        self,
        prepared: Prepared,
        described: Described,
        memory: ImageMemory,
        codes: Tensor,
        *,
        without: int | None = None,
    ) -> Floats:
        """(V,) X2 of each point: distance of its cells' vectors to their reconstructions (paper, eq. 3).

        With ``settings.relative`` less what such good vectors reach, so that it is about 0 on a good part everywhere.

        Parameters
        ----------
        codes : integer tensor
            Bank rows that the 3D expert found for the scan's patches.
        without : int, optional
            A training scan whose vectors do not count, where the cloud is made from it.
        """
        maps: dict[int, Floats] = {}
        for v, values in enumerate(self.residuals(described, memory, codes, without=without)):
            cells = described.vectors[v].cells
            if memory.spread is not None and self.settings.steadiness > 0:
                values = values / (1.0 + memory.spread[v, cells] / self.settings.steadiness)
            maps[v] = self._map(cells, values)
        return self._to_points(prepared, described.pictures, [maps[v] for v in range(len(maps))])

    def residuals(
        self, described: Described, memory: ImageMemory, codes: Tensor, *, without: int | None = None
    ) -> list[Floats]:
        """Of each picture, the residual of each of its cells' vectors; parameters as of ``judge``."""
        result: dict[int, Floats] = {}
        for group, own in zip(memory.groups, memory.memories, strict=True):
            asked = [described.vectors[v] for v in group]
            found = self._residuals(np.concatenate([one.values for one in asked]), own, codes, without)
            ends = np.cumsum([len(one.cells) for one in asked])
            result |= dict(zip(group, np.split(found, ends[:-1]), strict=True))
        return [result[v] for v in range(len(result))]

    def smoothed(self, prepared: Prepared, pictures: Sequence[Picture], values: Floats) -> Floats:
        """(V,) ``values`` blurred as X2 is: laid out on each picture, blurred there, and brought back to the points."""
        if self.settings.blur <= 0:
            return values
        shown = []
        for one in pictures:
            mask = one.mask & (one.index < len(values))  # what fills gaps has no values
            laid = np.where(mask, values[np.where(mask, one.index, 0)], 0.0)
            shown.append(self._blurred(laid, mask.astype(np.float64)))
        return self._to_points(prepared, pictures, shown)

    def _residuals(self, queries: Floats, memory: DualMemory, codes: Tensor, without: int | None) -> Floats:
        if len(queries) == 0 or not (memory.vectors.scans != (-1 if without is None else without)).any():
            return np.zeros(len(queries), np.float32)
        with torch.inference_mode():
            rebuilt = memory.reconstruct_vectors(
                torch.from_numpy(queries).to(self.runtime.device),
                self.settings.neighbors,
                self.settings.nonzeros,
                without=without,
                among=codes if self.settings.linked else None,
            )
            residual = rebuilt.residual
            if self.settings.relative:
                residual = residual - memory.vectors.usual(rebuilt.rows)
        found: Floats = residual.cpu().numpy()
        return found

    def _map(self, cells: NDArray[np.int64], values: Floats) -> Floats:
        """(224, 224) of the cells' values: bilinear, then blurred."""
        grid = np.zeros((2, _CELLS), np.float32)
        grid[0, cells], grid[1, cells] = values, 1.0
        large = torch.nn.functional.interpolate(
            torch.from_numpy(grid.reshape(1, 2, SIDE, SIDE)), size=(SIZE, SIZE), mode="bilinear", align_corners=False
        )[0].numpy()
        return self._blurred(large[0], large[1])

    def _blurred(self, values: NDArray[np.floating], weight: NDArray[np.floating]) -> Floats:
        return blurred(values, weight, self.settings.blur, held=self.settings.held)

    def _squareness(self, prepared: Prepared, pictures: Sequence[Picture]) -> Floats | None:
        """(V, K) what each view counts at each point; None where all count alike."""
        if not self.settings.facing or len(pictures) < 2:
            return None
        towards = np.stack([one.towards for one in pictures], axis=1).astype(np.float32)
        squares: Floats = np.square(prepared.normals @ towards) + np.float32(_GRAZING)
        return squares

    def _to_points(self, prepared: Prepared, pictures: Sequence[Picture], maps: Sequence[Floats]) -> Floats:
        seen = np.stack([one.visible for one in pictures], axis=1)
        values = [m[one.pixels[:, 0], one.pixels[:, 1]] for m, one in zip(maps, pictures, strict=True)]
        if self.settings.highest:
            lowest = np.where(seen.T, np.stack(values), -np.inf).max(axis=0)
            result = np.where(np.isfinite(lowest), lowest, np.nan).astype(np.float32)
        else:
            result = mean_over_views(values, seen, self._squareness(prepared, pictures))
        unseen = np.isnan(result)
        if unseen.all():
            return np.zeros(len(result), np.float32)
        if unseen.any():
            known = np.flatnonzero(~unseen)
            near = nearest(prepared.cloud[known], prepared.cloud[unseen], 1)[1][:, 0]
            result[unseen] = result[known[near]]
        return result


def blurred(values: NDArray[np.floating], weight: NDArray[np.floating], sigma: float, *, held: bool) -> Floats:
    """A map under a Gaussian with replicated borders (in floats, without the 8-bit step of the published codes).

    Parameters
    ----------
    values : (H, W)
        Already 0 where ``weight`` is.
    weight : (H, W)
        1 on the part, 0 off it.
    sigma : float
        In pixels; 0 leaves the map as it is.
    held : bool
        Whether only what has weight counts, so that nothing fades towards the part's outline.
    """
    own = gaussian_filter(values.astype(np.float64), sigma, mode="nearest") if sigma > 0 else values
    if held:
        spread = gaussian_filter(weight.astype(np.float64), sigma, mode="nearest") if sigma > 0 else weight
        own = np.where(spread > _FAINT, own / np.maximum(spread, _FAINT), 0.0)
    return own.astype(np.float32)


def _sample(coded: CodedCloud, described: Described, group: Sequence[int], levels: Floats | None) -> Sample:
    """What a good scan gives to the memory of a group of pictures."""
    owners, rows, start = [], [], 0
    for v in group:
        picture, vectors = described.pictures[v], described.vectors[v]
        row_of = np.full(_CELLS, -1, np.int64)
        row_of[vectors.cells] = start + np.arange(len(vectors.cells))
        start += len(vectors.cells)
        pixel = np.where(picture.visible, picture.pixels[:, 0] * SIZE + picture.pixels[:, 1], -1)
        cells = cells_of_pixels(pixel, size=SIZE, side=SIDE)[coded.patches.neighbors]
        links = linked_cells(cells, side=SIDE)
        owners.append(links.owners)
        rows.append(row_of[links.rows])
    owner, row = np.concatenate(owners), np.concatenate(rows)
    kept = row >= 0
    return Sample(
        coded.codes.cpu().numpy(),
        coded.centers,
        np.concatenate([described.vectors[v].values for v in group]),
        Links.from_pairs(owner[kept], row[kept], len(coded.codes)),
        levels,
    )
