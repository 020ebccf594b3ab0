from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from core.errors import ModelError, ScanError
from core.geometry.shading import Camera
from core.pipelines.cmdr_iad.config import CmdrIadConfig
from core.pipelines.cmdr_iad.described import Described
from core.pipelines.cmdr_iad.networks import told
from core.pipelines.cmdr_iad.pipeline import CmdrIadPipeline
from core.pipelines.cmdr_iad.training import cells_of_step
from core.progress import Progress
from core.scan import Scan
from core.scores import Scores

MAPS = ["d_map_2d", "d_map_3d", "d_rec_2d", "d_rec_3d", "d_joint", "gate", "a_map", "trust", "a_rec", "psi"]


def contrast(values: np.ndarray, spot: np.ndarray) -> float:
    """Mean on the spot over the mean beside it."""
    return float(np.nanmean(values[spot]) / np.nanmean(values[~spot]))


def same(one: Scores, other: Scores) -> bool:
    return (
        one.object == other.object
        and np.array_equal(one.points, other.points, equal_nan=True)
        and all(np.array_equal(one.maps[k].values, other.maps[k].values, equal_nan=True) for k in one.maps)
    )


def finds(model: CmdrIadPipeline, plate, spot) -> bool:
    """Whether bulge and stain raise the score of their place above the rest, and the bulge the part's."""
    good, bulge, stain = (model.score(plate(20, **flaw), Progress()) for flaw in ({}, {"bulge": 3.0}, {"stain": 90.0}))
    raised = [contrast(one.points, spot) / contrast(good.points, spot) for one in (bulge, stain)]
    return bulge.object > 1.3 * good.object and raised[0] > 1.1 and raised[1] > 1.3


def test_a_bulge_and_a_stain_are_found(plate, spot, both):
    assert finds(both, plate, spot)


def test_each_decoder_sees_its_own_modality(plate, spot, both):
    good, bulge, stain = (
        both.score(plate(20, **flaw), Progress()).maps for flaw in ({}, {"bulge": 3.0}, {"stain": 90.0})
    )
    assert contrast(bulge["d_rec_3d"].values, spot) > 1.1 * contrast(good["d_rec_3d"].values, spot)
    assert contrast(stain["d_rec_2d"].values, spot) > 1.1 * contrast(good["d_rec_2d"].values, spot)
    assert np.allclose(stain["d_rec_3d"].values, good["d_rec_3d"].values)
    assert np.allclose(bulge["d_rec_2d"].values, good["d_rec_2d"].values)


def test_an_untrained_network_does_not_reach_that_bar(plate, spot, both, monkeypatch):
    """What ``finds`` asks for is learnt, not a property of features and formulas."""
    monkeypatch.setattr("core.pipelines.cmdr_iad.pipeline.train", lambda networks, *_: networks.to(torch.device("cpu")))
    broken = CmdrIadPipeline(both.config, both.runtime)
    broken.fit([plate(seed) for seed in range(5)], Progress())
    assert not finds(broken, plate, spot)


def test_every_map_of_every_mode_is_shown(plate, both, made):
    scan = plate(20)
    scores = both.score(scan, Progress())
    assert list(scores.maps) == MAPS
    maps = {key: shown.values for key, shown in scores.maps.items()}
    assert np.allclose(maps["d_joint"], maps["d_map_2d"] * maps["d_map_3d"], rtol=0.2)  # interpolated after
    assert ((maps["gate"] >= 0.5) & (maps["gate"] <= 1.0)).all()
    assert scores.maps["trust"].ends == ("2D trusted", "3D trusted")
    assert ((maps["trust"] > 0.0) & (maps["trust"] < 1.0)).all()
    for mode, task in (("3d", "d_rec_3d"), ("2d", "d_rec_2d")):
        assert list(made(mode=mode, epochs=1).score(scan, Progress()).maps) == [task, "psi"]


def test_without_its_image_a_scan_is_judged_by_the_surface_if_asked(plate, spot, both, made):
    bare = plate(20, bulge=3.0).replaced(image=None)
    assert both.lacks(plate(20)) is None
    assert both.lacks(bare) == "no RGB image"
    with pytest.raises(ScanError, match=r"no RGB image.*train again"):
        both.score(bare, Progress())
    less = both.reduced()
    assert less is not None
    assert less.lacks(bare) is None
    assert less.reduced() is None
    found = less.score(bare, Progress())
    assert list(found.maps) == ["d_rec_3d", "psi"]
    assert found.object > less.score(plate(20).replaced(image=None), Progress()).object
    # the same network as one trained on the surface alone, and its own scale
    alone = made(mode="3d")
    assert same(found, alone.score(bare, Progress()))
    assert alone.lacks(bare) is None


def test_the_reduced_model_can_be_stored_too(plate, both):
    less = both.reduced()
    again = CmdrIadPipeline(less.config, less.runtime)
    again.load_state(less.state())
    assert same(less.score(plate(20), Progress()), again.score(plate(20), Progress()))


def test_a_model_comes_back_bit_by_bit(plate, both):
    state = {key: array.copy() for key, array in both.state().items()}
    again = CmdrIadPipeline(both.config, both.runtime)
    again.load_state(state)
    scan = plate(21, stain=40.0)
    assert same(both.score(scan, Progress()), again.score(scan, Progress()))
    other = CmdrIadPipeline(dataclasses.replace(both.config, decoder2d_width=48), both.runtime)
    with pytest.raises(ModelError, match="other settings"):
        other.load_state(state)


def test_scans_that_do_not_fit_the_mode_are_refused(plate, made):
    bare = [plate(seed).replaced(image=None) for seed in range(2)]
    assert list(made(bare, epochs=1).score(bare[0], Progress()).maps) == ["d_rec_3d", "psi"]
    with pytest.raises(ScanError, match="mode = 2d"):
        made(bare, mode="2d")
    with pytest.raises(ScanError, match="needs 2"):
        made(bare[:1])


def test_a_scan_without_its_grid_is_refused(plate, both):
    scan = plate(20)
    with pytest.raises(ScanError, match="no sensor grid"):
        both.reduced().score(scan.replaced(grid=None, image=None), Progress())
    with pytest.raises(ScanError, match="measures"):
        both.score(scan.replaced(unit="m"), Progress())


def test_clouds_without_a_grid_are_seen_from_several_sides(spot, plate, made):
    def loose(seed, **flaw):
        return plate(seed, **flaw).replaced(grid=None, image=None)

    model = made([loose(seed) for seed in range(5)], views_side=40, align="none")
    good, bad = (model.score(loose(20, **flaw), Progress()) for flaw in ({}, {"bulge": 3.0}))
    assert bad.object > good.object
    assert contrast(bad.points, spot) > 1.15 * contrast(good.points, spot)


@pytest.fixture(scope="session")
def cloud(plate):
    """Makes the plate as a closed cloud, its lower side 6 mm below, with no grid and no photograph; with a ``gap`` a
    patch of its upper side was not measured."""

    def make(seed: int, *, gap: bool = False, **flaw: float) -> Scan:
        top = plate(seed, **flaw).points
        if gap:
            top = top[np.hypot(top[:, 0] + 14, top[:, 1] - 8) > 4.0]
        low = plate(seed + 1000).points * np.float32([1, 1, 0]) - np.float32([0, 0, 6])
        return Scan(np.concatenate([top, low]), name=f"cloud {seed}")

    return make


@pytest.fixture(scope="session")
def drawn(made, cloud):
    """Fitted on clouds, whose images are drawn."""
    return made([cloud(seed) for seed in range(5)], views_side=40, align="none", voxel_points=5000)


def test_images_of_clouds_are_drawn_and_both_modalities_judge(drawn, made, cloud):
    good, bad = (drawn.score(cloud(20, **flaw), Progress()) for flaw in ({}, {"bulge": 2.0}))
    assert {"d_map_2d", "d_map_3d", "d_rec_2d", "d_rec_3d", "trust"} <= set(bad.maps)
    near = np.hypot(cloud(20).points[:, 0] - 8, cloud(20).points[:, 1] - 4) < 3
    assert bad.object > good.object
    assert contrast(bad.points, near) > 1.5 * contrast(good.points, near)
    assert drawn.lacks(cloud(20)) is None, "a cloud lacks no photograph where none was looked at"
    assert drawn.reduced() is None
    plain = made([cloud(seed) for seed in range(5)], pictures="photographs", views_side=40, align="none")
    assert set(plain.score(cloud(20), Progress()).maps) == {"d_rec_3d", "psi"}


def test_a_model_that_draws_comes_back_bit_by_bit(drawn, cloud):
    again = CmdrIadPipeline(drawn.config, drawn.runtime)
    again.load_state(drawn.state())
    one, two = (model.score(cloud(21, gap=True), Progress()) for model in (drawn, again))
    assert np.array_equal(one.points, two.points, equal_nan=True)
    assert one.object == two.object


def test_what_a_cloud_did_not_measure_is_no_defect(drawn, made, cloud):
    open_ = made([cloud(s) for s in range(5)], views_side=40, align="none", voxel_points=5000, fill_gaps=False)
    raised = []
    for model in (drawn, open_):
        whole, lacking = (model.score(cloud(22, gap=gap), Progress()) for gap in (False, True))
        assert len(lacking.points) == len(cloud(22, gap=True).points)
        raised.append(lacking.object / whole.object)
    assert raised[0] < 1.3
    assert raised[0] < raised[1]


def test_a_cell_takes_its_features_from_where_its_point_is_drawn(drawn, cloud, monkeypatch):
    """The image network is replaced by one that says of each place of its map which picture it is of, and where."""
    fitted = drawn._fitted
    part = fitted.frame.part(cloud(23), drawn.config, mode="2d+3d")

    def places(images):
        count = len(images)
        at = (torch.arange(56) + 0.5) * 4 - 0.5
        rows, columns = torch.meshgrid(at, at, indexing="ij")
        return torch.stack([torch.stack([torch.full_like(rows, k), rows, columns]) for k in range(count)])

    monkeypatch.setattr(fitted.describer, "images", places)
    described = fitted.describer(part, "2d+3d")
    found = described.image.at_cells.numpy()
    cells = described.cells.numpy()
    side = part.raster.shape[1] * part.raster.shape[2]
    own = np.isin(cells, part.raster.cells)  # not those that pooling lent a surface
    shown = part.raster.shown[np.searchsorted(part.raster.cells, cells[own])]
    assert np.allclose(found[own, 0], cells[own] // side)
    for k, view in enumerate(fitted.frame.drawing.views):
        here = cells[own] // side == k
        camera = Camera(view, fitted.frame.drawing.center, fitted.frame.drawing.extent)
        row, column, _ = camera.project(camera.turned(part.points[shown[here]]))
        expected = np.clip(np.trunc(np.stack([row, column], axis=1)), 1.5, 221.5)
        assert np.abs(found[own][here, 1:] - expected).max() < 1.0


def test_networks_that_see_each_place_alone_say_the_same_of_a_few_cells(drawn, cloud):
    fitted = drawn._fitted
    part = fitted.frame.part(cloud(24), drawn.config, mode="2d+3d")
    described = fitted.standards(fitted.describer(part, "2d+3d"))
    among = np.array([5, 0, 17, 400])
    for task in ("map_2d", "map_3d", "rec_2d"):
        with torch.no_grad():
            module = fitted.networks.modules[task]
            every, few = told(task, module, described), told(task, module, described, among)
        for whole, some in zip(every, few, strict=True):
            assert torch.allclose(whole[among], some, atol=1e-5)


@pytest.mark.parametrize(("scans", "shown"), [(9, 30), (10, 12)])
def test_a_step_shows_a_few_cells_only_where_there_are_many_steps(scans, shown):
    part = Described((1, 5, 6), torch.arange(30), None, None)
    among = cells_of_step(part, scans, 12, torch.Generator().manual_seed(1))
    chosen = np.arange(30) if among is None else among
    assert len(set(chosen.tolist())) == len(chosen) == shown
    assert cells_of_step(part, scans, 0, torch.Generator()) is None
    assert cells_of_step(part, scans, 30, torch.Generator()) is None


def test_drawn_images_are_described_by_what_is_best_for_these():
    config = CmdrIadConfig.preset("fast")
    assert config.named_features(images=True)["image_features"] == "auto:rgb"
    assert config.named_features(images=False)["image_features"] == "auto:rendered"
    chosen = dataclasses.replace(config, image_features="oriented_energy")
    assert chosen.named_features(images=False)["image_features"] == "oriented_energy"
    assert "image_features" not in dataclasses.replace(config, mode="3d").named_features(images=False)
    assert "image_features" not in CmdrIadConfig.preset("paper").named_features(images=False)
