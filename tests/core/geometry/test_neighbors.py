from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.geometry.neighbors import _by_comparing_all, ball, nearest, nearest_batch, spacing
from core.geometry.ordering import along_curve, scattered


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), number=st.integers(1, 120), asked=st.integers(0, 20), whole=st.booleans())
def test_nearest_equals_sorting_all(slow, seed, number, asked, whole):
    rng = np.random.default_rng(seed)
    points, queries = rng.standard_normal((number, 3)), rng.standard_normal((asked, 3))
    if whole:  # many ties and copies
        points, queries = np.round(points), np.round(queries)
    points, queries = points.astype(np.float32), queries.astype(np.float32)
    k = int(rng.integers(1, number + 1))
    distances, indices = nearest(points, queries, k)
    assert distances.shape == indices.shape == (asked, k)
    assert (distances.dtype, indices.dtype) == (np.float32, np.int64)
    np.testing.assert_allclose(distances, slow.nearest(points, queries, k)[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(points[indices] - queries[:, None], axis=2), distances, atol=1e-5)
    assert all(len(set(row)) == k for row in indices)


def test_scattered_points_give_the_same_as_ordered_ones(slow):
    points = np.random.default_rng(0).standard_normal((25_000, 3)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    assert scattered(points)
    assert not scattered(points[along_curve(points)])
    some = np.arange(0, 25_000, 1000)
    distances, indices = nearest(points, points, 6)
    expected = slow.nearest(points, points[some], 6)
    assert np.array_equal(indices[some], expected[1])
    np.testing.assert_allclose(distances[some], expected[0], rtol=1e-6)
    assert np.array_equal(nearest(points, points[some], 6)[1], expected[1])


def test_comparing_all_in_small_chunks_equals_the_tree(cpu, ellipsoid):
    from dataclasses import replace

    tight = replace(cpu, memory_budget=12 * len(ellipsoid) * 100)
    distances, indices = _by_comparing_all(ellipsoid, ellipsoid[:250], 9, tight)
    expected = nearest(ellipsoid, ellipsoid[:250], 9)
    assert np.array_equal(indices, expected[1])
    np.testing.assert_allclose(distances, expected[0], atol=1e-5)


def test_nearest_batch_answers_each_cloud():
    clouds = torch.randn(3, 50, 3, generator=torch.Generator().manual_seed(0))
    distances, indices = nearest_batch(clouds, clouds[:, :4], 5)
    for i in range(3):
        one = nearest(clouds[i].numpy(), clouds[i, :4].numpy(), 5)
        assert np.array_equal(indices[i].numpy(), one[1])
        np.testing.assert_allclose(distances[i].numpy(), one[0], atol=1e-6)


@pytest.mark.parametrize("k", [0, 4])
def test_k_out_of_range_is_refused(k):
    with pytest.raises(ValueError, match="nearest of 3 points"):
        nearest(np.zeros((3, 3), np.float32), np.zeros((1, 3), np.float32), k)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), number=st.integers(1, 200), limit=st.sampled_from([None, 1, 7, 500]))
def test_ball_holds_what_is_nearer_than_the_radius(slow, seed, number, limit):
    rng = np.random.default_rng(seed)
    points, queries = rng.random((number, 3)).astype(np.float32), rng.random((9, 3)).astype(np.float32)
    offsets, indices, distances = ball(points, queries, 0.31, limit)
    assert (offsets.shape, offsets[0], offsets[-1]) == ((10,), 0, len(indices))
    for q in range(9):
        found, gaps = indices[offsets[q] : offsets[q + 1]], distances[offsets[q] : offsets[q + 1]]
        expected = slow.ball(points, queries[q], 0.31)
        assert len(found) == min(len(expected), limit or number)
        assert set(found) <= set(expected)
        assert (np.diff(gaps) >= 0).all()
        every = np.linalg.norm(points.astype(float) - queries[q], axis=1)
        np.testing.assert_allclose(gaps, np.sort(every)[: len(gaps)], atol=1e-5)


def test_ball_of_scattered_queries_keeps_their_order(slow):
    points = np.random.default_rng(0).random((21_000, 3)).astype(np.float32)
    offsets, indices, _ = ball(points, points, 0.04)
    for q in range(0, 21_000, 1500):
        assert set(indices[offsets[q] : offsets[q + 1]]) == set(slow.ball(points, points[q], 0.04))


def test_ball_of_nothing_and_bad_arguments():
    none = np.empty((0, 3), np.float32)
    assert ball(none, np.zeros((2, 3), np.float32), 1.0)[0].tolist() == [0, 0, 0]
    assert ball(np.zeros((2, 3), np.float32), none, 1.0)[0].tolist() == [0]
    for radius, limit in ((0.0, None), (1.0, 0), (float("nan"), None)):
        with pytest.raises(ValueError, match="above 0"):
            ball(none, none, radius, limit)


def test_spacing_of_a_grid_is_its_pitch():
    x, y = np.meshgrid(np.arange(40) * 0.25, np.arange(30) * 0.25)
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1).astype(np.float32)
    assert spacing(points) == pytest.approx(0.25)
    assert spacing(points[:1]) == 0.0


@pytest.mark.gpu
def test_cuda_equals_cpu(cuda, ellipsoid):
    found, expected = nearest(ellipsoid, ellipsoid, 12, runtime=cuda), nearest(ellipsoid, ellipsoid, 12)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
    assert (found[1] == expected[1]).mean() > 0.999  # equally near to float32 rounding
