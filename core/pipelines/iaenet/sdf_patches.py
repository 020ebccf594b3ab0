"""Patches for the 3D expert: cut, normalised each by itself, and the noisy queries around them.

Shape-Guided first brings the whole cloud to its lowest corner and divides it by its extent along x. Patches and queries
are normalised again each by itself, in which that step drops out up to rounding; it is therefore left away, and with it
its dependence on the pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.geometry.patches import Patches, make_patches
from core.pipelines.iaenet.sdf_settings import SdfSettings
from core.runtime import Runtime

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class NormalizedPatches:
    """Patches of one cloud, each normalised by itself.

    Attributes
    ----------
    patches : Patches
        Indices into the cloud, (G,) centres and (G, P) members.
    points : (G, P, 3) float32 tensor
        Normalised, on the runtime's device.
    size : (G,) float32 tensor
        What 1 stands for, in the cloud's unit.
    """

    patches: Patches
    points: Tensor
    size: Tensor


def patch_count(number: int, overlap: float, patch_points: int, at_most: int = 0) -> int:
    """How many patches a cloud of ``number`` points is cut into: round half to even, at least one."""
    count = max(1, round(number * overlap / patch_points))
    return min(count, at_most) if at_most > 0 else count


def cut_patches(
    points: Floats, settings: SdfSettings, runtime: Runtime, *, overlap: float | None = None
) -> NormalizedPatches:
    """Farthest-point centres with their nearest points, normalised.

    Parameters
    ----------
    points : (N, 3) float32
        At least one. A cloud of fewer points than a patch has gives patches that hold points several times.
    overlap : float, optional
        ``settings.overlap`` if not given.
    """
    count = patch_count(len(points), overlap or settings.overlap, settings.patch_points, settings.max_patches)
    patches = make_patches(points, count, settings.patch_points, runtime=runtime)
    if patches.neighbors.shape[1] < settings.patch_points:
        again = np.arange(settings.patch_points) % patches.neighbors.shape[1]
        patches = Patches(patches.centers_index, patches.neighbors[:, again])
    cloud = torch.from_numpy(np.ascontiguousarray(points, np.float32)).to(runtime.device)
    members = cloud[torch.from_numpy(patches.neighbors).to(runtime.device)]
    frame = PatchFrame.of(members, settings)
    return NormalizedPatches(patches, frame.bring(members), frame.size)


@dataclass(frozen=True, eq=False)
class PatchFrame:
    """How patches are normalised, so that other points can be brought along.

    Attributes
    ----------
    middle : (G, 1, 3) float tensor
    size : (G,) float tensor
        1 for patches without extent.
    axes : (G, 3, 3) float tensor, or None
        New axes in columns, where patches are turned.
    """

    middle: Tensor
    size: Tensor
    axes: Tensor | None

    @classmethod
    def of(cls, patches: Tensor, settings: SdfSettings) -> PatchFrame:
        """The frames of (G, P, 3) ``patches``: divided by their size, their mean at the origin."""
        middle = patches.mean(dim=1, keepdim=True)
        if settings.patch_scale == "extent":
            size = (patches.amax(dim=1) - patches.amin(dim=1)).amax(dim=1)
        else:
            size = 2 * (patches - middle).norm(dim=2).amax(dim=1)
        size = torch.where(size > 0, size, torch.ones_like(size))
        frame = cls(middle, size, None)
        return frame if settings.frame == "scan" else cls(middle, size, principal_axes(frame.bring(patches)))

    def bring(self, points: Tensor) -> Tensor:
        """(G, Q, 3) ``points`` of the cloud in the frames of their patches."""
        normalized = (points - self.middle) / self.size[:, None, None]
        return normalized if self.axes is None else torch.einsum("gpi,gij->gpj", normalized, self.axes)


def principal_axes(patches: Tensor) -> Tensor:
    """(G, 3, 3) right-handed axes in columns, from the flattest direction's normal last, of centred ``patches``.

    The normal and the longest axis point to where the patch reaches farther (the sign of the third moment); a patch
    that is alike both ways looks the same from either.
    """
    spread = torch.einsum("gpi,gpj->gij", patches, patches).double()
    axes = torch.linalg.eigh(spread).eigenvectors.flip(2).to(patches.dtype)
    along = torch.einsum("gpi,gij->gpj", patches, axes)
    axes = axes * torch.where((along**3).sum(dim=1) < 0, -1.0, 1.0)[:, None, :]
    first, last = axes[:, :, 0], axes[:, :, 2]
    return torch.stack([first, torch.linalg.cross(last, first), last], dim=2)


def noise_factors(settings: SdfSettings) -> Floats:
    """(copies,) standard deviation of each noisy copy, in sigmas."""
    counts = (settings.near_copies, settings.far_copies, settings.surface_copies)
    return np.repeat(np.array([0.5, 1.0, 0.1], np.float32), counts)


def neighbor_distance(patches: Tensor, chosen: Tensor, neighbor: int) -> Tensor:
    """Distance of the chosen points to their neighbour of that number in the patch, themselves not counted.

    Parameters
    ----------
    patches : (B, P, 3) float tensor
    chosen : (B, Q, 3) float tensor
        Points of the patches.

    Returns
    -------
    (B, Q) float tensor
    """
    gaps = torch.cdist(chosen, patches)
    return gaps.kthvalue(min(neighbor + 1, patches.shape[1]), dim=2).values


def noisy_queries(patches: Tensor, settings: SdfSettings, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """One visit's queries and the patch's points that they are to be pulled to.

    Shape-Guided stores 20 noisy copies of a patch and draws one a visit. Here the copy's number is drawn, which says
    how far its noise reaches, and its noise is drawn anew: the same queries in distribution, without the store.

    Parameters
    ----------
    patches : (B, P, 3) float tensor
    draws : torch.Generator
        On the CPU, so that every device draws the same.

    Returns
    -------
    queries, targets : (B, Q, 3) float tensor
    """
    batch, size, _ = patches.shape
    device = patches.device
    chosen = patches
    if 0 < settings.queries < size:
        picked = torch.rand((batch, size), generator=draws).topk(settings.queries, dim=1).indices.to(device)
        chosen = patches.gather(1, picked[..., None].expand(-1, -1, 3))
    factors = torch.from_numpy(noise_factors(settings))
    copy = factors[torch.randint(len(factors), (batch,), generator=draws)].to(device)
    sigma = neighbor_distance(patches, chosen, settings.sigma_neighbor) * copy[:, None]
    noise = torch.randn(chosen.shape, generator=draws).to(device)
    queries = chosen + sigma[..., None] * noise
    return queries, nearest_targets(patches, queries)


def nearest_targets(patches: Tensor, queries: Tensor) -> Tensor:
    """(B, Q, 3): the point of its patch (B, P, 3) that is nearest to each query (B, Q, 3)."""
    found = torch.cdist(queries, patches).argmin(dim=2)
    return patches.gather(1, found[..., None].expand(-1, -1, 3))
