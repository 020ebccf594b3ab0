from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.geometry.shading import DISTANCE, Camera, render_normals

UP = np.array([[0.0, 0.0, 1.0]], np.float32)


def sphere(count: int = 20_000, seed: int = 0) -> np.ndarray:
    points = np.random.default_rng(seed).standard_normal((count, 3))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def by_hand(points: np.ndarray, size: int, splat: int) -> np.ndarray:
    """The point seen in each pixel: every square drawn one after another, far ones and high indices first."""
    low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
    extent = (high - low).max()
    index = np.full((size, size), -1)
    focal = size / 2 / np.tan(np.pi / 6)
    depth = 0.7 * extent / np.tan(np.pi / 6) - (points[:, 2] - (low[2] + high[2]) / 2)
    for i in sorted(range(len(points)), key=lambda i: (-depth[i], -i)):
        x, y, _ = points[i] - (low + high) / 2
        # In the window's own coordinates the first pixel's middle is at a half.
        column, row = size / 2 + focal * x / depth[i], size / 2 - focal * y / depth[i]
        if not (0 <= column < size and 0 <= row < size):
            continue
        for r in range(size):
            for c in range(size):
                if -splat / 2 < r - np.floor(row) < splat / 2 and -splat / 2 < c - np.floor(column) < splat / 2:
                    index[r, c] = i
    return index


@pytest.mark.parametrize(
    ("degrees", "brightness"),
    [
        (0, 1.0),
        (5, 0.744026),
        (10, 0.650769),
        (15, 0.637511),
        (30, 0.571577),
        (45, 0.466690),
        (60, 0.33),
        (75, 0.170821),
        (90, 0.0),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_brightness_falls_with_the_tilt_as_the_formula_says(degrees, brightness, sign):
    tilt = np.deg2rad(degrees)
    normal = sign * np.array([[np.sin(tilt), 0, np.cos(tilt)]], np.float32)
    picture = render_normals(np.zeros((1, 3), np.float32), normal, extent=1.0)
    assert picture.image[112, 112] == pytest.approx(brightness, abs=1.5e-6)


def test_the_camera_is_the_viewers():
    camera = Camera.over(np.array([[0, 0, 0], [10, 4, 2]], np.float32))
    assert camera.focal == pytest.approx(193.989690, abs=1e-6)
    assert camera.middle == 111.5
    assert camera.extent == 10
    assert np.allclose(camera.center, [5, 2, 1])
    assert pytest.approx(1.212436, abs=1e-6) == DISTANCE
    assert camera.eye[2] == pytest.approx(12.12436, abs=1e-5)


def test_an_extent_at_the_centre_spans_160_pixels():
    camera = Camera.over(np.array([[-3, 0, 0], [3, 0, 0], [0, -1, 0]], np.float32))
    row, column, _ = camera.project(camera.turned(np.array([[-3, -0.5, 0], [3, -0.5, 0]], np.float32)))
    assert column[1] - column[0] == pytest.approx(160, abs=1e-9)
    assert row == pytest.approx([111.5, 111.5])


def test_a_lone_point_is_a_square_on_white():
    picture = render_normals(np.zeros((1, 3), np.float32), UP, extent=1.0)
    assert (picture.index == 0).sum() == 25
    assert (picture.image[picture.index < 0] == 1).all()
    assert (picture.index[110:115, 110:115] == 0).all()
    assert picture.pixels.tolist() == [[111, 111]]
    assert picture.visible.tolist() == [True]


@given(st.integers(0, 10_000), st.sampled_from([1, 3, 5]))
@settings(max_examples=10, deadline=None)
def test_the_nearest_square_wins_everywhere(seed, splat):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(60, 3)).astype(np.float32)
    points[:, 2] = np.round(points[:, 2])  # many equal depths
    assert np.array_equal(
        render_normals(points, np.repeat(UP, 60, 0), size=40, splat=splat).index, by_hand(points, 40, splat)
    )


def test_copies_show_the_lowest_index():
    points = np.concatenate([sphere(500)] * 2)
    picture = render_normals(points, points)
    assert picture.index.max() < 500


def test_signs_of_normals_do_not_matter():
    points = sphere()
    signs = np.where(np.random.default_rng(1).random(len(points)) < 0.5, -1, 1)[:, None].astype(np.float32)
    one, other = render_normals(points, points), render_normals(points, points * signs)
    assert np.array_equal(one.image, other.image)
    assert np.array_equal(one.visible, other.visible)


def test_order_place_and_unit_do_not_matter():
    points = sphere()
    order = np.random.default_rng(2).permutation(len(points))
    one, other = render_normals(points, points), render_normals(points[order], points[order])
    assert np.array_equal(one.image, other.image)
    assert np.array_equal(one.visible[order], other.visible)
    scaled = render_normals(points * np.float32(1024) + np.float32(64), points)
    assert (scaled.index != one.index).mean() < 0.02  # float32 rounds the moved points
    assert np.abs(scaled.image - one.image)[scaled.index == one.index].max() < 1e-3


def test_a_view_turns_the_cloud():
    points = sphere() * np.array([3, 2, 1], np.float32)
    normals = sphere()
    turn = np.diag([1.0, -1.0, -1.0])
    one = render_normals(points, normals, view=turn)
    other = render_normals((points @ turn).astype(np.float32), (normals @ turn).astype(np.float32))
    assert np.array_equal(one.index, other.index)
    assert np.allclose(one.image, other.image, atol=1e-6)


def test_the_visible_part_of_a_sphere_is_its_cap():
    points = sphere(200_000)  # at 50,000 the near side, magnified, shows gaps
    picture = render_normals(points, points)
    # From the eye at d = 2 · 1.2124 one sees what lies above z = 1/d.
    seen = points[:, 2] > 1 / (2 * DISTANCE)
    assert (picture.visible == seen).mean() > 0.95
    assert picture.visible[points[:, 2] > 0.55].all()
    assert not picture.visible[points[:, 2] < 0.1].any()


def test_a_sheet_hides_the_one_behind_it():
    side = np.linspace(-1, 1, 120, dtype=np.float32)
    x, y = (a.ravel() for a in np.meshgrid(side, side))
    sheets = np.concatenate([np.stack([x, y, np.full_like(x, z)], axis=1) for z in (0.0, -0.1)])
    picture = render_normals(sheets, np.repeat(UP, len(sheets), 0))
    assert picture.visible[: len(x)].all()
    assert not picture.visible[len(x) :].any()


def test_points_out_of_the_picture_or_behind_the_eye_are_not_visible():
    points = np.array([[0, 0, 0], [5, 0, 0], [0, 0, 5]], np.float32)
    picture = render_normals(points, np.repeat(UP, 3, 0), center=(0, 0, 0), extent=1.0)
    assert picture.visible.tolist() == [True, False, False]
    assert set(np.unique(picture.index)) == {-1, 0}


def test_a_point_that_shows_in_its_own_pixel_is_visible():
    points = sphere()
    picture = render_normals(points, points)
    row, column, _ = Camera.over(points).project(Camera.over(points).turned(points))
    own = picture.index[np.floor(row + 0.5).astype(int), np.floor(column + 0.5).astype(int)]
    assert picture.visible[own == np.arange(len(points))].all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"splat": 4},
        {"size": 0},
        {"view": np.ones((3, 3))},
        {"extent": 0.0},
    ],
)
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match=r"must be|rotation"):
        render_normals(sphere(10), sphere(10), **wrong)
    with pytest.raises(ValueError, match="normals"):
        render_normals(sphere(10), sphere(9))
