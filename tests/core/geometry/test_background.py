from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from core.errors import ScanError
from core.geometry.background import ForegroundPolicy, find_support, plane_background
from core.geometry.planes import Plane, fit_plane
from core.scan import Scan

SAMPLE = Path(os.environ.get("NOMINAL_SAMPLE_DATA", Path(__file__).parents[4] / "shared" / "data"))
XYZ = SAMPLE / "mvtec3d_sample" / "cable_gland" / "train" / "good" / "xyz"


def from_depth(depth: np.ndarray, pitch: float, unit: str = "mm") -> Scan:
    """An organised scan of a height field in millimetres, NaN where nothing was measured, seen from above."""
    rows, columns = np.indices(depth.shape) * pitch
    measured = np.isfinite(depth)
    grid = np.full(depth.shape, -1, np.int32)
    grid[measured] = np.arange(measured.sum())
    points = np.stack([columns, rows, depth], axis=2)[measured]
    return Scan((points * {"mm": 1.0, "m": 1e-3}[unit]).astype(np.float32), grid=grid, unit=unit)


def table_with_part(height: float, seed: int = 0, unit: str = "mm") -> tuple[Scan, np.ndarray]:
    """A tilted, slightly uneven table with a round part of 40 mm on it; and where the part is."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((160, 160)) * 0.6
    table = 0.1 * columns + 0.05 * rows + rng.normal(0, 0.1, rows.shape)
    part = np.hypot(rows - 48, columns - 48) < 20
    depth = np.where(part, table + height, table)
    depth[rng.random(depth.shape) < 0.05] = np.nan
    scan = from_depth(depth, 0.6, unit)
    return scan, part[np.isfinite(depth)]


@pytest.mark.parametrize("unit", ["mm", "m"])
@pytest.mark.parametrize("height", [2.0, 4.0, 20.0])
def test_the_part_stays_and_the_table_goes(height, unit):
    scan, part = table_with_part(height, unit=unit)
    background = plane_background(scan)
    assert (background != part).mean() > 0.99


def test_loose_pieces_go_with_the_table():
    scan, part = table_with_part(20.0)
    points = scan.points.copy()
    stray = np.flatnonzero(~part)[100:140]
    points[stray, 2] += 15
    background = plane_background(scan.replaced(points=points))
    assert background[stray].all()
    assert not background[part].any()


def test_a_plate_that_fills_the_frame_is_the_part():
    rng = np.random.default_rng(0)
    rows, columns = np.indices((160, 160)) * 0.6
    depth = rng.normal(0, 0.02, rows.shape)
    assert not plane_background(from_depth(depth, 0.6)).any()
    for row, column in ((25, 25), (25, 70), (70, 25), (70, 70)):
        depth[np.hypot(rows - row, columns - column) < 8] += 6  # embossed studs
    assert not plane_background(from_depth(depth, 0.6)).any()


def test_a_plate_without_a_table_around_it_is_the_part():
    depth = np.full((160, 160), np.nan)
    depth[30:130, 20:140] = 0.0
    depth[60:90, 60:90] = 8.0
    scan = from_depth(depth, 0.6)
    assert find_support(scan) is None
    assert ForegroundPolicy.learn([scan]).mask(scan).all()


def table_cloud(seed=0):
    rng = np.random.default_rng(seed)
    table = rng.random((30_000, 3)) * np.array([400, 300, 0])
    dome = rng.standard_normal((6000, 3))
    dome *= 30 / np.linalg.norm(dome, axis=1, keepdims=True)
    dome = dome[dome[:, 2] > 0] + np.array([200, 150, 0])
    points = np.concatenate([table, dome]) + rng.normal(0, 0.05, (len(table) + len(dome), 3))
    return points.astype(np.float32), len(table)


def test_a_large_table_below_a_cloud_is_found():
    points, table = table_cloud()
    background = plane_background(Scan(points))
    assert background[:table].mean() > 0.99
    assert background[table:].mean() < 0.1  # the foot of the dome lies in the table


def test_flat_parts_in_clouds_are_parts():
    rng = np.random.default_rng(0)
    top = rng.random((8000, 3)) * np.array([100, 60, 0])
    plate = np.concatenate([top, top + np.array([0, 0, 4])])
    boss = rng.random((800, 2)) * 2 * np.pi
    boss = np.stack([50 + 15 * np.cos(boss[:, 0]), 30 + 15 * np.sin(boss[:, 0]), 4 + 2 * boss[:, 1]], axis=1)
    for points in (top, plate, np.concatenate([plate, boss]), np.concatenate([top, boss])):
        scan = Scan(points.astype(np.float32))
        assert not plane_background(scan).any()
    corner = np.concatenate([top, top[:, [2, 1, 0]]])
    assert not plane_background(Scan(corner.astype(np.float32))).any()


def test_policy_is_decided_once_and_kept():
    scans = [table_with_part(20.0, seed)[0] for seed in range(3)]
    policy = ForegroundPolicy.learn(scans)
    assert policy.plane
    again = ForegroundPolicy.from_state(policy.state())
    assert again == policy
    scan, part = table_with_part(20.0, 9)
    assert (again.mask(scan) == part).mean() > 0.99
    assert ForegroundPolicy.learn(scans, "none").mask(scan).all()
    bare = from_depth(np.zeros((160, 160)), 0.6)
    assert not ForegroundPolicy.learn([*scans, bare]).plane  # one in four shows no table
    with pytest.raises(ScanError, match="only its support"):
        policy.mask(bare)
    with pytest.raises(ValueError, match="table"):
        ForegroundPolicy.learn(scans, "table")


def test_plane_mode_removes_what_auto_would_keep():
    scan = Scan(np.concatenate([table_cloud()[0][:30_000:10], table_cloud()[0][30_000:]]))
    assert not ForegroundPolicy.learn([scan]).plane or ForegroundPolicy.learn([scan], "plane").plane
    assert ForegroundPolicy.learn([scan], "plane").mask(scan).sum() < len(scan)


def test_removal_distance_is_strict():
    scan, _ = table_with_part(20.0)
    grid = Scan(scan.points, grid=scan.grid)
    plane = Plane(np.array([0.0, 0, 1]), -0.5)
    heights = plane.heights(np.array([[0, 0, 0.5], [0, 0, 0.5049], [0, 0, 0.5051], [0, 0, 0]], np.float32))
    assert (np.abs(heights) < 0.005).tolist() == [True, True, False, False]
    assert plane_background(grid).any()


def test_plane_fit_is_robust_seeded_and_honest():
    rng = np.random.default_rng(0)
    normal = np.array([1, 2, 2]) / 3
    flat = rng.standard_normal((2000, 3)) * 20
    flat -= np.outer(flat @ normal - 7, normal)
    points = np.concatenate([flat, rng.random((1500, 3)) * 100]).astype(np.float32)
    found = fit_plane(points, 0.1, seed=4)
    assert abs(found.normal @ normal) == pytest.approx(1, abs=1e-6)
    assert np.abs(found.heights(flat.astype(np.float32))).max() < 0.02
    again = fit_plane(points, 0.1, seed=4)
    assert np.array_equal(found.normal, again.normal)
    assert found.offset == again.offset
    line = np.outer(np.arange(10), [1, 1, 0]).astype(np.float32)
    assert fit_plane(line, 0.1) is None
    assert fit_plane(line[:2], 0.1) is None
    with pytest.raises(ValueError, match="above 0"):
        fit_plane(points, 0.0)


@pytest.mark.sample
def test_real_scans_keep_the_part():
    if not XYZ.exists():
        pytest.skip(f"no sample scans at {SAMPLE}")
    import tifffile

    for path in sorted(XYZ.glob("*.tiff"))[:3]:
        image = tifffile.imread(path)
        measured = (image != 0).all(axis=2)
        grid = np.full(measured.shape, -1, np.int32)
        grid[measured] = np.arange(measured.sum())
        scan = Scan(image[measured], grid=grid, unit="m")
        part = ~plane_background(scan)
        assert 0.2 < part.mean() < 0.3  # a cable gland of about 35 by 50 mm on 100 by 100 mm
        size = np.ptp(scan.points[part], axis=0)
        assert 0.03 < size[:2].max() < 0.075
