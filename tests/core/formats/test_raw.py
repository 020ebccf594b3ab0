"""The checks that every format shares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import ScanError
from core.formats.raw import RawScan, to_scan

PATH = Path("part.ply")
CORNERS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], np.float64)


def test_far_coordinates_are_shifted_and_say_so() -> None:
    points = CORNERS * 1e-3 + (4_500_000.125, 5_700_000.5, 300.0)
    scan = to_scan(RawScan(points), PATH, unit="m")
    (note,) = scan.notes
    origin = np.array([float(word) for word in note.split("(")[1].rstrip(")").split(",")])
    assert np.abs(scan.points.astype(np.float64) + origin - points).max() < 2e-8  # double itself: 1e-9 there
    assert np.abs(scan.points).max() < 1


def test_scans_of_one_place_share_their_origin() -> None:
    far = CORNERS * 10 + (4_500_012.0, 5_700_003.0, 3.0)
    first, second = (to_scan(RawScan(far + shift), PATH, unit="mm") for shift in (0.0, 1.5))
    assert first.notes == second.notes


def test_near_coordinates_stay() -> None:
    points = CORNERS + 50
    scan = to_scan(RawScan(points), PATH, unit="mm")
    np.testing.assert_array_equal(scan.points, points.astype(np.float32))
    assert scan.notes == ()


def test_missing_points_take_their_attributes_along() -> None:
    points = CORNERS.copy()
    points[1, 2] = np.nan
    colors = np.arange(12, dtype=np.uint8).reshape(4, 3)
    scan = to_scan(RawScan(points, colors=colors, labels=np.array([0, 1, 0, 1])), PATH, unit="mm")
    np.testing.assert_array_equal(scan.colors, colors[[0, 2, 3]])
    np.testing.assert_array_equal(scan.labels, [False, False, True])
    np.testing.assert_array_equal(scan.rows, [0, 2, 3])
    values = scan.in_file_order(np.array([1, 2, 3], np.float32))
    np.testing.assert_array_equal(values, [1, np.nan, 2, 3])


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan, 3e30])
def test_points_out_of_this_world_are_missing(wrong: float) -> None:
    points = CORNERS.copy()
    points[0, 0] = wrong
    assert len(to_scan(RawScan(points), PATH, unit="mm")) == 3


def test_zeros_are_missing_on_a_grid_only() -> None:
    points = np.vstack([CORNERS, np.zeros((2, 3))])
    assert len(to_scan(RawScan(points), PATH, unit="mm")) == 6
    scan = to_scan(RawScan(points.reshape(2, 3, 3)), PATH, unit="mm")
    assert scan.grid is not None
    np.testing.assert_array_equal(scan.grid, [[0, 1, 2], [3, -1, -1]])


def test_duplicates_stay_with_a_note() -> None:
    points = np.vstack([CORNERS, CORNERS[:1], CORNERS[:1], [[-0.0, 1, 0]]])
    scan = to_scan(RawScan(points), PATH, unit="mm")
    assert len(scan) == 7
    assert scan.notes == ("3 points repeat another point",)


@pytest.mark.parametrize(
    ("colors", "expected"),
    [
        (np.array([[0, 0.5, 1.0]] * 4), [0, 128, 255]),
        (np.array([[0.0, 128, 255]] * 4), [0, 128, 255]),
        (np.array([[0, 257, 65535]] * 4, np.uint16), [0, 1, 255]),
        (np.array([[0, 1, 255]] * 4, np.uint16), [0, 1, 255]),
        (np.array([[0, 1, 1]] * 4, np.uint8), [0, 1, 1]),
    ],
)
def test_colours_of_any_scale(colors: np.ndarray, expected: list[int]) -> None:
    scan = to_scan(RawScan(CORNERS, colors=colors), PATH, unit="mm")
    assert scan.colors is not None
    np.testing.assert_array_equal(scan.colors[0], expected)


def test_normals_without_direction_are_left_out() -> None:
    normals = np.array([[0, 0, 2.0], [0, 0, 1], [0, 0, 0], [1, 0, 0]])
    scan = to_scan(RawScan(CORNERS, normals=normals), PATH, unit="mm")
    assert scan.normals is None
    assert "1 of them" in scan.notes[0]


def test_labels_of_several_kinds_are_defects_with_a_note() -> None:
    scan = to_scan(RawScan(CORNERS, labels=np.array([0, 1, 2, 0])), PATH, unit="mm")
    np.testing.assert_array_equal(scan.labels, [False, True, True, False])
    assert "more than two values" in scan.notes[0]
    assert to_scan(RawScan(CORNERS, labels=np.array([0, 255, 255, 0])), PATH, unit="mm").notes == ()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (RawScan(CORNERS, normals=CORNERS[:3]), "normals of shape"),
        (RawScan(CORNERS, labels=np.zeros(5)), "labels of shape"),
        (RawScan(CORNERS, colors=CORNERS - 5), "colours from -5"),
        (RawScan(CORNERS, unit="m"), "in m, but it is read as mm"),
        (RawScan(CORNERS, grid=np.array([[0, 1, 1, 3]])), "does not name each"),
        (RawScan(CORNERS, grid=np.array([[0, 1, 2, 9]])), "does not name each"),
        (RawScan(CORNERS, image=np.zeros((2, 2, 3), np.uint8)), "lie on no grid"),
        (RawScan(CORNERS.reshape(2, 2, 3), image=np.zeros((2, 3, 3), np.uint8)), "does not match"),
    ],
)
def test_what_does_not_fit_is_refused(raw: RawScan, words: str) -> None:
    with pytest.raises(ScanError, match=words):
        to_scan(raw, PATH, unit="mm")


def test_a_grid_of_its_own_survives_missing_points() -> None:
    points = CORNERS.copy()
    points[2, 0] = np.nan
    scan = to_scan(RawScan(points, grid=np.array([[3, 2], [-1, 0], [1, -1]])), PATH, unit="mm")
    assert scan.grid is not None
    np.testing.assert_array_equal(scan.grid, [[2, -1], [-1, 0], [1, -1]])


def test_an_image_colours_the_points() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    scan = to_scan(RawScan(CORNERS.reshape(2, 2, 3), image=image), PATH, unit="mm")
    np.testing.assert_array_equal(scan.colors, image.reshape(-1, 3))
