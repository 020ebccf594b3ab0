"""Sinkhorn iterations against values computed by hand and the marginals that define them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.pipelines.sca.sinkhorn import _by_logarithms, balanced, transport_plan


def uniform(n: int) -> torch.Tensor:
    return torch.full((n,), 1.0 / n, dtype=torch.float64)


def test_plan_of_a_clear_choice_is_the_identity_coupling() -> None:
    cost = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    plan = transport_plan(cost, uniform(2), uniform(2))
    torch.testing.assert_close(plan, 0.5 * torch.eye(2, dtype=torch.float64), atol=1e-6, rtol=0)


def test_plan_of_three_patches_and_two_prototypes() -> None:
    cost = torch.tensor([[0.0, 0.1], [0.1, 0.0], [0.05, 0.05]], dtype=torch.float64)
    plan = transport_plan(cost, uniform(3), uniform(2))
    expected = torch.tensor([[0.293599, 0.039734], [0.039734, 0.293599], [0.166667, 0.166667]], dtype=torch.float64)
    torch.testing.assert_close(plan, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(plan.sum(1), uniform(3))
    torch.testing.assert_close(plan.sum(0), uniform(2))
    centroids = (plan.T @ torch.tensor([1.0, 3.0, 5.0], dtype=torch.float64)) / plan.sum(0)
    torch.testing.assert_close(centroids, torch.tensor([2.492271, 3.507729], dtype=torch.float64), atol=1e-6, rtol=0)


def test_a_prototype_without_mass_gets_nothing() -> None:
    plan = transport_plan(torch.rand(4, 3), torch.full((4,), 0.25), torch.tensor([0.5, 0.0, 0.5]))
    assert torch.isfinite(plan).all()
    assert plan[:, 1].sum() == 0


def test_balanced_similarity_of_three() -> None:
    similarity = torch.tensor([[1.0, 0.9, 0.2], [0.9, 1.0, 0.3], [0.2, 0.3, 1.0]], dtype=torch.float64)
    weights = balanced(similarity)
    torch.testing.assert_close(
        weights[0], torch.tensor([0.880797, 0.119203, 0.0], dtype=torch.float64), atol=1e-5, rtol=0
    )
    ones = torch.ones(3, dtype=torch.float64)
    torch.testing.assert_close(weights.sum(0), ones, atol=1e-6, rtol=0)
    torch.testing.assert_close(weights.sum(1), ones, atol=1e-6, rtol=0)


def test_masked_pairs_stay_at_zero() -> None:
    similarity = torch.rand(2, 5, 5)
    similarity[:, 0, 3] = similarity[:, 3, 0] = -torch.inf
    weights = balanced(similarity)
    assert (weights[:, 0, 3] == 0).all()
    assert torch.isfinite(weights).all()


def test_raw_descriptor_products_do_not_overflow() -> None:
    similarity = torch.rand(10, 10) * 1e4  # FPFH products as they come
    assert torch.isfinite(balanced(similarity)).all()


@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**31 - 1))
def test_marginals_of_any_shape(n: int, m: int, seed: int) -> None:
    similarity = torch.rand(n, m, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 0.1
    weights = balanced(similarity, iterations=200)
    assert weights.sum(0).numpy() == pytest.approx([n / m] * m)
    assert weights.sum(1).numpy() == pytest.approx([1.0] * n, rel=1e-4)


def test_both_ways_agree() -> None:
    generator = torch.Generator().manual_seed(0)
    similarity = torch.rand(4, 30, 7, generator=generator, dtype=torch.float64) * 12  # spans 240 at t = 0.05
    rows, columns = torch.ones(30, dtype=torch.float64), torch.full((7,), 30 / 7, dtype=torch.float64)
    torch.testing.assert_close(balanced(similarity), _by_logarithms(similarity / 0.05, rows, columns, 20))
