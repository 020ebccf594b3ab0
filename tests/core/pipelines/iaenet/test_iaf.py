"""The importance-aware fusion against numbers computed by hand, and its training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.pipelines.iaenet.iaf import ImportanceAwareFusion, baseline, cross_entropy, entropy, fusion_loss
from core.pipelines.iaenet.iaf_training import IafSettings, best_line, train_iaf
from core.progress import Cancelled, Progress
from core.runtime import Runtime

CPU = Runtime(torch.device("cpu"))
SETTINGS = IafSettings(40, 4, 0, 0.0, 0.01, 0.01, 0.1, 0.1, 0.0, False, True)


def logit(chance: float) -> torch.Tensor:
    return torch.logit(torch.tensor([chance], dtype=torch.float64))


@pytest.mark.parametrize(
    ("label", "chance", "share", "cost", "total"),
    [
        (1, 0.8, 0.2, 0.223144, 0.224302),
        (1, 0.5, 0.5, 0.693147, 0.727330),
        (0, 0.8, 0.5, 1.609438, 1.707133),
        (1, 0.95, 0.1, 0.051293, 0.051293),
    ],
)
def test_the_loss_of_one_point(label: int, chance: float, share: float, cost: float, total: float) -> None:
    costs = cross_entropy(logit(chance), torch.tensor([float(label)], dtype=torch.float64))
    importance = torch.tensor([[share, 1 - share]], dtype=torch.float64)
    assert float(costs) == pytest.approx(cost, abs=1e-6)
    assert float(fusion_loss(importance, costs, 0.3)) == pytest.approx(total, abs=1e-6)


def test_entropy_is_summed_over_the_experts() -> None:
    found = entropy(torch.tensor([[0.2, 0.8], [0.5, 0.5], [0.0, 1.0]]))
    assert found.tolist() == pytest.approx([0.500402, 0.693147, 0.0], abs=1e-6)


def test_the_papers_sum_does_not_see_false_alarms() -> None:
    for label, cost in ((0.0, 0.0), (1.0, 0.223144)):
        found = cross_entropy(logit(0.8), torch.tensor([label], dtype=torch.float64), positive_only=True)
        assert float(found) == pytest.approx(cost, abs=1e-6)


def test_baseline_is_the_better_expert() -> None:
    maps, labels = torch.tensor([[0.9, 0.5], [0.1, 0.5]]), torch.tensor([1.0, 0.0])
    assert baseline(maps, labels) == pytest.approx(-np.log(0.9), abs=1e-6)
    assert np.isfinite(baseline(torch.tensor([[0.0, 1.0]]), torch.tensor([1.0])))


def test_it_has_the_papers_parameters() -> None:
    assert sum(p.numel() for p in ImportanceAwareFusion().parameters()) == 17_987


def test_untrained_it_gives_each_expert_a_half() -> None:
    model = ImportanceAwareFusion().eval()
    importance, _ = model(torch.rand(50, 2))
    assert torch.equal(importance, torch.full((50, 2), 0.5))


def test_the_gate_lets_the_gradient_pass_or_not() -> None:
    grads = []
    for through in (True, False):
        costs = torch.tensor([0.5], requires_grad=True)
        fusion_loss(torch.tensor([[0.3, 0.7]]), costs, 0.3, through_gate=through).backward()
        grads.append(float(costs.grad))
    h = float(entropy(torch.tensor([[0.3, 0.7]])))
    assert grads == pytest.approx([1 + 0.1 * h, 1.0], abs=1e-6)


def maps_with_a_blind_expert(count: int = 8) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The 2D expert knows, the 3D expert guesses."""
    rng, maps, labels = np.random.default_rng(0), [], []
    for _ in range(count):
        label = rng.random(400) < 0.2
        known = np.clip(rng.normal(np.where(label, 0.7, 0.2), 0.1), 0, 1)
        maps.append(np.stack([rng.random(400), known], axis=1).astype(np.float32))
        labels.append(label)
    return maps, labels


def test_training_finds_the_expert_that_knows() -> None:
    maps, labels = maps_with_a_blind_expert()
    model = train_iaf(maps, labels, SETTINGS, CPU, Progress())
    table, truth = torch.from_numpy(np.concatenate(maps)), np.concatenate(labels)
    _, logits = model(table)
    order = logits.numpy()
    better = (order[truth][:, None] > order[~truth][None]).mean()
    assert better > 0.98
    blind = (table[:, 0].numpy()[truth][:, None] > table[:, 0].numpy()[~truth][None]).mean()
    assert blind < 0.6


def test_training_again_gives_the_same() -> None:
    maps, labels = maps_with_a_blind_expert(3)
    models = [train_iaf(maps, labels, SETTINGS, CPU, Progress()) for _ in range(2)]
    for one, other in zip(models[0].state_dict().values(), models[1].state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_training_can_be_cancelled() -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        train_iaf(*maps_with_a_blind_expert(2), SETTINGS, CPU, progress)


def test_inputs_that_differ_by_rounding_train_to_the_same_fusion() -> None:
    maps, labels = maps_with_a_blind_expert(3)
    near = [(one * np.float32(1 + 1e-6)).astype(np.float32) for one in maps]
    table = torch.from_numpy(np.concatenate(maps))
    found = [train_iaf(given, labels, SETTINGS, CPU, Progress())(table)[1] for given in (maps, near)]
    assert np.corrcoef(found[0].numpy(), found[1].numpy())[0, 1] > 0.999


def test_the_best_line_leaves_out_what_points_the_wrong_way() -> None:
    maps, labels = maps_with_a_blind_expert()
    table, truth = torch.from_numpy(np.concatenate(maps)), torch.from_numpy(np.concatenate(labels).astype(np.float32))
    weights, offset = best_line(table, truth)
    assert weights[1] > 10 * abs(weights[0])
    assert offset < 0
    turned = torch.stack([-table[:, 1], table[:, 1]], dim=1)
    assert best_line(turned, truth)[0][0] == 0
    assert best_line(-table[:, 1:].repeat(1, 2), truth)[0].tolist() == [1.0, 1.0]
    assert best_line(table, torch.zeros(len(table)))[0].tolist() == [1.0, 1.0]


def test_the_prior_orders_scores_that_no_sample_tells_apart() -> None:
    """Made defects are all strong: what lies below them would be in any order."""
    rng, maps, labels = np.random.default_rng(3), [], []
    for _ in range(6):
        label = rng.random(300) < 0.1
        known = np.where(label, rng.uniform(0.8, 1.0, 300), rng.uniform(0.0, 0.2, 300))
        maps.append(np.stack([rng.random(300), known], axis=1).astype(np.float32))
        labels.append(label)
    model = train_iaf(maps, labels, replace(SETTINGS, linear_prior=1.0), CPU, Progress())
    line = torch.linspace(0.0, 1.0, 21)
    _, logits = model(torch.stack([torch.full((21,), 0.5), line], dim=1))
    assert (logits.diff() > 0).float().mean() > 0.9
    assert logits[15] - logits[0] > 2.0
