"""Patch scores on points, and the median filter."""

from __future__ import annotations

import numpy as np
import pytest

from core.pipelines.sca.projection import between_centers, highest_of_patches, median_filter

LINE = np.column_stack([np.arange(6), np.zeros(6), np.zeros(6)]).astype(np.float32)


def test_highest_of_the_patches_that_contain_a_point() -> None:
    scores = np.array([0.2, 0.7], np.float32)
    found = highest_of_patches(scores, np.array([[0, 1, 2], [2, 3, 4]]), LINE, LINE[[1, 3]])
    assert found.tolist() == pytest.approx([0.2, 0.2, 0.7, 0.7, 0.7, 0.7])  # the last is in no patch: nearest centre


def test_between_centers_at_a_centre_is_its_score() -> None:
    scores = np.array([1.0, 2.0, 5.0], np.float32)
    assert between_centers(scores, LINE[[0, 2, 5]], LINE[[0, 2, 5]]) == pytest.approx(scores, abs=1e-5)


def test_median_filter_removes_a_spike_and_keeps_constants() -> None:
    values = np.zeros(6, np.float32)
    values[2] = 9.0
    assert median_filter(values, LINE, 1.5)[1:5].tolist() == [0, 0, 0, 0]
    assert median_filter(np.full(6, 3.5, np.float32), LINE, 2.5).tolist() == [3.5] * 6


def test_median_filter_is_the_median() -> None:
    rng = np.random.default_rng(0)
    points, values = rng.uniform(0, 1, (200, 3)).astype(np.float32), rng.normal(size=200).astype(np.float32)
    found = median_filter(values, points, 0.3)
    distances = np.linalg.norm(points[:, None].astype(np.float64) - points, axis=2)
    for i in range(200):
        inside = np.sort(values[distances[i] < 0.3])
        assert found[i] == inside[(len(inside) - 1) // 2]


def test_no_radius_no_filter() -> None:
    values = np.arange(6, dtype=np.float32)
    assert median_filter(values, LINE, 0.0) is values
