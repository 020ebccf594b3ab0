"""How much good scans differ at each place, and what X2 makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from core.pipelines.iaenet.places import usual_spread


def test_the_spread_is_the_root_mean_square_about_a_place() -> None:
    cells = np.arange(28 * 28)
    values = [np.full(784, 0.1, np.float32), np.full(784, -0.1, np.float32)]
    values[0][28 * 14 + 14] = 0.7
    spread = usual_spread([[cells], [cells]], [[values[0]], [values[1]]])
    about = np.sqrt((17 * 0.1**2 + 0.7**2) / 18) / 0.1  # nine cells of two scans
    assert spread.shape == (1, 784)
    assert spread[0, 0] == pytest.approx(1.0, rel=1e-5)
    assert spread[0, 28 * 14 + 14] == pytest.approx(about, rel=1e-5)
    assert spread[0, 28 * 13 + 15] == pytest.approx(about, rel=1e-5)
    assert spread[0, 28 * 14 + 16] == pytest.approx(1.0, rel=1e-5)


def test_places_off_the_part_have_none() -> None:
    cells = np.array([28 * 5 + 5, 28 * 5 + 6])
    spread = usual_spread([[cells]], [[np.array([0.2, 0.2], np.float32)]])
    assert spread[0, 28 * 20 + 20] == 0
    assert spread[0, 28 * 5 + 5] == pytest.approx(1.0, rel=1e-5)


def test_good_scans_that_do_not_differ_leave_scores_as_they_are() -> None:
    cells = np.arange(784)
    assert (usual_spread([[cells]], [[np.zeros(784, np.float32)]]) == 0).all()
