from __future__ import annotations

import math

import pytest
import torch

from core.pipelines.cmdr_iad.levels import Level, Levels


def maps_of(*rows: list[float]) -> list[torch.Tensor]:
    return [torch.tensor([[row]]) for row in rows]


def test_an_error_counts_by_its_deviations_above_the_good_parts_mean():
    errors = maps_of([0.1, 0.5, 0.3], [0.3, 0.7, 0.3])
    valid = [torch.ones(1, 1, 3, dtype=torch.bool)] * 2
    level = Level.learn(errors, valid, 0)
    assert level.mean.flatten().tolist() == pytest.approx([0.2, 0.6, 0.3])
    assert level.usual == pytest.approx(0.3)
    # each deviation has the median of all added, here 0.1
    assert level.deviation.flatten().tolist() == pytest.approx([0.2, 0.2, 0.1])
    found = level(torch.tensor([[[0.6, 0.6, 0.1]]]), valid[0], 4.0).flatten()
    assert found.tolist() == pytest.approx([0.3 * math.exp(2 / 4), 0.3, 0.3 * math.exp(-2 / 4)], rel=1e-5)
    assert float(level(torch.full((1, 1, 3), 99.0), valid[0], 4.0).max()) == pytest.approx(0.3 * math.exp(10), rel=1e-5)


def test_cells_that_few_parts_show_have_the_usual_level():
    errors = maps_of([0.1, 0.5, 9.0], [0.3, 0.7, 0.0], [0.2, 0.6, 0.0])
    valid = [torch.tensor([[[True, True, i == 0]]]) for i in range(3)]
    level = Level.learn(errors, valid, 0)
    assert float(level.mean[0, 0, 2]) == pytest.approx(level.usual)
    assert float(level(errors[0], valid[1], 4.0)[0, 0, 2]) == 0.0


def test_neighbours_lend_their_level():
    errors = maps_of([0.1, 0.1, 0.1, 0.9], [0.1, 0.1, 0.1, 0.9])
    valid = [torch.ones(1, 1, 4, dtype=torch.bool)] * 2
    assert Level.learn(errors, valid, 1).mean.flatten().tolist() == pytest.approx([0.1, 0.1, 0.9, 0.9])


def test_levels_come_back_from_their_state():
    valid = [torch.ones(1, 1, 3, dtype=torch.bool)] * 2
    levels = Levels({"rec_3d": Level.learn(maps_of([0.1, 0.5, 0.3], [0.3, 0.7, 0.3]), valid, 1)})
    again = Levels.from_state(levels.state(), ("rec_2d", "rec_3d"))
    errors = {"rec_2d": torch.rand(1, 1, 3), "rec_3d": torch.rand(1, 1, 3)}
    one, other = (each(errors, valid[0], 4.0) for each in (levels, again))
    assert all(torch.equal(one[task], other[task]) for task in errors)
    assert torch.equal(one["rec_2d"], errors["rec_2d"])  # has no level: stays as it is
