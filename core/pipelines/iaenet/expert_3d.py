"""The 3D expert: what a patch would look like on a good part, and how far each point lies from that surface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.geometry.neighbors import nearest
from core.geometry.normals import estimate_normals
from core.geometry.patches import Patches
from core.pipelines.iaenet.bank import Bank, Reconstruction
from core.pipelines.iaenet.sdf import PatchSdf, load_sdf
from core.pipelines.iaenet.sdf_patches import NormalizedPatches, cut_patches
from core.pipelines.iaenet.sdf_settings import SdfSettings
from core.pipelines.iaenet.sdf_training import encoded, train_sdf, untrained_sdf
from core.progress import Progress
from core.runtime import Runtime, in_chunks

Floats = NDArray[np.float32]

_NORMAL_POINTS = 12
_LEVEL_POINTS = 64
"""Points of a patch that its level is measured at, spread from its centre outwards."""
_LEAST_LEVEL = 0.25
"""Least level, in usual ones."""


@dataclass(frozen=True, eq=False)
class CodedCloud:
    """A cloud's patches and their codes.

    Attributes
    ----------
    cloud : (N, 3) float32
    cut : NormalizedPatches
    codes : (G, 128) float32 tensor
        f1 of each patch.
    """

    cloud: Floats
    cut: NormalizedPatches
    codes: Tensor

    @property
    def patches(self) -> Patches:
        return self.cut.patches

    @property
    def centers(self) -> Floats:
        """(G, 3) the patches' centres."""
        return self.cloud[self.cut.patches.centers_index]


@dataclass(frozen=True, eq=False)
class Judgement3D:
    """What the 3D expert says of a cloud.

    Attributes
    ----------
    points : (N,) float32
        X1: distance of each point to the surface rebuilt from good codes (paper, eq. 2).
    residual : (G,) float32
        Distance of each patch's code to its reconstruction, ||f1 - f1_hat||.
    rows : (G, k) int64 tensor
        Bank rows that each patch was rebuilt from, nearest first.
    distances : (G, k) float32
    patch : (N,) int64
        The patch that explains each point's score: that with the least distance, or, where X1 is a mean over patches,
        that whose centre is nearest.
    """

    points: Floats
    residual: Floats
    rows: Tensor
    distances: Floats
    patch: NDArray[np.int64]

    def nearest_good(self, bank: Bank) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """For each patch the bank row of the good patch most like it, and the training scan that is from."""
        rows = self.rows[:, 0].cpu().numpy()
        return rows, bank.scans[rows]


class Expert3D:
    """A trained network with what it takes to use it.

    Parameters
    ----------
    model : PatchSdf
        Frozen, on the runtime's device.
    settings : SdfSettings
    runtime : Runtime
    """

    def __init__(self, model: PatchSdf, settings: SdfSettings, runtime: Runtime) -> None:
        self.model, self.settings, self.runtime = model, settings, runtime

    @classmethod
    def fit(
        cls,
        clouds: Sequence[Floats],
        settings: SdfSettings,
        runtime: Runtime,
        progress: Progress,
        *,
        start: PatchSdf | None = None,
    ) -> Expert3D:
        """The expert trained on the good scans' patches.

        Parameters
        ----------
        clouds : sequence of (N, 3) float32
        start : PatchSdf, optional
            Weights to start from. With ``settings.epochs`` 0 they are used as they are; without them, evidence by
            residuals can do with an encoder that was never trained.

        Raises
        ------
        Cancelled
        """
        if settings.epochs <= 0 and start is not None:
            return cls(load_sdf(start.state_dict(), runtime.device), settings, runtime)
        if settings.epochs <= 0 and settings.evidence == "distance":
            raise ValueError("a field that is not trained needs weights to start from")
        cut = [
            cut_patches(
                cloud,
                settings,
                runtime,
                overlap=settings.train_overlap,
                normals=estimate_normals(cloud, k=_NORMAL_POINTS, runtime=runtime)
                if settings.loss == "distance"
                else None,
            )
            for cloud in progress.part(0.0, 0.1).over(clouds, "cutting patches, scan {i} of {n}")
        ]
        if settings.epochs <= 0:
            return cls(untrained_sdf(torch.cat([one.points for one in cut]), settings, runtime), settings, runtime)
        normals = [one.normals for one in cut if one.normals is not None]
        model = train_sdf(
            torch.cat([one.points for one in cut]),
            settings,
            runtime,
            progress.part(0.1, 1.0),
            normals=torch.cat(normals) if normals else None,
            start=start,
        )
        return cls(model, settings, runtime)

    def encode(self, cloud: Floats) -> CodedCloud:
        """The patches of a cloud and their codes."""
        cut = cut_patches(cloud, self.settings, self.runtime)
        return CodedCloud(cloud, cut, encoded(self.model, cut.points, self.runtime))

    def levels(self, coded: Sequence[CodedCloud]) -> list[Floats]:
        """For each patch of the good scans the evidence that it gives in the mean, rebuilt from other scans.

        With ``settings.relative``, ``judge`` holds the evidence against the levels of the patches that were found; hand
        them to the memory as ``Sample.levels``.
        """
        scans = np.repeat(np.arange(len(coded)), [len(one.codes) for one in coded])
        bank = Bank(torch.cat([one.codes for one in coded]).cpu().numpy(), scans, self.runtime)
        result = []
        for i, one in enumerate(coded):
            rebuilt = self._rebuilt(one, bank, i if len(coded) > 1 else None)
            if self.settings.evidence == "residual":
                result.append(rebuilt.residual.cpu().numpy())
                continue
            every = max(1, one.cut.points.shape[1] // _LEVEL_POINTS)
            found = self.distances(rebuilt.values, replace(one.cut, points=one.cut.points[:, ::every]))
            result.append(found.mean(dim=1).cpu().numpy())
        return result

    def _rebuilt(self, coded: CodedCloud, bank: Bank, without: int | None) -> Reconstruction:
        with torch.inference_mode():
            return bank.reconstruct(coded.codes, self.settings.neighbors, self.settings.nonzeros, without=without)

    def judge(self, coded: CodedCloud, bank: Bank, *, without: int | None = None) -> Judgement3D:
        """How far each point of a cloud lies from what good patches make of it.

        Parameters
        ----------
        coded : CodedCloud
        bank : Bank
            Codes of good patches.
        without : int, optional
            A training scan whose codes do not count, where the cloud is made from it.
        """
        with torch.inference_mode():
            rebuilt = self._rebuilt(coded, bank, without)
            residual = self.settings.evidence == "residual"
            if residual:
                found = rebuilt.residual[:, None].expand(coded.cut.points.shape[:2])
            else:
                found = self.distances(rebuilt.values, coded.cut)
            if self.settings.relative:
                found = found * _share_of_usual(bank, rebuilt.rows)[:, None]
            values, patch = merged(found, coded.cut.patches, coded.cloud, mean=residual)
        return Judgement3D(values, rebuilt.residual.cpu().numpy(), rebuilt.rows, rebuilt.distances.cpu().numpy(), patch)

    def distances(self, codes: Tensor, cut: NormalizedPatches) -> Tensor:
        """(G, P) |s| of each patch's own points on the surface of its (G, 128) code."""
        found = torch.empty(cut.points.shape[:2], device=self.runtime.device)

        def work(part: slice) -> None:
            found[part] = self.model.decoder(codes[part], cut.points[part]).abs()

        with torch.inference_mode():
            in_chunks(len(found), self.runtime.rows_per_chunk(4 * 2048 * self.settings.patch_points), work)
        return found * cut.size[:, None] if self.settings.unit == "scan" else found

    def state(self) -> dict[str, NDArray[Any]]:
        """The network as plain arrays."""
        return {name: value.cpu().numpy() for name, value in self.model.state_dict().items()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]], settings: SdfSettings, runtime: Runtime) -> Expert3D:
        """What ``state`` gave."""
        tensors = {name: torch.from_numpy(np.array(value)) for name, value in state.items()}
        return cls(load_sdf(tensors, runtime.device), settings, runtime)


def _share_of_usual(bank: Bank, rows: Tensor) -> Tensor:
    """(G,) what brings the evidence of patches, rebuilt from (G, k) ``rows``, to the usual level."""
    found = bank.usual(rows)
    usual = float(np.median(bank.levels)) if bank.levels is not None else 0.0
    return usual / found.clamp_min(max(_LEAST_LEVEL * usual, 1e-12))


def merged(
    evidence: Tensor, patches: Patches, cloud: Floats, *, mean: bool = False
) -> tuple[Floats, NDArray[np.int64]]:
    """The least evidence of each point over the patches that it lies in, or the mean of it.

    Parameters
    ----------
    evidence : (G, P) float tensor
        Of each patch's points.
    patches : Patches
    cloud : (N, 3) float32

    Returns
    -------
    values : (N,) float32
        Points in no patch take the value of the nearest point in one.
    patch : (N,) int64
        The patch with the least of a point, or, for the mean, with the nearest centre; of several the first.
    """
    neighbors, number = patches.neighbors, len(cloud)
    flat = torch.from_numpy(neighbors).to(evidence.device).flatten()
    if mean:
        count = np.bincount(neighbors.ravel(), minlength=number)
        total = np.bincount(neighbors.ravel(), evidence.flatten().cpu().numpy(), minlength=number)
        values = np.where(count > 0, total / np.maximum(count, 1), np.inf).astype(np.float32)
        apart = np.linalg.norm(cloud[neighbors] - cloud[patches.centers_index][:, None], axis=2)
        owners = _least(torch.from_numpy(apart).to(evidence.device), flat, number)[1]
    else:
        values, owners = _least(evidence, flat, number)
    bare = ~np.isfinite(values)
    if bare.any():
        covered = np.flatnonzero(~bare)
        closest = covered[nearest(cloud[covered], cloud[bare], 1)[1][:, 0]]
        values[bare], owners[bare] = values[closest], owners[closest]
    return values, owners


def _least(values: Tensor, members: Tensor, number: int) -> tuple[Floats, NDArray[np.int64]]:
    """The least of (G, P) ``values`` that each of ``number`` points has, infinite for none, and the first row of it."""
    least = torch.full((number,), torch.inf, device=values.device)
    least.scatter_reduce_(0, members, values.flatten(), "amin")
    row = torch.arange(len(values), device=values.device)[:, None].expand(values.shape).flatten()
    holds = values.flatten() == least[members]
    owner = torch.full((number,), len(values), dtype=torch.int64, device=values.device)
    owner.scatter_reduce_(0, members[holds], row[holds], "amin")
    return least.cpu().numpy(), owner.cpu().numpy()
