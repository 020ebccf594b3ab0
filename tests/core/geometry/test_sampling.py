from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.geometry import sampling
from core.geometry.sampling import farthest_points, farthest_points_batch

CROSS = np.array([(1, 0, 0), (0.01, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 0.5)], np.float32)


def test_textbook_order_not_the_skip_rule_of_pointnet2():
    assert farthest_points(CROSS, 6).tolist() == [0, 2, 3, 4, 5, 1]
    assert farthest_points_batch(torch.from_numpy(CROSS)[None], 6).tolist() == [[0, 2, 3, 4, 5, 1]]


@pytest.mark.parametrize("number", [100, 600, 1500])
@pytest.mark.parametrize("kind", ["random", "metres", "line"])
def test_every_way_equals_the_slow_loop(slow, number, kind):
    rng = np.random.default_rng(number)
    points = rng.standard_normal((number, 3)).astype(np.float32)
    if kind == "metres":
        points = points * np.float32(1e-2) + np.float32([0, 0, 0.6])
    if kind == "line":
        points[:, 1:] = 0
    start = number // 3
    expected = slow.farthest_points(points, 40, start)
    assert np.array_equal(farthest_points(points, 40, start=start), expected)
    assert np.array_equal(farthest_points_batch(torch.from_numpy(points)[None], 40, start)[0].numpy(), expected)


@pytest.mark.parametrize("start", [0, 1, 12_345, 29_999])
def test_bucket_sampler_starts_where_it_is_told(start):
    points = np.random.default_rng(5).standard_normal((30_000, 3)).astype(np.float32)
    found = sampling._by_buckets(points, 200, start)
    assert found is not None
    assert np.array_equal(found, sampling._by_loop(points, 200, start))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), number=st.integers(1, 900), distinct=st.integers(1, 40), axes=st.integers(1, 3))
def test_copies_and_lines_give_distinct_indices_and_falling_distances(seed, number, distinct, axes):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 5, (distinct, 3)).astype(np.float32)[rng.integers(distinct, size=number)]
    points[:, axes:] = 0
    count = int(rng.integers(1, number + 1))
    chosen = farthest_points(points, count, start=int(rng.integers(number)))
    assert len(np.unique(chosen)) == count
    gaps = [
        np.square(points[chosen[:i]] - points[chosen[i]]).sum(axis=1).min() for i in range(1, min(count, 2 * distinct))
    ]
    assert all(a >= b for a, b in itertools.pairwise(gaps))
    for i, gap in enumerate(gaps[:5], start=1):  # each is as far as any could be
        everywhere = np.square(points[:, None] - points[chosen[:i]]).sum(axis=2).min(axis=1)
        assert gap == everywhere.max()


@pytest.mark.parametrize(("count", "start"), [(0, 0), (7, 0), (3, 6), (3, -1)])
def test_out_of_range_is_refused(count, start):
    with pytest.raises(ValueError, match=r"asked for|start"):
        farthest_points(CROSS, count, start=start)


def test_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="shape"):
        farthest_points(np.zeros((4, 2), np.float32), 1)
    with pytest.raises(ValueError, match="shape"):
        farthest_points_batch(torch.zeros(4, 3), 1)


@pytest.mark.gpu
def test_cuda_equals_cpu(cuda):
    points = np.random.default_rng(1).standard_normal((5000, 3)).astype(np.float32)
    for start in (0, 17):
        assert np.array_equal(
            farthest_points(points, 300, start=start, runtime=cuda), farthest_points(points, 300, start=start)
        )
