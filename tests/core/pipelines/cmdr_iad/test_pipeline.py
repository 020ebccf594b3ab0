from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from core.errors import ModelError, ScanError
from core.pipelines.cmdr_iad.pipeline import CmdrIadPipeline
from core.progress import Progress
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
