"""Pictures of a scan, the heights in them, and the pseudo-anomalies made there."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

from core.backbones.image_features import image_features
from core.errors import ScanError
from core.pipelines.iaenet.config import IaenetConfig
from core.pipelines.iaenet.expert_2d import Described, Expert2D
from core.pipelines.iaenet.frame import Frame, Prepared
from core.pipelines.iaenet.pictures import SIZE, Photographer
from core.pipelines.iaenet.pseudo import PseudoMaker
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan

CPU = Runtime(torch.device("cpu"))
CONFIG = IaenetConfig.preset("fast", background="none", align="none", voxel_points=1500, views=3)


def raised(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 10 * np.exp(-(((x + 8) / 9) ** 2) - (y / 7) ** 2) + 0.05 * x


def cloud(seed: int, unit: str = "mm") -> Scan:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-20, 20, 4000), rng.uniform(-12, 12, 4000)
    points = np.column_stack([x, y, raised(x, y)]).astype(np.float32)
    return Scan(points * np.float32(1 if unit == "mm" else 1e-3), unit=unit, name=f"dome {seed}")


def grid(seed: int, image: bool = True) -> Scan:
    """On a grid whose image says row and column."""
    y, x = np.meshgrid(np.linspace(12, -12, 60), np.linspace(-20, 20, 100), indexing="ij")
    points = np.column_stack([x.ravel(), y.ravel(), raised(x, y).ravel()]).astype(np.float32)
    rows, columns = np.indices((60, 100))
    colours = np.stack([4 * rows, 2 * columns, 0 * rows], axis=2).astype(np.uint8)
    index = np.arange(6000, dtype=np.int32).reshape(60, 100)
    return Scan(points, grid=index, image=colours if image else None, name=f"grid {seed}")


def learned(scans: list[Scan], config: IaenetConfig) -> tuple[list[Prepared], Photographer]:
    frame, prepared, first = Frame.learn(scans, config, 0, Progress())
    return prepared, Photographer.learn(prepared, first, frame.pose.reference is not None, config)


@functools.cache
def domes() -> tuple[list[Prepared], Photographer]:
    return learned([cloud(0), cloud(1, "m")], CONFIG)


def test_scans_are_prepared_in_millimetres_whatever_their_unit() -> None:
    prepared, _ = domes()
    for one in prepared:
        assert np.ptp(one.dense, axis=0)[0] == pytest.approx(40, abs=0.5)
        assert one.inverse.max() == len(one.cloud) - 1
        back = one.to_scan_frame(one.dense)
        assert back == pytest.approx(one.scan.points[one.rows], rel=1e-5, abs=1e-6)


def test_values_return_to_the_points_they_stand_for() -> None:
    one = domes()[0][0]
    values = one.to_scan(np.arange(len(one.cloud)))
    point = 123
    assert values[point] == one.point_of(point)


def test_every_pixel_names_a_point_that_lies_there() -> None:
    prepared, photographer = domes()
    for picture in photographer.take(prepared[0]):
        rows, columns = np.nonzero(picture.mask)
        named = picture.index[rows, columns]
        away = np.abs(picture.pixels[named] - np.stack([rows, columns], axis=1)).max(axis=1)
        assert np.median(away) <= 6
        assert picture.image.shape == (3, SIZE, SIZE)
        assert np.linalg.norm(picture.towards) == pytest.approx(1.0)


def test_heights_are_those_of_the_surface() -> None:
    prepared, photographer = domes()
    one = prepared[0]
    for picture in photographer.take(one)[:1]:
        heights = picture.heights(one.dense)
        assert np.array_equal(np.isfinite(heights), picture.mask)
        seen = picture.dense_visible
        at = picture.dense_pixels[seen]
        found = heights[at[:, 0], at[:, 1]]
        assert np.median(np.abs(found - one.dense[seen] @ picture.towards)) < 2 * photographer.pixel


def test_an_organised_scan_is_seen_by_its_sensor_alone() -> None:
    prepared, photographer = learned([grid(0), grid(1)], CONFIG)
    assert photographer.count == 1
    assert photographer.views[0] == pytest.approx(np.eye(3), abs=1e-6)
    assert photographer.take(prepared[0])[0].visible.mean() > 0.8


def test_an_rgb_image_is_the_picture_where_it_is_asked_for() -> None:
    prepared, photographer = learned(
        [grid(0), grid(1)], IaenetConfig.preset("fast", background="none", align="none", image="rgb", voxel_points=0)
    )
    picture = photographer.take(prepared[0])[0]
    for point in (0, 2000, 5999):
        row, column = divmod(point, 100)
        at = picture.pixels[prepared[0].point_of(point)]
        shown = picture.image[:, at[0], at[1]] * 255
        assert shown[:2] == pytest.approx([4 * row, 2 * column], abs=5)
        assert picture.index[at[0], at[1]] >= 0


def test_a_missing_image_is_named() -> None:
    with pytest.raises(ScanError, match="grid 1"):
        learned([grid(0), grid(1, image=False)], IaenetConfig.preset("fast", background="none", image="rgb"))
    _, photographer = learned([grid(0), grid(1, image=False)], IaenetConfig.preset("fast", image="auto"))
    assert not photographer.rgb


def test_a_photographer_comes_back_from_its_state() -> None:
    prepared, photographer = domes()
    again = Photographer.from_state(photographer.state())
    for one, other in zip(photographer.take(prepared[1]), again.take(prepared[1]), strict=True):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.index, other.index)


def maker(prepared: list[Prepared], photographer: Photographer, procedural: float) -> PseudoMaker:
    described = [Described(photographer.take(one), []) for one in prepared]
    return PseudoMaker(prepared, described, photographer, CONFIG.cut_paste_options(), procedural, 12)


@pytest.mark.parametrize("procedural", [0.0, 1.0])
def test_pasted_points_move_along_one_view_and_the_others_stay(procedural: float) -> None:
    prepared, photographer = domes()
    make = maker(prepared, photographer, procedural)
    sample = make.make(1, np.random.default_rng(4))
    moved = np.abs(sample.prepared.dense - prepared[1].dense).max(axis=1) > 1e-6
    assert sample.scan == 1
    assert sample.labels.any()
    assert not sample.labels.all()
    assert moved.any()
    way = (sample.prepared.dense - prepared[1].dense)[moved]
    along = max(np.abs(way @ view[2] / np.linalg.norm(way, axis=1)).min() for view in photographer.views)
    assert along > 0.99
    labelled = np.unique(prepared[1].inverse[moved])
    assert sample.labels[labelled].mean() > 0.5
    untouched = np.setdiff1d(np.arange(len(sample.labels)), labelled)
    assert np.abs(sample.prepared.cloud[untouched] - prepared[1].cloud[untouched]).max() < 1e-5


def test_the_same_draws_make_the_same_sample() -> None:
    make = maker(*domes(), 0.5)
    one, other = (make.make(0, np.random.default_rng(9)) for _ in range(2))
    assert np.array_equal(one.prepared.dense, other.prepared.dense)
    assert np.array_equal(one.labels, other.labels)


@pytest.mark.parametrize("procedural", [0.0, 1.0])
def test_colours_are_pasted_with_the_surface(procedural: float) -> None:
    config = IaenetConfig.preset("fast", background="none", align="none", image="rgb", voxel_points=0)
    other = grid(1).replaced(image=np.full((60, 100, 3), 255, np.uint8))
    prepared, photographer = learned([grid(0), other], config)
    sample = maker(prepared, photographer, procedural).make(0, np.random.default_rng(1))
    before = photographer.take(prepared[0])[0].image
    changed = np.abs(sample.pictures[0].image - before).max(axis=0) > 0.01
    assert changed.any()
    assert (sample.pictures[0].image[:, changed] > 0.99).all()


def test_descriptions_have_a_vector_for_every_cell_of_the_part() -> None:
    prepared, photographer = domes()
    features = image_features("oriented_energy", CPU)
    expert = Expert2D(features, photographer, CONFIG.settings_2d(), CPU)
    described = expert.describe(prepared[0])
    assert len(described.vectors) == photographer.count
    for one in described.vectors:
        assert one.values.shape == (len(one.cells), features.channels + 33)
        assert np.isfinite(one.values).all()
