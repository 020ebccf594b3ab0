from __future__ import annotations

import numpy as np
import pytest

from core.geometry.patches import make_patches


def test_centres_and_their_nearest(slow, ellipsoid):
    patches = make_patches(ellipsoid, 12, 10)
    start = int(np.linalg.norm(ellipsoid - ellipsoid.mean(axis=0), axis=1).argmax())
    assert np.array_equal(patches.centers_index, slow.farthest_points(ellipsoid, 12, start))
    expected = slow.nearest(ellipsoid, ellipsoid[patches.centers_index], 10)[1]
    assert np.array_equal(patches.neighbors, expected)
    assert np.array_equal(patches.neighbors[:, 0], patches.centers_index)


def test_does_not_depend_on_the_order_of_points(ellipsoid):
    order = np.random.default_rng(0).permutation(len(ellipsoid))
    patches, shuffled = make_patches(ellipsoid, 20, 5), make_patches(ellipsoid[order], 20, 5)
    assert np.array_equal(order[shuffled.centers_index], patches.centers_index)


def test_given_start_and_more_than_there_is(ellipsoid):
    patches = make_patches(ellipsoid[:7], 20, 30, start=3)
    assert patches.centers_index[0] == 3
    assert patches.neighbors.shape == (7, 7)
    with pytest.raises(ValueError, match="at least 1"):
        make_patches(ellipsoid[:0], 1, 1)
    with pytest.raises(ValueError, match="asked for"):
        make_patches(ellipsoid, 0, 1)
