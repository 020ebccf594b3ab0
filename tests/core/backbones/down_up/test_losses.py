"""The formulas of DUS-Net against numbers computed apart from this code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from core.backbones.down_up.losses import (
    DownLoss,
    UpLoss,
    chamfer,
    cosine,
    distribution,
    mean_squared,
    repulsion,
)


def cloud(*points: tuple[float, float, float]) -> Tensor:
    return torch.tensor(points, dtype=torch.float32)[None]


A = cloud((0, 0, 0), (1, 0, 0))
B = cloud((0, 0, 0.1), (1, 0, -0.1))
LINE = cloud((0, 0, 0), (0.01, 0, 0), (0.03, 0, 0))


def test_centres_are_compared_with_their_own_or_as_printed_with_all() -> None:
    assert float(mean_squared(A, B)) == pytest.approx(0.01)
    assert float(mean_squared(A, B, "all_pairs")) == pytest.approx(1.02)
    assert float(chamfer(A, B)) == pytest.approx(0.02)


def test_as_printed_a_collapsed_answer_beats_the_exact_one() -> None:
    collapsed = A.mean(1, keepdim=True).expand(-1, 2, -1)
    assert float(mean_squared(A, A, "all_pairs")) == pytest.approx(1.0)
    assert float(mean_squared(A, collapsed, "all_pairs")) == pytest.approx(0.5)
    assert float(mean_squared(A, A)) == 0.0
    assert float(mean_squared(A, collapsed)) == pytest.approx(0.25)


def test_directions() -> None:
    wanted, found = cloud((1, 0, 0), (0, 2, 0)), cloud((0, 1, 0), (0, 1, 0))
    assert float(cosine(wanted, found)) == pytest.approx(0.5)
    # 1 - cos of the four pairs: 1, 1, 0, 0.
    assert float(cosine(wanted, found, "all_pairs")) == pytest.approx(1.0)
    assert float(cosine(cloud((0, 0, 0), (0, 2, 0)), found)) == pytest.approx(0.0)  # the origin has no direction


def test_the_down_loss_is_the_sum_of_its_terms_in_patch_radii() -> None:
    terms = DownLoss(cosine=0.0)(A, B, torch.tensor([0.1]))
    assert {name: float(value) for name, value in terms.items()} == pytest.approx({"mse": 1.0, "chamfer": 2.0})
    assert set(DownLoss(mse=0, chamfer=0)(A, B, torch.tensor([1.0]))) == {"cosine"}
    assert not DownLoss(0, 0, 0).used


def test_repulsion_in_its_three_forms() -> None:
    assert float(repulsion(LINE, 2, "literal")) == pytest.approx(-0.119928, abs=1e-6)
    assert float(repulsion(LINE, 2)) == pytest.approx(0.059064, abs=1e-6)
    assert float(repulsion(LINE, 2, "pu_net_port")) == pytest.approx(0.033488, abs=1e-6)


@pytest.mark.parametrize(("form", "best"), [("literal", 0.70711), ("pu_net", 0.021213)])
def test_the_spacing_that_repulsion_asks_for(form: str, best: float) -> None:
    distances = np.linspace(0.5, 1.5, 2001) * best
    losses = [float(repulsion(cloud((0, 0, 0), (d, 0, 0)), 1, form)) for d in distances]  # type: ignore[arg-type]
    assert distances[int(np.argmin(losses))] == pytest.approx(best, rel=2e-3)


def test_a_unit_scales_the_repulsion() -> None:
    assert float(repulsion(2 * LINE, 2, unit=torch.tensor([2.0]))) == pytest.approx(0.059064, abs=1e-6)


def test_as_printed_the_distribution_does_not_see_a_collapse() -> None:
    collapsed, spread = cloud((0, 0, 0), (0, 0, 0), (0, 0, 0)), cloud((0, 0, 0), (1, 0, 0), (5, 0, 0))
    assert float(distribution(collapsed, spread, "one_sided")) == pytest.approx(0.0, abs=1e-6)
    assert float(distribution(collapsed, spread)) == pytest.approx(2.0)
    gaps = torch.cdist(collapsed, spread)[0].numpy()
    assert gaps[linear_sum_assignment(gaps)].sum() == 6.0


def test_as_printed_the_distribution_is_a_sum() -> None:
    found = cloud((0, 0, 1), (1, 0, 2))
    assert float(distribution(found, A, "one_sided")) == pytest.approx(3.0)


def test_the_sliced_distance_of_a_shifted_cloud() -> None:
    draws = torch.Generator().manual_seed(0)
    points = torch.randn((1, 400, 3), generator=draws)
    shift = torch.tensor([0.0, 0.0, 2.0])
    # The mean of |cos| over the sphere is one half.
    found = float(distribution(points, points + shift, "sliced", draws=draws))
    assert found == pytest.approx(1.0, rel=0.25)


def test_the_up_loss_weighs_as_pu_net_does() -> None:
    points, wanted = LINE, cloud((0, 0, 0.01), (0.01, 0, 0.01), (0.03, 0, 0.01))
    terms = UpLoss(neighbors=2)(points, wanted, torch.tensor([0.028]), torch.Generator())
    assert float(terms["repulsion"]) == pytest.approx(0.059064, abs=1e-6)
    assert float(terms["distribution"]) == pytest.approx(100 * 0.02, rel=1e-4)
    assert not UpLoss(0, 0).used


@pytest.mark.parametrize("form", ["pu_net", "pu_net_port", "literal"])
def test_gradients_are_finite_where_points_coincide(form: str) -> None:
    points = torch.zeros((1, 4, 3), requires_grad=True)
    (repulsion(points, 2, form) + distribution(points, A)).backward()  # type: ignore[arg-type]
    assert points.grad is not None
    assert torch.isfinite(points.grad).all()
