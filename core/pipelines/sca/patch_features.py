"""Patch features of a placed scan: backbone tokens after Spatial Context Aggregation, and what stands beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.backbones.point_tokens import cut_groups, extractor
from core.backbones.weights import WeightSet
from core.geometry.fpfh import fpfh
from core.geometry.normals import estimate_normals
from core.geometry.patches import Patches, make_patches
from core.pipelines.sca.aggregation import prototype_count, spatial_context_aggregation
from core.pipelines.sca.anchors import PLACED, SurfaceAnchors
from core.pipelines.sca.certainty import normal_certainty
from core.pipelines.sca.config import ScaConfig
from core.runtime import Runtime

Floats = NDArray[np.float32]

_NORMAL_STEPS = 4.0
"""Neighbours that make a normal lie within this many voxels."""
_REACH = 2.0


@dataclass(frozen=True, eq=False)
class PatchSet:
    """The patches of a scan and what is known of them.

    Attributes
    ----------
    patches : Patches
    centers : (n, 3) float32
        In part radii.
    tokens : (n, C) float32
        The backbone's features after the aggregation (or as they came, where it is off).
    geometry : (n, 33) float32
        Square roots of the FPFH's shares, each block of unit length.
    placed : (n, 6) float32
        How the patch lies to the good parts' mean surface, NaN where it shows too little to tell; no columns without
        one.
    prototype : (n,) int64
        The prototype that each patch belongs to most.
    shift : (n,) float32
        How far the aggregation moved each feature.
    heights : (V,) float32 or None
        Of each point above the mean surface, in part radii.
    """

    patches: Patches
    centers: Floats
    tokens: Floats
    geometry: Floats
    placed: Floats
    prototype: NDArray[np.int64]
    shift: Floats
    heights: Floats | None


def backbone_features(
    groups: Floats, centers: Floats, weights: WeightSet, layer: int, runtime: Runtime, *, cloud_statistics: bool = False
) -> Tensor:
    """(n, 384) features of (n, k, 3) groups after transformer block ``layer``; 0 is the token encoder alone.

    Later blocks are not computed.
    """
    model = extractor(weights, runtime.device, cloud_statistics)
    with torch.inference_mode():
        x = model.encoder(torch.from_numpy(groups).to(runtime.device)[None], cloud_statistics)
        position = model.pos_embed(torch.from_numpy(centers).to(runtime.device)[None])
        for block in list(model.blocks.blocks)[:layer]:
            x = block(x + position)
        return model.norm(x)[0].clone()


def _within_reach(points: Floats, patches: Patches) -> Patches:
    """The patches with points beyond ``_REACH`` usual patch radii replaced by the centre (as a ball query would)."""
    own = points[patches.centers_index]
    distances = np.linalg.norm(points[patches.neighbors] - own[:, None], axis=2)
    far = distances > _REACH * np.median(distances.max(axis=1))
    return Patches(patches.centers_index, np.where(far, patches.centers_index[:, None], patches.neighbors))


def patch_set(
    points: Floats,
    step: float,
    start: int | None,
    scale: float,
    weights: WeightSet,
    surface: SurfaceAnchors | None,
    config: ScaConfig,
    runtime: Runtime,
) -> PatchSet:
    """The patches of a cloud.

    Parameters
    ----------
    points : (V, 3) float32
        In part radii.
    step : float
        The voxel, in part radii.
    start : int or None
        The first centre; the point farthest from the centroid if None.
    scale : float
        What patches are multiplied by before the backbone.
    """
    # Where a scan shows little of a surface, the nearest points lie on another one: they say nothing of this one.
    normals = estimate_normals(points, k=min(20, max(3, len(points))), radius=_NORMAL_STEPS * step)
    outwards = points - points.mean(axis=0)
    normals = np.where(np.einsum("ij,ij->i", normals, outwards)[:, None] < 0, -normals, normals)
    patches = _within_reach(
        points, make_patches(points, config.patches, config.patch_points, start=start, runtime=runtime)
    )
    groups, centers = cut_groups(points, patches.centers_index, patches.neighbors)
    tokens = backbone_features(
        groups * np.float32(scale),
        centers,
        weights,
        config.layer,
        runtime,
        cloud_statistics=config.normalisation == "cloud_statistics",
    )
    raw = fpfh(points, normals, patches.centers_index, config.fpfh_radius * step, runtime=runtime)
    geometry = np.sqrt(np.maximum(np.nan_to_num(raw), 0.0) / 200.0).astype(np.float32)
    prototype, shift = np.zeros(len(centers), np.int64), np.zeros(len(centers), np.float32)
    if config.aggregation:
        with torch.inference_mode():
            index = torch.arange(prototype_count(len(centers), config.prototypes), device=tokens.device)
            context = spatial_context_aggregation(
                tokens[None],
                torch.from_numpy(geometry).to(tokens.device)[None],
                torch.from_numpy(centers).to(tokens.device)[None],
                index[None],  # centres come farthest first, so that the first ones are farthest-point samples
                config.aggregation_options(),
            )
            refined = context.features[0]
            shift = (refined - tokens).norm(dim=-1).cpu().numpy()
            prototype = context.assignment[0].cpu().numpy()
            tokens = refined
    placed, heights = np.zeros((len(centers), 0), np.float32), None
    if surface is not None:
        certainty = normal_certainty(points, _NORMAL_STEPS * step) if config.turn == "angle" else None
        placed, heights = surface.describe(points, normals, patches.neighbors, certainty)
        assert placed.shape[1] == len(PLACED)
    return PatchSet(patches, centers, tokens.cpu().numpy(), geometry, placed, prototype, shift, heights)
