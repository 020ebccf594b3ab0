from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.geometry.interpolation import interpolate

CENTERS = np.array([(0, 0, 0), (1, 0, 0), (0, 2, 0), (0, 0, 5)], np.float32)
VALUES = np.array([1, 2, 3, 100], np.float32)


def test_squared_distance_weights():
    asked = np.array([(0.5, 0, 0), (0, 1, 0), (0, 0, 0)], np.float32)
    np.testing.assert_allclose(interpolate(VALUES, CENTERS, asked), [1.542857, 2.0, 1.0], atol=1e-6)


def test_plain_distance_weights():
    asked = np.array([(0.5, 0, 0)], np.float32)
    np.testing.assert_allclose(interpolate(VALUES, CENTERS, asked, power=1), [1.662229], atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), centers=st.integers(1, 30), channels=st.integers(1, 5), k=st.integers(1, 6))
def test_equals_the_formula(slow, seed, centers, channels, k):
    rng = np.random.default_rng(seed)
    where, asked = rng.random((centers, 3)).astype(np.float32), rng.random((15, 3)).astype(np.float32)
    values = rng.standard_normal((centers, channels)).astype(np.float32)
    found = interpolate(values, where, asked, k=k)
    assert (found.shape, found.dtype) == ((15, channels), np.float32)
    np.testing.assert_allclose(found, slow.interpolate(values, where, asked, k, 2, 1e-8), atol=1e-4)


def test_no_queries_and_bad_arguments():
    none = np.empty((0, 3), np.float32)
    assert interpolate(VALUES[:, None], CENTERS, none).shape == (0, 1)
    with pytest.raises(ValueError, match="centers"):
        interpolate(VALUES[:0], none, CENTERS)
    with pytest.raises(ValueError, match="values of shape"):
        interpolate(VALUES[:3], CENTERS, CENTERS)
    with pytest.raises(ValueError, match="k = 0"):
        interpolate(VALUES, CENTERS, CENTERS, k=0)


@pytest.mark.gpu
def test_cuda_equals_cpu(cuda, ellipsoid):
    values = ellipsoid[:100] ** 2
    found = interpolate(values, ellipsoid[:100], ellipsoid, runtime=cuda)
    np.testing.assert_allclose(found, interpolate(values, ellipsoid[:100], ellipsoid), rtol=1e-4, atol=1e-3)
