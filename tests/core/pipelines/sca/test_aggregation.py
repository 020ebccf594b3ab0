"""Spatial Context Aggregation: hand-computed weights and the symmetries that the formulas imply."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from core.pipelines.sca.aggregation import (
    AggregationOptions,
    coordinate_kernel,
    fuse,
    prototype_count,
    spatial_context_aggregation,
)
from core.pipelines.sca.sinkhorn import balanced

OPTIONS = AggregationOptions()
VARIANTS = [
    OPTIONS,
    dataclasses.replace(OPTIONS, fusion="softmax"),
    dataclasses.replace(OPTIONS, affinity="geometry"),
    dataclasses.replace(OPTIONS, affinity="feature"),
    dataclasses.replace(OPTIONS, global_step=False),
    dataclasses.replace(OPTIONS, snap="off"),
    dataclasses.replace(OPTIONS, snap="hard"),
    dataclasses.replace(OPTIONS, mass="uniform"),
    dataclasses.replace(OPTIONS, residual=0.0),
]


def part(n: int = 40, m: int = 6, batch: int = 1) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(batch, n, 12, generator=generator, dtype=torch.float64)
    geometry = torch.rand(batch, n, 33, generator=generator, dtype=torch.float64) * 100
    centers = torch.nn.functional.normalize(torch.randn(batch, n, 3, generator=generator, dtype=torch.float64), dim=-1)
    return features, geometry, centers, torch.arange(m).expand(batch, m) * 3


def test_fusing_rows_and_softmax() -> None:
    a = torch.tensor([[1.0, 0.9, 0.2], [0.9, 1.0, 0.3], [0.2, 0.3, 1.0]], dtype=torch.float64)
    b = torch.tensor([[1.0, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.5, 1.0]], dtype=torch.float64)
    wa, wb = balanced(a), balanced(b)
    softmax = torch.tensor([0.546755, 0.226623, 0.226622], dtype=torch.float64)
    rows = torch.tensor([0.999994, 0.000006, 0.0], dtype=torch.float64)
    torch.testing.assert_close(fuse(wa, wb, "softmax")[0], softmax, atol=1e-6, rtol=0)
    torch.testing.assert_close(fuse(wa, wb, "rows")[0], rows, atol=1e-6, rtol=0)


@pytest.mark.parametrize("fusion", ["softmax", "rows"])
def test_fusing_indifferent_weights_is_indifferent(fusion: str) -> None:
    uniform = torch.full((4, 4), 0.25)
    torch.testing.assert_close(fuse(uniform, uniform, fusion), uniform)  # type: ignore[arg-type]


def test_identity_affinities_under_the_literal_softmax() -> None:
    identity = torch.eye(3, dtype=torch.float64)
    assert float(fuse(identity, identity, "softmax")[0, 0]) == pytest.approx(0.576, abs=5e-4)


def test_coordinate_kernel() -> None:
    centers = torch.tensor([[0.0, 0, 0], [0.3, 0, 0], [0, 0.5, 0]], dtype=torch.float64)
    kernel = coordinate_kernel(centers, torch.zeros(1, 3, dtype=torch.float64), 0.1)
    assert kernel[:, 0].numpy() == pytest.approx([1, 0.406570, 0.082085], abs=1e-6)


@pytest.mark.parametrize(("patches", "share", "expected"), [(1024, 0.1, 100), (512, 0.1, 51), (7, 0.1, 1), (3, 1, 3)])
def test_prototype_count(patches: int, share: float, expected: int) -> None:
    assert prototype_count(patches, share) == expected


@pytest.mark.parametrize("options", VARIANTS, ids=lambda o: f"{o.affinity}-{o.fusion}-{o.snap}-{o.global_step}")
def test_order_of_prototypes_does_not_matter(options: AggregationOptions) -> None:
    features, geometry, centers, prototypes = part()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    a = spatial_context_aggregation(features, geometry, centers, prototypes, options)
    b = spatial_context_aggregation(features, geometry, centers, prototypes[:, order], options)
    torch.testing.assert_close(a.features, b.features)
    torch.testing.assert_close(a.prototypes[:, order], b.prototypes)
    assert torch.equal(prototypes.gather(1, a.assignment), prototypes[:, order].gather(1, b.assignment))


@pytest.mark.parametrize("options", VARIANTS, ids=lambda o: f"{o.affinity}-{o.fusion}-{o.snap}-{o.global_step}")
def test_output_permutes_with_the_input(options: AggregationOptions) -> None:
    features, geometry, centers, prototypes = part()
    order = torch.randperm(features.shape[1], generator=torch.Generator().manual_seed(1))
    a = spatial_context_aggregation(features, geometry, centers, prototypes, options)
    b = spatial_context_aggregation(
        features[:, order], geometry[:, order], centers[:, order], torch.argsort(order)[prototypes], options
    )
    torch.testing.assert_close(a.features[:, order], b.features)


@pytest.mark.parametrize("options", VARIANTS, ids=lambda o: f"{o.affinity}-{o.fusion}-{o.snap}-{o.global_step}")
def test_identical_features_are_a_fixed_point(options: AggregationOptions) -> None:
    features, geometry, centers, prototypes = part()
    features = features[:, :1].expand_as(features).contiguous()
    refined = spatial_context_aggregation(features, geometry, centers, prototypes, options).features
    torch.testing.assert_close(refined, features)


def test_a_batch_is_its_clouds_one_by_one() -> None:
    features, geometry, centers, prototypes = part(batch=3)
    together = spatial_context_aggregation(features, geometry, centers, prototypes).features
    for i in range(3):
        alone = spatial_context_aggregation(
            features[i : i + 1], geometry[i : i + 1], centers[i : i + 1], prototypes[i : i + 1]
        ).features
        torch.testing.assert_close(together[i : i + 1], alone)


def test_duplicate_centres_and_a_single_patch_stay_finite() -> None:
    features, geometry, centers, prototypes = part()
    same_place = centers[:, :1].expand_as(centers)
    assert torch.isfinite(spatial_context_aggregation(features, geometry, same_place, prototypes).features).all()
    one = spatial_context_aggregation(features[:, :1], geometry[:, :1], centers[:, :1], prototypes[:, :1])
    torch.testing.assert_close(one.features, features[:, :1])


def test_far_prototypes_do_not_exchange() -> None:
    """Two clusters further apart than tau: with no way through place, changing one leaves the other's prototype."""
    features, geometry, centers, _ = part(n=20)
    centers = centers * 0.01
    centers[:, 10:, 0] += 5.0
    prototypes = torch.tensor([[0, 10]])
    options = dataclasses.replace(OPTIONS, neighbors=5)
    changed = features.clone()
    changed[:, 10:] += 3.0
    a = spatial_context_aggregation(features, geometry, centers, prototypes, options).prototypes
    b = spatial_context_aggregation(changed, geometry, centers, prototypes, options).prototypes
    torch.testing.assert_close(a[:, 0], b[:, 0])
    assert not torch.allclose(a[:, 1], b[:, 1])
