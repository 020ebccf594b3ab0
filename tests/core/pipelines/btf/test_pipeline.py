from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from core.errors import ScanError, WeightsError
from core.pipelines.btf.config import BtfConfig
from core.pipelines.btf.pipeline import BtfPipeline
from core.progress import Progress
from core.runtime import Runtime

CPU = Runtime(torch.device("cpu"))
SHAPE = {"background": "none", "image": "none", "voxel_points": 2500, "patches": 0}
BOTH = {**SHAPE, "image": "auto", "image_features": "oriented_energy"}


def fitted(plate, seeds=range(3), **settings) -> BtfPipeline:
    model = BtfPipeline(BtfConfig.preset("fast", **settings), CPU)
    model.fit([plate(seed) for seed in seeds], Progress())
    return model


@pytest.fixture(scope="module")
def both(plate) -> BtfPipeline:
    return fitted(plate, **BOTH)


def test_a_bulge_is_seen_by_its_shape_and_a_stain_by_its_colour(plate, spot, both):
    bulge, stain = (both.score(plate(9, **flaw), Progress()) for flaw in ({"bulge": 3.0}, {"stain": 90.0}))
    good = both.score(plate(9), Progress())
    for scores, told, silent in ((bulge, "geometry", "colour"), (stain, "colour", "geometry")):
        assert scores.maps[told].values[spot].mean() > 2 * scores.maps[told].values[~spot].mean()
        assert scores.maps[silent].values[spot].mean() < 1.5 * scores.maps[silent].values[~spot].mean()
        assert spot[np.argmax(scores.points)]
        assert scores.object > good.object


def test_combined_is_the_root_of_the_sum_of_squares(plate, both):
    scores = both.score(plate(9, bulge=1.0), Progress())
    maps = {key: shown.values for key, shown in scores.maps.items()}
    assert list(maps) == ["geometry", "colour", "combined"]
    assert scores.points == pytest.approx(np.sqrt(maps["geometry"] ** 2 + maps["colour"] ** 2), rel=1e-5)
    assert np.array_equal(scores.points, maps["combined"])


def test_good_parts_lie_about_one(plate, both):
    maps = both.score(plate(9), Progress()).maps
    assert all(0.2 < np.median(maps[key].values) < 1.2 for key in ("geometry", "colour"))


def test_any_pose_is_judged_alike(plate, spot):
    model = fitted(plate, **SHAPE)
    turn = Rotation.from_euler("xyz", [140, 25, -70], degrees=True).as_matrix()
    straight = model.score(plate(9, bulge=3.0), Progress())
    turned = model.score(plate(9, bulge=3.0, turn=turn), Progress())
    assert spot[np.argmax(turned.points)]
    assert np.corrcoef(straight.points, turned.points)[0, 1] > 0.8
    assert turned.object == pytest.approx(straight.object, rel=0.25)


def test_without_photographs_only_geometry_is_shown(plate):
    scores = fitted(plate, **SHAPE).score(plate(9), Progress())
    assert list(scores.maps) == ["geometry"]
    assert np.array_equal(scores.points, scores.maps["geometry"].values)


def test_the_background_is_not_judged(plate):
    """A plate as a table and a box on it."""
    y, x = np.meshgrid(np.linspace(-60, 60, 90), np.linspace(-60, 60, 90), indexing="ij")

    def boxed(seed: int):
        box = (np.abs(x) < 20) & (np.abs(y) < 15)
        z = np.where(box, 18 + 2 * np.sin(x / 5), 0.0) + np.random.default_rng(seed).normal(0, 0.05, x.shape)
        points = np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float32)
        return plate(0).replaced(
            points=points, grid=np.arange(8100, dtype=np.int32).reshape(90, 90), image=None, labels=None
        ), box.ravel()

    model = BtfPipeline(BtfConfig.preset("fast", **{**SHAPE, "background": "plane", "voxel_points": 500}), CPU)
    model.fit([boxed(seed)[0] for seed in range(2)], Progress())
    scan, box = boxed(5)
    judged = model.score(scan, Progress()).judged
    assert judged[box].mean() > 0.9
    assert judged[~box].mean() < 0.05


def test_each_way_of_judging_the_part(plate):
    scan = plate(9, bulge=2.0)
    state = fitted(plate, **SHAPE).state()
    objects = {}
    for name, settings in {
        "worst": {"reweighting": False, "top": 0.0, "top_smoothed": False},
        "weighed": {"reweighting": True, "top": 0.0, "top_smoothed": False},
        "calm": {"reweighting": False, "top": 0.0, "top_smoothed": True},
        "mean": {"reweighting": False, "top": 0.5, "top_smoothed": False},
    }.items():
        model = BtfPipeline(BtfConfig.preset("fast", **{**SHAPE, **settings}), CPU)
        model.load_state(state)
        objects[name] = model.score(scan, Progress()).object
    assert objects["weighed"] < objects["worst"]
    assert objects["calm"] < objects["worst"]
    assert objects["mean"] < objects["worst"]


@pytest.mark.parametrize(
    "settings", [{"patches": 300}, {"patches": 300, "pooling": 0.0}, {"features": "random:point_mae"}]
)
def test_patches_and_other_features(plate, spot, settings):
    model = fitted(plate, **{**SHAPE, "voxel_points": 800, "patches": 200, **settings})
    scores = model.score(plate(9, bulge=3.0), Progress())
    assert scores.judged.all()
    assert scores.points[spot].mean() > scores.points[~spot].mean()


def test_what_it_cannot_take(plate):
    with pytest.raises(ScanError, match="no good scan"):
        fitted(plate, seeds=(), **SHAPE)
    with pytest.raises(WeightsError):
        fitted(plate, **{**SHAPE, "features": "no_such"})


def test_a_model_with_colour_comes_back_and_names_its_features(plate, both):
    state = both.state()
    again = BtfPipeline(both.config, CPU)
    again.load_state(state)
    scan = plate(9, stain=40.0)
    one, other = both.score(scan, Progress()), again.score(scan, Progress())
    assert np.array_equal(one.points, other.points)
    assert one.object == other.object
    assert state["features/images"].item() == b"oriented_energy"
    assert both.weights == {}


def test_features_of_photographs_are_named_only_where_there_are_some():
    assert set(BtfConfig().named_features(images=False)) == {"features"}
    assert set(BtfConfig().named_features(images=True)) == {"features", "image_features"}
    assert set(BtfConfig(image="none").named_features(images=True)) == {"features"}
