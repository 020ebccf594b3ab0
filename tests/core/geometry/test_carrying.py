from __future__ import annotations

import numpy as np
import pytest

from core.geometry.carrying import carry


def plane(step: float = 0.2, side: float = 5.0) -> np.ndarray:
    x, y = np.meshgrid(np.arange(-side, side + step / 2, step), np.arange(-side, side + step / 2, step))
    return np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)]).astype(np.float32)


def test_points_over_a_plane_go_straight_down():
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(-4, 4, (300, 2)), rng.uniform(-1, 1, 300)]).astype(np.float32)
    carried = carry(points, plane())
    assert carried.targets == pytest.approx(points * [1, 1, 0], abs=1e-4)
    assert np.abs(carried.normals[:, 2]) == pytest.approx(1.0)


def test_points_beside_the_surface_go_to_its_edge():
    targets = carry(np.float32([[9, 0, 1]]), plane()).targets
    assert targets[0] == pytest.approx([5.0, 0.0, 0.0], abs=0.41)


def test_what_nothing_was_moved_onto_is_bare():
    surface = plane()
    kept = np.linalg.norm(surface, axis=1) > 2
    carried = carry(surface[kept] + np.float32([0, 0, 0.5]), surface)
    middle = np.linalg.norm(surface, axis=1)
    assert carried.bare[middle < 1.2].all()
    assert not carried.bare[middle > 2].any()


def test_no_points_leave_all_bare():
    assert carry(np.empty((0, 3), np.float32), plane()).bare.all()
    with pytest.raises(ValueError, match="surface"):
        carry(plane(), np.empty((0, 3), np.float32))
