"""The separate defects of a ground truth."""

from __future__ import annotations

import numpy as np
import pytest

from core.evaluation.ranking import region_weights
from core.evaluation.regions import cloud_regions, grid_regions, scan_regions
from core.scan import Scan


def sheet(side: int = 30, seed: int | None = None) -> np.ndarray:
    """Points of a flat sheet on a lattice, or strewn at random."""
    if seed is None:
        x, y = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
        return np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3).astype(np.float32)
    xy = np.random.default_rng(seed).uniform(0, side, (side * side, 2))
    return np.column_stack([xy, np.zeros(len(xy))]).astype(np.float32)


def test_diagonal_pixels_are_one_region() -> None:
    mask = np.zeros((5, 5), bool)
    mask[[0, 1, 4], [3, 2, 0]] = True
    regions = grid_regions(mask)
    assert regions[0, 3] == regions[1, 2] != regions[4, 0]
    assert (regions[~mask] == -1).all()


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_defects_of_a_cloud_stay_apart_and_whole(seed: int | None) -> None:
    points = sheet(seed=seed)
    first = np.hypot(points[:, 0] - 7, points[:, 1] - 7) < 5
    second = np.hypot(points[:, 0] - 21, points[:, 1] - 20) < 6
    regions = cloud_regions(points, first | second)
    assert set(regions) == {-1, 0, 1}
    assert len(set(regions[first])) == 1
    assert len(set(regions[second])) == 1
    assert (regions[~(first | second)] == -1).all()


def test_a_good_strip_parts_defects_whatever_the_density() -> None:
    x, y = np.meshgrid(np.linspace(0, 1, 60) ** 2, np.linspace(0, 1, 60), indexing="ij")  # denser to the left
    points = np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3).astype(np.float32)
    rows = np.repeat(np.arange(60), 60)
    labels = (rows < 20) | (rows >= 26)
    regions = cloud_regions(points, labels)
    assert len(set(regions[rows < 20])) == 1
    assert set(regions[rows < 20]) != set(regions[rows >= 26])


def test_turning_and_scaling_a_cloud_change_nothing() -> None:
    points = sheet(seed=3)
    labels = np.random.default_rng(4).random(len(points)) < 0.3
    turned = (points[:, [2, 0, 1]] * np.float32(0.001)).astype(np.float32)
    one, other = cloud_regions(points, labels), cloud_regions(turned, labels)
    assert np.array_equal(one[labels][:, None] == one[labels], other[labels][:, None] == other[labels])


def test_no_and_few_labels() -> None:
    points = sheet(4)
    assert (cloud_regions(points, np.zeros(16, bool)) == -1).all()
    one = np.arange(16) == 3
    assert np.array_equal(cloud_regions(points, one), np.where(one, 0, -1))
    assert cloud_regions(points[:3], np.ones(3, bool)).tolist() == [0, 0, 0]


def test_pixels_without_a_measurement_split_no_defect() -> None:
    mask = np.zeros((6, 6), bool)
    mask[1, 1:5] = True
    mask[5, 0] = True
    measured = np.ones((6, 6), bool)
    measured[1, 2] = measured[5, 0] = False
    grid = np.full((6, 6), -1, np.int32)
    grid[measured] = np.arange(measured.sum())
    scan = Scan(np.random.default_rng(0).random((int(measured.sum()), 3)).astype(np.float32), grid=grid)
    labels = mask[measured]
    whole, seen = scan_regions(scan, labels, mask), scan_regions(scan, labels)
    assert set(whole[labels]) == {0}
    assert set(seen[labels]) == {0, 1}  # without the mask of the whole grid the hole splits it


def test_each_region_weighs_one() -> None:
    weights = region_weights(np.array([-1, 0, 0, 2, -1, 0, 2]))
    assert weights.tolist() == pytest.approx([0, 1 / 3, 1 / 3, 1 / 2, 0, 1 / 3, 1 / 2])
