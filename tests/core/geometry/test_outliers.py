from __future__ import annotations

import numpy as np
import open3d as o3d
import pytest

from core.geometry.outliers import statistical_outliers


@pytest.mark.parametrize(("k", "ratio"), [(20, 2.0), (8, 1.0)])
def test_equals_open3d(ellipsoid, k, ratio):
    points = np.concatenate([ellipsoid, ellipsoid[:20] * 1.5])
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points.astype(float)))
    _, kept = cloud.remove_statistical_outlier(k, ratio)
    expected = np.ones(len(points), bool)
    expected[kept] = False
    assert np.array_equal(statistical_outliers(points, k, ratio), expected)
    assert expected[-20:].all()


def test_copies_are_kept_and_small_clouds_have_none():
    assert not statistical_outliers(np.zeros((50, 3), np.float32)).any()
    for count in range(3):
        assert statistical_outliers(np.zeros((count, 3), np.float32)).shape == (count,)
    with pytest.raises(ValueError, match="at least 2"):
        statistical_outliers(np.zeros((5, 3), np.float32), k=1)
