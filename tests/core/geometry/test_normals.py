from __future__ import annotations

import numpy as np
import pytest

from core.geometry import normals
from core.geometry.normals import estimate_normals


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_equals_the_last_principal_axis(slow, cpu, ellipsoid, scale):
    points = ellipsoid * np.float32(scale)
    found = estimate_normals(points, k=20)
    by_torch = normals._by_torch(points, None, 20, cpu)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    for i in range(0, len(points), 300):
        expected = slow.normal(points, i, 20)
        assert abs(found[i] @ expected) == pytest.approx(1, abs=1e-4)
        assert abs(by_torch[i] @ expected) == pytest.approx(1, abs=1e-4)


def test_far_from_the_origin_and_scattered():
    rng = np.random.default_rng(0)
    points = rng.random((25_000, 3)) * np.array([100, 100, 0]) + np.array([1000, -500, 2000])
    found = estimate_normals(points.astype(np.float32))
    assert np.abs(found[:, 2]).min() > 0.9999


def test_radius_bounds_the_neighbourhood(cpu):
    x, y = (c.ravel() for c in np.meshgrid(np.arange(20.0), np.arange(20.0)))
    floor = np.stack([x, y, np.zeros(400)], axis=1)
    wall = np.stack([np.full(400, 21.5), x, y + 1], axis=1)
    points = np.concatenate([floor, wall]).astype(np.float32)
    for found in (estimate_normals(points, radius=1.6, k=30), normals._by_torch(points, 1.6, 30, cpu)):
        np.testing.assert_allclose(np.abs(found[:400, 2]), 1, atol=1e-5)
        np.testing.assert_allclose(np.abs(found[400:, 0]), 1, atol=1e-5)


def test_turned_towards_the_viewpoint(ellipsoid):
    view = np.array([0, 0, 1000.0])
    found = estimate_normals(ellipsoid, viewpoint=view)
    assert (np.einsum("ij,ij->i", found, view - ellipsoid) >= 0).all()


def test_too_few_points_have_a_stated_normal(cpu):
    for count in (0, 1, 2):
        assert np.array_equal(estimate_normals(np.zeros((count, 3), np.float32)), np.tile([0, 0, 1], (count, 1)))
    apart = np.arange(12, dtype=np.float32).reshape(4, 3) * 100
    assert np.array_equal(estimate_normals(apart, radius=1.0), np.tile([0, 0, 1], (4, 1)))
    assert np.array_equal(normals._by_torch(apart, 1.0, 4, cpu), np.tile([0, 0, 1], (4, 1)))
    assert np.isfinite(estimate_normals(np.zeros((5, 3), np.float32))).all()


def test_bad_arguments():
    with pytest.raises(ValueError, match="at least 3"):
        estimate_normals(np.zeros((5, 3), np.float32), k=2)
    with pytest.raises(ValueError, match="above 0"):
        estimate_normals(np.zeros((5, 3), np.float32), radius=0)


@pytest.mark.gpu
def test_cuda_equals_cpu(cuda, ellipsoid):
    found, expected = estimate_normals(ellipsoid, runtime=cuda), estimate_normals(ellipsoid)
    assert np.abs(np.einsum("ij,ij->i", found, expected)).min() > 0.999
