"""Small pictures of scored parts: what is drawn, in which colours, from where."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.reporting.colormap import NOT_JUDGED, turbo
from core.reporting.part_picture import part_picture
from core.scan import Scan
from core.scores import Scores

SIZE = 96


def sheet(count: int = 70) -> NDArray[np.float32]:
    """A flat square, seen best along z."""
    x, y = np.meshgrid(np.linspace(0, 50, count), np.linspace(0, 50, count))
    return np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3).astype(np.float32)


def scored(values: NDArray[np.floating]) -> Scores:
    return Scores(values.astype(np.float32), 1.0, {})


def opaque(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The colours of what is drawn whole."""
    return picture[picture[..., 3] == 255, :3]


def test_colours_are_the_heatmaps_under_light() -> None:
    points = sheet()
    for share, entry in ((0.0, 0), (1.0, 255)):
        picture = part_picture(Scan(points), scored(np.full(len(points), share)), 0.0, 1.0, size=SIZE)
        assert picture.shape == (SIZE, SIZE, 4)
        shown = np.median(opaque(picture).astype(float), axis=0)
        expected = turbo()[entry].astype(float)
        assert shown / np.linalg.norm(shown) == pytest.approx(expected / np.linalg.norm(expected), abs=0.06)
        assert (shown <= expected + 1).all(), "light makes nothing brighter than its colour"
        assert (picture[..., 3] == 255).mean() > 0.6, "the part fills the picture"
        assert picture[0, 0, 3] == 0, "the background is transparent"


def test_the_same_again_and_large_scans_too() -> None:
    points = sheet(260)
    values = np.linspace(0, 1, len(points))
    one, other = (part_picture(Scan(points), scored(values), 0.0, 1.0, size=SIZE) for _ in range(2))
    assert np.array_equal(one, other)


def test_what_is_not_judged_is_left_out_and_defects_are_outlined() -> None:
    points = sheet()
    away = np.hypot(points[:, 0] - 12, points[:, 1] - 25)
    values = np.where(points[:, 0] > 25, np.nan, 0.0)
    bare = part_picture(Scan(points), scored(values), 0.0, 1.0, size=SIZE)
    columns = np.flatnonzero((bare[..., 3] > 0).any(axis=0))
    rows = np.flatnonzero((bare[..., 3] > 0).any(axis=1))
    ratio = sorted((np.ptp(columns), np.ptp(rows)))
    assert ratio[0] / ratio[1] == pytest.approx(0.5, abs=0.08), "half a square"
    outlined = part_picture(Scan(points, labels=away < 5), scored(values), 0.0, 1.0, size=SIZE)
    white = (opaque(outlined) > 200).all(axis=1).sum()
    black = (opaque(outlined) < 60).all(axis=1).sum()
    assert white > 20
    assert black > 20
    assert (opaque(bare) > 200).all(axis=1).sum() == 0
    nothing = part_picture(Scan(points), scored(np.full(len(points), np.nan)), 0.0, 1.0, size=SIZE)
    shown = np.median(opaque(nothing).astype(float), axis=0)
    assert shown == pytest.approx(np.array(NOT_JUDGED) * shown.mean() / 128, abs=2), "grey"


def test_it_looks_from_where_the_defect_shows() -> None:
    rng = np.random.default_rng(0)
    faces = []
    for axis in range(3):
        for side in (0.0, 40.0):
            face = rng.uniform(0, 40, (2500, 3))
            face[:, axis] = side
            faces.append(face)
    cube = np.concatenate(faces).astype(np.float32)
    for axis, side in ((0, 0.0), (1, 40.0), (2, 0.0)):
        labels = (np.abs(cube[:, axis] - side) < 0.1) & (
            np.abs(cube - 20).max(axis=1, where=_others(axis), initial=0) < 6
        )
        picture = part_picture(Scan(cube, labels=labels), scored(np.zeros(len(cube))), 0.0, 1.0, size=SIZE)
        assert (opaque(picture) > 200).all(axis=1).sum() > 20, (axis, side)


def _others(axis: int) -> NDArray[np.bool_]:
    return np.arange(3) != axis


def test_organised_scans_are_seen_as_their_sensor_saw_them() -> None:
    points = sheet(60) * np.float32([1, -1, 1])  # rows run down
    grid = np.arange(3600, dtype=np.int32).reshape(60, 60)
    values = np.zeros((60, 60))
    values[:15, :15] = 1.0  # above left
    picture = part_picture(Scan(points, grid=grid), scored(values.ravel()), 0.0, 1.0, size=SIZE)
    red = picture[..., 0].astype(int) - picture[..., 2].astype(int)
    rows, columns = np.nonzero((red > 40) & (picture[..., 3] == 255))
    assert rows.mean() < SIZE / 3
    assert columns.mean() < SIZE / 3


def test_a_few_points_are_no_failure() -> None:
    for count in (1, 2, 5):
        picture = part_picture(Scan(sheet()[:count]), scored(np.zeros(count)), 0.0, 1.0, size=SIZE)
        assert picture.shape == (SIZE, SIZE, 4)
