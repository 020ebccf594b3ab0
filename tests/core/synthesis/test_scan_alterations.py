"""Altered scans: how much is left, that labels go with their points, that the same chance gives the same scan."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from core.scan import Scan
from core.synthesis.scan_alterations import KINDS, AlterationKind, altered_scan, turned

SIDE = 24


def sheet(organised: bool) -> Scan:
    """A bent sheet with a marked corner; y grows with the rows, as a camera sees it."""
    rows, columns = np.indices((SIDE, SIDE))
    x, y = columns.ravel().astype(np.float32), rows.ravel().astype(np.float32)
    points = np.column_stack([x, y, np.sin(x / 5)])
    labels = (x < 5) & (y < 4)
    if not organised:
        return Scan(points, labels=labels, normals=np.tile([0, 0, 1.0], (len(points), 1)))
    grid = np.arange(SIDE * SIDE, dtype=np.int32).reshape(SIDE, SIDE)
    image = np.stack([columns * 9, rows * 9, rows * 0], axis=2).astype(np.uint8)
    return Scan(points, labels=labels, grid=grid, image=image)


def in_corner(scan: Scan) -> np.ndarray:
    """What the labels of points that were not moved must be."""
    return (scan.points[:, 0] < 4.9) & (scan.points[:, 1] < 3.9)


@pytest.mark.parametrize("organised", [False, True])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_every_level_gives_a_sound_scan_and_the_same_again(kind: AlterationKind, organised: bool) -> None:
    scan = sheet(organised)
    for level in kind.levels:
        found = altered_scan(scan, kind.key, level, np.random.default_rng(3))
        if found is None:
            assert organised
            continue
        again = altered_scan(scan, kind.key, level, np.random.default_rng(3))
        assert again is not None
        np.testing.assert_array_equal(found.points, again.points)
        assert found.labels is not None
        assert found.labels.any()
        assert found.organised == organised
        assert len(found) == (found.file_points if not organised else (found.grid >= 0).sum())  # type: ignore[operator]


def test_noise_has_the_deviation_that_it_says() -> None:
    scan = sheet(False)
    found = altered_scan(scan, "noise", 0.009, np.random.default_rng(0))
    assert found is not None
    assert found.normals is None
    expected = 0.009 * np.hypot(np.hypot(23, 23), 2) / 2
    assert np.std(found.points - scan.points) == pytest.approx(expected, rel=0.05)
    np.testing.assert_array_equal(found.labels, scan.labels)


@pytest.mark.parametrize("organised", [False, True])
@pytest.mark.parametrize("share", [1 / 2, 1 / 4, 1 / 8])
def test_down_sampling_keeps_its_share_with_labels_and_picture(organised: bool, share: float) -> None:
    found = altered_scan(sheet(organised), "downsampling", share, np.random.default_rng(0))
    assert found is not None
    assert len(found) == share * SIDE**2
    np.testing.assert_array_equal(found.labels, in_corner(found))
    if found.grid is not None:
        assert found.image is not None
        x = found.points[found.grid.ravel(), 0].reshape(found.grid.shape)
        np.testing.assert_array_equal(found.image[..., 0], x * 9)


@pytest.mark.parametrize("organised", [False, True])
def test_holes_take_good_points_alone(organised: bool) -> None:
    scan = sheet(organised)
    found = altered_scan(scan, "missing", 0.2, np.random.default_rng(0))
    assert found is not None
    assert scan.labels is not None
    assert found.labels is not None
    assert found.labels.sum() == scan.labels.sum()
    assert 0.1 <= 1 - len(found) / len(scan) <= 0.2
    np.testing.assert_array_equal(found.labels, in_corner(found))


def test_a_turn_keeps_all_distances_and_turns_by_its_angle() -> None:
    scan = sheet(False)
    found = turned(scan, 60.0, np.random.default_rng(1))
    assert found is not None
    before = np.linalg.norm(scan.points[0] - scan.points, axis=1)
    np.testing.assert_allclose(np.linalg.norm(found.points[0] - found.points, axis=1), before, atol=1e-4)
    pairs = scan.points[1:4].astype(np.float64) - scan.points[0], found.points[1:4].astype(np.float64) - found.points[0]
    assert not np.allclose(*pairs)
    middle = scan.bounds.mean(axis=0)
    turn = np.linalg.lstsq(scan.points - middle, found.points - middle, rcond=None)[0]
    assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) == pytest.approx(60.0, abs=0.1)


def test_an_organised_scan_turns_as_its_sensor_would_see_it() -> None:
    scan = sheet(True)
    found = turned(scan, 90.0, np.random.default_rng(1))
    assert found is not None
    assert found.grid is not None
    assert found.image is not None
    x = found.points[found.grid.ravel(), 0].reshape(found.grid.shape)
    y = found.points[found.grid.ravel(), 1].reshape(found.grid.shape)
    assert (np.diff(x, axis=1) > 0.9).all()  # x still to the right, y still down
    assert (np.diff(y, axis=0) > 0.9).all()
    np.testing.assert_array_equal(found.image, np.rot90(scan.image))  # type: ignore[arg-type]
    assert turned(scan, 60.0, np.random.default_rng(1)) is None


def test_a_line_scanner_is_dense_along_its_lines_alone() -> None:
    found = altered_scan(sheet(False), "density", 1 / 4, np.random.default_rng(0))
    assert found is not None
    axis = int(np.argmax([len(np.unique(found.points[:, i].round(2))) < 10 for i in (0, 1)]))
    assert len(np.unique(found.points[:, axis])) == SIDE / 4
    assert len(np.unique(found.points[:, 1 - axis])) == SIDE


def test_a_denser_scanner_adds_points_on_the_surface() -> None:
    scan = sheet(False)
    found = altered_scan(scan, "density", 2.0, np.random.default_rng(0))
    assert found is not None
    assert len(found) == 2 * len(scan)
    assert cKDTree(scan.points).query(found.points)[0].max() < 1.0
