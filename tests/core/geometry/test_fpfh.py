from __future__ import annotations

import numpy as np
import open3d as o3d
import pytest

from core.geometry import fpfh as module
from core.geometry.fpfh import fpfh


@pytest.fixture(scope="module")
def surface():
    rng = np.random.default_rng(3)
    points = rng.standard_normal((1500, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    normals = points + rng.normal(0, 0.1, points.shape)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    points[20:25] = points[0]  # copies
    points[30] = 10  # alone
    return points.astype(np.float32), normals.astype(np.float32)


@pytest.mark.parametrize(("radius", "most"), [(0.2, 100), (0.5, 100), (0.5, 12)])
def test_both_ways_equal_open3d(cpu, surface, radius, most):
    points, normals = surface
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points.astype(float)))
    cloud.normals = o3d.utility.Vector3dVector(normals.astype(float))
    search = o3d.geometry.KDTreeSearchParamHybrid(radius, most)
    asked = np.array([700, 3, 30, 3, 1499, 41, 512])
    expected = np.asarray(o3d.pipelines.registration.compute_fpfh_feature(cloud, search).data).T[asked]
    tolerance = 1e-3 * 200
    np.testing.assert_allclose(fpfh(points, normals, asked, radius, most), expected, atol=tolerance)
    np.testing.assert_allclose(module._by_torch(points, normals, asked, radius, most, cpu), expected, atol=tolerance)


def test_equals_the_definition(slow, cpu, surface):
    points, normals = surface[0][:150], surface[1][:150]
    asked = np.array([5, 30, 149])
    for found in (fpfh(points, normals, asked, 0.4, 20), module._by_torch(points, normals, asked, 0.4, 20, cpu)):
        for row, i in zip(found, asked, strict=True):
            np.testing.assert_allclose(row, slow.fpfh(points, normals, i, 0.4, 20), atol=2e-2)


def test_each_block_sums_to_200_or_nothing(surface):
    points, normals = surface
    sums = fpfh(points, normals, np.arange(60), 0.3).reshape(60, 3, 11).sum(axis=2)
    lonely = np.arange(60) == 30
    np.testing.assert_allclose(sums[~lonely], 200, atol=1e-3)
    assert (sums[lonely] == 0).all()


def test_does_not_change_when_the_part_moves(surface):
    points, normals = surface
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    moved = (points @ turn.T + [1, 2, 3]).astype(np.float32)
    asked = np.arange(100, 110)
    before = fpfh(points, normals, asked, 0.4)
    after = fpfh(moved, (normals @ turn.T).astype(np.float32), asked, 0.4)
    assert np.abs(before - after).sum(axis=1).max() < 0.1 * 600  # a pair may fall into the next bin


def test_scattered_clouds_are_described_in_the_order_asked():
    points = np.random.default_rng(0).standard_normal((21_000, 3)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    asked = np.array([20_000, 7, 300])
    near = (np.linalg.norm(points[:, None] - points[asked], axis=2) < 0.2).any(axis=1)
    kept = np.flatnonzero(near)  # ordered differently, and too few to be reordered
    small = fpfh(points[kept], points[kept], np.searchsorted(kept, asked), 0.05)
    np.testing.assert_allclose(fpfh(points, points, asked, 0.05), small, atol=1e-3)


def test_nothing_asked_and_bad_arguments(surface):
    points, normals = surface
    assert fpfh(points, normals, np.empty(0, np.int64), 0.1).shape == (0, 33)
    with pytest.raises(IndexError, match="1500"):
        fpfh(points, normals, np.array([1500]), 0.1)
    with pytest.raises(ValueError, match="normals"):
        fpfh(points, normals[:3], np.array([0]), 0.1)
    with pytest.raises(ValueError, match="radius"):
        fpfh(points, normals, np.array([0]), 0.0)


@pytest.mark.gpu
def test_cuda_equals_cpu(cuda, surface):
    points, normals = surface
    asked = np.arange(0, 1500, 50)
    expected = fpfh(points, normals, asked, 0.3)
    np.testing.assert_allclose(fpfh(points, normals, asked, 0.3, runtime=cuda), expected, atol=0.2)
