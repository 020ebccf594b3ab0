from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.geometry.clusters import dbscan, largest_cluster


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    number=st.integers(1, 150),
    eps=st.floats(0.05, 0.6),
    least=st.integers(1, 12),
    whole=st.booleans(),
)
def test_equals_the_textbook(slow, seed, number, eps, least, whole):
    points = np.random.default_rng(seed).random((number, 3)).astype(np.float32)
    if whole:  # on a grid, many exactly eps apart
        points, eps = np.round(points * 6).astype(np.float32), 1.0
    assert np.array_equal(dbscan(points, eps, least), slow.dbscan(points, eps, least))


def test_dense_pieces_are_told_apart_across_a_gap():
    rng = np.random.default_rng(0)
    box = rng.random((4000, 3))
    points = np.concatenate([box, box + np.array([1.12, 0, 0]), box + np.array([2.17, 0, 0])]).astype(np.float32)
    labels = dbscan(points, 0.1, 3)
    assert set(labels[:4000]) == {0}
    assert set(labels[4000:]) == {1}  # 0.05 apart is near, 0.12 is not
    assert largest_cluster(labels).tolist() == [False] * 4000 + [True] * 8000


def test_nothing_noise_and_bad_arguments():
    assert len(dbscan(np.empty((0, 3), np.float32), 1, 1)) == 0
    apart = np.arange(9, dtype=np.float32).reshape(3, 3) * 100
    assert dbscan(apart, 1, 2).tolist() == [-1, -1, -1]
    assert not largest_cluster(dbscan(apart, 1, 2)).any()
    for eps, least in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="eps"):
            dbscan(apart, eps, least)
