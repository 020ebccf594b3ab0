from __future__ import annotations

import math

import pytest
import torch

from core.pipelines.cmdr_iad.fusion import Fusing, distance, divisor, fused, gate, means, soft


def flat(*values: float) -> list[torch.Tensor]:
    return [torch.full((1, 9, 9), value) for value in values]


def test_distance_is_of_directions():
    def between(one, other):
        return float(distance(torch.tensor([one]), torch.tensor([other])))

    assert between([3.0, 4.0], [4.0, 3.0]) == pytest.approx(math.sqrt(2 - 2 * 0.96), abs=1e-6)
    assert between([0.0, 0.0], [1.0, 0.0]) == pytest.approx(1.0)
    assert between([2.0, 0.0], [-5.0, 0.0]) == pytest.approx(2.0)


def test_the_gate_where_nothing_varies():
    (joint,) = flat(0.5)
    alpha = gate(joint, 4.0, 2.0)
    assert alpha == pytest.approx(torch.full((1, 9, 9), 0.880797), abs=1e-6)
    assert float((alpha * joint)[0, 4, 4]) == pytest.approx(0.440399, abs=1e-6)


def test_the_gate_around_one_place():
    joint = torch.zeros(1, 9, 9)
    joint[0, 4, 4] = 1.0
    alpha = gate(joint, 4.0, 2.0)
    assert float(alpha[0, 4, 4]) == pytest.approx(0.999242, abs=1e-6)
    alpha[0, 4, 4] = 0.5
    assert (alpha == 0.5).all()
    # W at the corner, from the gate of a joint that is nearly 0 there
    joint[0, 0, 0] = 1e-4
    corner = math.log(float(gate(joint, 4.0, 2.0)[0, 0, 0]) / (1 - float(gate(joint, 4.0, 2.0)[0, 0, 0]))) / 1e-4
    assert corner == pytest.approx(4.1586, abs=0.01)


@pytest.mark.parametrize(
    ("rec_2d", "rec_3d", "expected"), [(0.2, 0.6, 0.388014), (0.0, math.sqrt(2), 0.559317), (2.0, 2.0, 2.0)]
)
def test_reconstruction_is_weighted_by_trust(rec_2d, rec_3d, expected):
    steps = fused(*flat(0.4, 0.5, rec_2d, rec_3d), Fusing())
    assert float(steps.reconstruction[0, 0, 0]) == pytest.approx(expected, abs=1e-6)
    share = math.exp(-0.3 * rec_3d) / (math.exp(-0.3 * rec_2d) + math.exp(-0.3 * rec_3d))
    assert float(steps.trust[0, 0, 0]) == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize(
    ("case", "base", "expected"),
    [
        ("full", 4.0, 0.053544),
        ("full", 6.0, 0.059640),
        ("1", 4.0, 0.2 * 0.12 / (1 + math.exp(-0.8))),
        ("2", 4.0, 0.024),
        ("3", 4.0, 0.161336),
        ("4", 4.0, 0.447502 * 0.12 / (1 + math.exp(-0.8))),
        ("5", 4.0, 0.2 * 0.12 / (1 + math.exp(-0.8)) ** 2),
        ("6", 4.0, 0.425),
    ],
)
def test_each_case_of_the_ablation(case, base, expected):
    steps = fused(*flat(0.4, 0.5, 0.2, 0.6), Fusing(gate_base=base, case=case))
    assert float(steps.score[0, 4, 4]) == pytest.approx(expected, abs=1e-6)
    assert float(soft(*flat(0.4, 0.5))[0, 0, 0]) == pytest.approx(0.447502, abs=1e-6)


@pytest.mark.parametrize(
    ("passes", "peak", "variance", "reach"),
    [((0, 5, 3), 0.00690936, 22.0, 19), ((0, 3, 2), 0.01054603, 14.0, 12), ((0, 1, 0), 0.04, 2.0, 2)],
)
def test_box_means_answer_an_impulse_as_published(passes, peak, variance, reach):
    field = torch.zeros(1, 101, 101, dtype=torch.float64)
    field[0, 50, 50] = 1.0
    found = means(field, passes)[0]
    steps = torch.arange(-50, 51, dtype=torch.float64)
    along = found.sum(dim=0)
    assert float(found.max()) == pytest.approx(peak, abs=1e-8)
    assert float(found.sum()) == pytest.approx(1.0)
    assert float((along * steps**2).sum()) == pytest.approx(variance)
    assert int(steps[along > 0].max()) == reach


def test_the_three_normalisations():
    score = torch.tensor([[[0.0, 0.0, 0.1], [0.0, 0.4, 0.2]]])
    assert float(score.max()) / divisor(score, "root_mean_nonzero") == pytest.approx(0.828079, abs=1e-6)
    assert divisor(score, "root_mean") == pytest.approx(0.341565, abs=1e-6)
    assert divisor(score, "mean") == pytest.approx(0.233333, abs=1e-6)
    assert divisor(score, "none") == 1.0
    assert divisor(torch.zeros(1, 2, 2), "mean") == 1.0  # the published code divides 0 by 0
    line = torch.tensor([[[0.0, 0.2, 0.4]]])
    assert float(line.max()) / divisor(line, "root_mean_nonzero") == pytest.approx(0.730297, abs=1e-5)
