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

_GAP = 0.25
"""How far aside of the nearest point a query above the surface can lie, in sigmas: on a plane it lies 0.13 aside in the
mean, for sigma is the radius of a disc of 50 points."""


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
    normals : (G, P, 3) float32 tensor, or None
        Of the points, in the patches' frames, all to the side that the patch's own normal points to.
    """

    patches: Patches
    points: Tensor
    size: Tensor
    normals: Tensor | None = None


def patch_count(number: int, overlap: float, patch_points: int, at_most: int = 0) -> int:
    """How many patches a cloud of ``number`` points is cut into: round half to even, at least one."""
    count = max(1, round(number * overlap / patch_points))
    return min(count, at_most) if at_most > 0 else count


def cut_patches(
    points: Floats,
    settings: SdfSettings,
    runtime: Runtime,
    *,
    overlap: float | None = None,
    normals: Floats | None = None,
) -> NormalizedPatches:
    """Farthest-point centres with their nearest points, normalised.

    Parameters
    ----------
    points : (N, 3) float32
        At least one. A cloud of fewer points than a patch has gives patches that hold points several times.
    overlap : float, optional
        ``settings.overlap`` if not given.
    normals : (N, 3) float32, optional
        Of the points, of any sign.
    """
    count = patch_count(len(points), overlap or settings.overlap, settings.patch_points, settings.max_patches)
    patches = make_patches(points, count, settings.patch_points, runtime=runtime)
    if patches.neighbors.shape[1] < settings.patch_points:
        again = np.arange(settings.patch_points) % patches.neighbors.shape[1]
        patches = Patches(patches.centers_index, patches.neighbors[:, again])
    cloud = torch.from_numpy(np.ascontiguousarray(points, np.float32)).to(runtime.device)
    index = torch.from_numpy(patches.neighbors).to(runtime.device)
    frame = PatchFrame.of(cloud[index], settings)
    brought = frame.bring(cloud[index])
    if normals is None:
        return NormalizedPatches(patches, brought, frame.size)
    directions = torch.from_numpy(np.ascontiguousarray(normals, np.float32)).to(runtime.device)[index]
    return NormalizedPatches(patches, brought, frame.size, one_sided(brought, frame.turn(directions)))


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
        return self.turn((points - self.middle) / self.size[:, None, None])

    def turn(self, directions: Tensor) -> Tensor:
        """(G, Q, 3) ``directions`` of the cloud in the frames of their patches."""
        return directions if self.axes is None else torch.einsum("gpi,gij->gpj", directions, self.axes)


def one_sided(points: Tensor, normals: Tensor) -> Tensor:
    """(G, P, 3) ``normals`` with the signs that turn them to the side of the flattest direction of their patch."""
    last = principal_axes(points)[:, None, :, 2]
    return torch.where((normals * last).sum(dim=2, keepdim=True) < 0, -normals, normals)


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


@dataclass(frozen=True, eq=False)
class Queries:
    """Where the field is asked.

    Attributes
    ----------
    at : (B, Q, 3) float tensor
    targets : (B, Q, 3) float tensor
        The point of its patch that is nearest to each.
    nearest : (B, Q) int64 tensor
        The number of that point in the patch.
    sigma : (B, Q) float tensor
        Distance of the point that each was made from to its 50th neighbour.
    """

    at: Tensor
    targets: Tensor
    nearest: Tensor
    sigma: Tensor

    @classmethod
    def around(cls, patches: Tensor, at: Tensor, sigma: Tensor) -> Queries:
        """With the nearest points of (B, P, 3) ``patches``."""
        found = torch.cdist(at, patches).argmin(dim=2)
        return cls(at, patches.gather(1, found[..., None].expand(-1, -1, 3)), found, sigma)

    def signed_distances(self, normals: Tensor) -> Tensor:
        """(B, Q) distances to the surface with (B, P, 3) ``normals`` at the patches' points.

        The height above the nearest point's tangent plane, which does not suffer from the gaps between points; where a
        query lies farther aside than gaps are wide, it lies beyond an edge, and that distance adds up.
        """
        away = self.at - self.targets
        heights = (away * normals.gather(1, self.nearest[..., None].expand(-1, -1, 3))).sum(dim=2)
        aside = (away.square().sum(dim=2) - heights.square()).clamp_min(0).sqrt()
        beyond = (aside - _GAP * self.sigma).clamp_min(0)
        return torch.where(heights < 0, -1.0, 1.0) * (heights.square() + beyond.square()).sqrt()


def noisy_queries(patches: Tensor, settings: SdfSettings, draws: torch.Generator) -> Queries:
    """One visit's queries and the patch's points that they are to be pulled to.

    Shape-Guided stores 20 noisy copies of a patch and draws one a visit. Here the copy's number is drawn, which says
    how far its noise reaches, and its noise is drawn anew: the same queries in distribution, without the store.

    Parameters
    ----------
    patches : (B, P, 3) float tensor
    draws : torch.Generator
        On the CPU, so that every device draws the same.
    """
    batch, size, _ = patches.shape
    device = patches.device
    chosen = patches
    if 0 < settings.queries < size:
        picked = torch.rand((batch, size), generator=draws).topk(settings.queries, dim=1).indices.to(device)
        chosen = patches.gather(1, picked[..., None].expand(-1, -1, 3))
    factors = torch.from_numpy(noise_factors(settings))
    copy = factors[torch.randint(len(factors), (batch,), generator=draws)].to(device)
    sigma = neighbor_distance(patches, chosen, settings.sigma_neighbor)
    noise = torch.randn(chosen.shape, generator=draws).to(device)
    return Queries.around(patches, chosen + (sigma * copy[:, None])[..., None] * noise, sigma)
