"""Spatial Context Aggregation: each patch feature is grounded in prototypes of the whole part, without parameters.

Steps (paper, section "Spatial context aggregation"; the equations lost in print are those of README.md):

1. assignment of patches to prototypes by entropic optimal transport over place, geometry and feature;
2. local aggregation of each prototype over its K nearest patches;
3. global aggregation among prototypes closer than tau;
4. back-propagation from the prototypes to the patches;
5. snapping to the nearest prototypes in cosine space.

Everything is batched over clouds and runs on the tensors' device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from core.pipelines.sca.sinkhorn import balanced, transport_plan

Affinity = Literal["both", "geometry", "feature"]
Fusion = Literal["rows", "softmax"]
Snap = Literal["soft", "hard", "off"]
Mass = Literal["density", "uniform"]


@dataclass(frozen=True)
class AggregationOptions:
    """The constants of Spatial Context Aggregation; lengths in radii of the part.

    Attributes
    ----------
    neighbors : int
        K, the patches that a prototype aggregates over.
    mask_radius : float
        tau: prototypes further apart do not exchange.
    bandwidth : float
        tau_c of the kernel ``exp(-distance^2 / tau_c)``.
    temperature, iterations : float, int
        Of every Sinkhorn normalisation.
    rounds : int
        Alternations of assignment and centroid update.
    residual : float
        Share of a feature that each update keeps; the paper's text has none, GeoZe keeps one half.
    affinity : {"both", "geometry", "feature"}
        Which of W^g and W^z the local and global steps fuse.
    fusion : {"rows", "softmax"}
        How their product becomes weights: divided by its row sums, or the paper's literal softmax.
    global_step : bool
    snap : {"soft", "hard", "off"}
    mass : {"density", "uniform"}
        mu_j: share of the patches nearest to prototype j, or equal shares.
    """

    neighbors: int = 10
    mask_radius: float = 0.5
    bandwidth: float = 0.1
    temperature: float = 0.05
    iterations: int = 20
    rounds: int = 2
    residual: float = 0.5
    affinity: Affinity = "both"
    fusion: Fusion = "rows"
    global_step: bool = True
    snap: Snap = "soft"
    mass: Mass = "density"


@dataclass(frozen=True)
class Aggregated:
    """What the aggregation gives.

    Attributes
    ----------
    features : (B, n, C) float
        The refined patch features.
    prototypes : (B, m, C) float
        The prototypes' features after the global step.
    assignment : (B, n) int64
        The prototype to which most of each patch's mass goes.
    """

    features: Tensor
    prototypes: Tensor
    assignment: Tensor


def prototype_count(patches: int, share: float) -> int:
    """How many prototypes: ``share`` of the patches, but the 100 that the paper states for its 102.4 at n = 1024."""
    if patches == 1024 and share == 0.1:
        return 100
    return min(patches, max(1, round(share * patches)))


def coordinate_kernel(centers: Tensor, anchors: Tensor, bandwidth: float) -> Tensor:
    """(..., n, m) ``exp(-||c_i - p_j||^2 / tau_c)`` of (..., n, 3) centres and (..., m, 3) prototypes."""
    return (-_squared_distances(centers, anchors) / bandwidth).exp()


def fuse(geometry: Tensor, feature: Tensor, fusion: Fusion) -> Tensor:
    """Row-stochastic weights from the elementwise product of two normalised affinities, both (..., n, m)."""
    product = geometry * feature
    if fusion == "softmax":
        return product.softmax(dim=-1)
    return product / product.sum(dim=-1, keepdim=True).clamp_min(torch.finfo(product.dtype).tiny)


def spatial_context_aggregation(
    features: Tensor,
    geometry: Tensor,
    centers: Tensor,
    prototypes: Tensor,
    options: AggregationOptions | None = None,
) -> Aggregated:
    """Refine patch features by the context of their part.

    Features and descriptors are compared as unit vectors (as GeoZe does: raw FPFH products are about 1e4 and would
    drown everything else) and averaged as they are, so that a part of identical features stays as it is.

    Parameters
    ----------
    features : (B, n, C) float
        z, the backbone's patch features.
    geometry : (B, n, d) float
        g, a geometric descriptor of each patch, such as FPFH.
    centers : (B, n, 3) float
        c, patch centres of a part of unit radius.
    prototypes : (B, m) int64
        Which patches are the prototypes, from farthest-point sampling of the centres.
    """
    options = options or AggregationOptions()
    unit_features, unit_geometry = normalize(features, dim=-1), normalize(geometry, dim=-1)
    places = _rows(centers, prototypes)

    plan = _assign(unit_features, unit_geometry, centers, places, prototypes, options)
    shares = plan / plan.sum(dim=-2, keepdim=True).clamp_min(torch.finfo(plan.dtype).tiny)
    context = shares.mT @ features  # (B, m, C): prototypes' feature centroids
    context_geometry = normalize(shares.mT @ unit_geometry, dim=-1)

    context = _local(context, features, unit_features, unit_geometry, centers, places, prototypes, options)
    if options.global_step:
        context = _global(context, context_geometry, places, options)
    refined = _back(features, context, centers, places, options)
    if options.snap != "off":
        refined = _snap(refined, context, options)
    return Aggregated(refined, context, plan.argmax(dim=-1))


def _assign(
    features: Tensor, geometry: Tensor, centers: Tensor, places: Tensor, prototypes: Tensor, options: AggregationOptions
) -> Tensor:
    """(B, n, m): the transport plan of step 1, after ``rounds`` alternations with the centroids it implies."""
    distances = _squared_distances(centers, places)
    n, m = distances.shape[-2:]
    row_mass = centers.new_full(centers.shape[:2], 1.0 / n)
    if options.mass == "uniform":
        column_mass = centers.new_full((len(centers), m), 1.0 / m)
    else:
        nearest = distances.argmin(dim=-1)
        column_mass = torch.zeros_like(places[..., 0]).scatter_add_(1, nearest, row_mass)
    feature_centroids, geometry_centroids = _rows(features, prototypes), _rows(geometry, prototypes)
    plan = distances
    for _ in range(options.rounds):
        cost = (
            distances
            + _squared_distances(geometry, geometry_centroids)
            + _squared_distances(features, feature_centroids)
        )
        plan = transport_plan(
            cost, row_mass, column_mass, temperature=options.temperature, iterations=options.iterations
        )
        shares = plan / plan.sum(dim=-2, keepdim=True).clamp_min(torch.finfo(plan.dtype).tiny)
        feature_centroids, geometry_centroids = shares.mT @ features, shares.mT @ geometry
    return plan


def _local(
    context: Tensor,
    features: Tensor,
    unit_features: Tensor,
    unit_geometry: Tensor,
    centers: Tensor,
    places: Tensor,
    prototypes: Tensor,
    options: AggregationOptions,
) -> Tensor:
    """Step 2: each prototype takes from its K nearest patches, as its own patch would."""
    count = min(options.neighbors, centers.shape[1])
    distances = _squared_distances(places, centers)
    distances.scatter_(-1, prototypes[..., None], -1.0)  # first its own patch, also among duplicates
    nearest = distances.topk(count, largest=False, sorted=True).indices  # (B, m, K)
    weights = _affinity(_groups(unit_geometry, nearest), _groups(unit_features, nearest), options)
    taken = (weights[..., :1, :] @ _groups(features, nearest)).squeeze(-2)
    return options.residual * context + (1.0 - options.residual) * taken


def _global(context: Tensor, context_geometry: Tensor, places: Tensor, options: AggregationOptions) -> Tensor:
    """Step 3: prototypes within the mask radius exchange."""
    far = _squared_distances(places, places) > options.mask_radius**2
    far &= ~torch.eye(places.shape[1], dtype=torch.bool, device=places.device)
    weights = _affinity(context_geometry, normalize(context, dim=-1), options, far)
    return options.residual * context + (1.0 - options.residual) * (weights @ context)


def _affinity(geometry: Tensor, features: Tensor, options: AggregationOptions, masked: Tensor | None = None) -> Tensor:
    """(..., n, n): Sinkhorn-normalised similarities of unit descriptors and features, fused to row weights."""

    def similarity(vectors: Tensor) -> Tensor:
        products = vectors @ vectors.mT / math.sqrt(vectors.shape[-1])
        if masked is not None:
            products = products.masked_fill(masked, -torch.inf)
        return balanced(products, temperature=options.temperature, iterations=options.iterations)

    if options.affinity == "geometry":
        weights = similarity(geometry)
        return fuse(weights, torch.ones_like(weights), options.fusion)
    if options.affinity == "feature":
        weights = similarity(features)
        return fuse(weights, torch.ones_like(weights), options.fusion)
    return fuse(similarity(geometry), similarity(features), options.fusion)


def _back(features: Tensor, context: Tensor, centers: Tensor, places: Tensor, options: AggregationOptions) -> Tensor:
    """Step 4: prototypes hand their context back, by place and by feature."""
    by_place = -_squared_distances(centers, places) / options.bandwidth
    by_feature = normalize(features, dim=-1) @ normalize(context, dim=-1).mT / math.sqrt(features.shape[-1])
    # The kernels already are exponentials of these, so they are normalised at temperature 1.
    weights = fuse(
        balanced(by_place, temperature=1.0, iterations=options.iterations),
        balanced(by_feature, temperature=1.0, iterations=options.iterations),
        "rows",
    )
    return options.residual * features + (1.0 - options.residual) * (weights @ context)


def _snap(features: Tensor, context: Tensor, options: AggregationOptions) -> Tensor:
    """Step 5: features move to the prototypes that they resemble most."""
    cosines = normalize(features, dim=-1) @ normalize(context, dim=-1).mT
    if options.snap == "hard":
        return _rows(context, cosines.argmax(dim=-1))
    taken = (cosines / options.temperature).softmax(dim=-1) @ context
    return options.residual * features + (1.0 - options.residual) * taken


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """(B, n, m) squared distances; by differences in 3-D, where close centres must not lose digits."""
    if a.shape[-1] == 3:
        return (a[..., :, None, :] - b[..., None, :, :]).square().sum(dim=-1)
    squares = a.square().sum(dim=-1)[..., :, None] + b.square().sum(dim=-1)[..., None, :]
    return (squares - 2.0 * (a @ b.mT)).clamp_min(0.0)


def _rows(values: Tensor, index: Tensor) -> Tensor:
    """(B, m, D): the rows ``index`` (B, m) of ``values`` (B, n, D)."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[-1]))


def _groups(values: Tensor, index: Tensor) -> Tensor:
    """(B, m, K, D): the rows ``index`` (B, m, K) of ``values`` (B, n, D)."""
    batch, m, k = index.shape
    return _rows(values, index.reshape(batch, m * k)).reshape(batch, m, k, values.shape[-1])
