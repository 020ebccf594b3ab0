"""The fast forms of all networks together, held against the plain ones on whole parts."""

from __future__ import annotations

import pytest
import torch

from core.pipelines.cmdr_iad.config import CmdrIadConfig
from core.pipelines.cmdr_iad.described import Describer
from core.pipelines.cmdr_iad.frame import Frame
from core.pipelines.cmdr_iad.networks import TASKS, Networks, told
from core.pipelines.cmdr_iad.training import cosine_loss, seeds, train
from core.progress import CallbackProgress, Progress
from core.runtime import Runtime

CPU = Runtime(torch.device("cpu"))


@pytest.fixture(scope="module")
def described(plate):
    config = CmdrIadConfig(
        background="none", features="fpfh", image_features="oriented_energy", side=56, patches=200, patch_points=16
    )
    scan = plate(0)
    keep = ~((scan.points[:, 0] > 20) & (scan.points[:, 1] > 10))  # a part that does not fill its grid
    scan = scan.select(keep)
    frame, _ = Frame.learn([scan, plate(1)], config, CPU, Progress())
    return Describer(frame, config, CPU)(frame.part(scan, config, mode="2d+3d"), "2d+3d")


def test_what_the_networks_tell_is_the_plain_form_over_all_cells(described):
    config = CmdrIadConfig(decoder2d_width=48, decoder3d_width=0.2)
    surface, image = described.surface, described.image
    networks = Networks.made("2d+3d", 33, image.sources.shape[1], described.length, config, seeds(CPU))
    networks = networks.to(CPU.device)
    cells = described.cells
    assert 0.5 * described.length < len(cells) < 0.9 * described.length
    dense_surface = torch.zeros(described.length, 33)
    dense_surface[cells] = torch.from_numpy(surface.spread.matrix.toarray()) @ surface.sources
    dense_image = torch.from_numpy(image.everywhere.matrix.toarray()) @ image.sources
    plain = {
        "map_2d": networks.modules["map_2d"](dense_surface)[cells],
        "map_3d": networks.modules["map_3d"](dense_image)[cells],
        "rec_2d": networks.modules["rec_2d"](dense_image, described.shape)[cells],
        "rec_3d": networks.modules["rec_3d"](dense_surface[None])[0, cells],
    }
    for task in TASKS["2d+3d"]:
        found, target = told(task, networks.modules[task], described)
        assert torch.allclose(found, plain[task], atol=1e-5), task
        dense = dense_image if task.endswith("2d") else dense_surface
        assert torch.allclose(target, dense[cells], rtol=1e-5, atol=1e-4)


def test_the_loss_is_of_directions():
    vectors = torch.randn(10, 6)
    assert float(cosine_loss(vectors, 3 * vectors)) == pytest.approx(0.0, abs=1e-6)
    assert float(cosine_loss(vectors, -vectors)) == pytest.approx(2.0, abs=1e-6)


def test_cells_without_a_surface_do_not_count(described):
    """Training looks at the valid cells alone, and these are those whose feature is not zero."""
    dense = torch.zeros(described.length, 33)
    dense[described.cells] = described.surface.at_cells
    assert torch.equal(dense.abs().sum(dim=1).nonzero()[:, 0], described.cells)
    for task in TASKS["2d+3d"]:
        network = Networks.made("2d+3d", 33, 387, described.length, CmdrIadConfig(decoder2d_width=24), seeds(CPU))
        found, target = told(task, network.modules[task].eval(), described)
        assert len(found) == len(target) == len(described.cells)


def test_a_network_is_trained_alike_in_every_mode(described):
    config = CmdrIadConfig(decoder2d_width=24, decoder3d_width=0.05, epochs=2)
    curves: dict[str, list[float]] = {}
    weights = {}
    for mode in ("2d+3d", "3d"):
        networks = Networks.made(mode, 33, 387, described.length, config, seeds(CPU))
        losses: list[float] = []

        def keep(name, step, value, losses=losses):
            if name == "loss rec_3d":
                losses.append(value)

        train(networks, [described], config, CPU, CallbackProgress(lambda fraction, what: None, keep))
        curves[mode] = losses
        weights[mode] = networks.modules["rec_3d"].state_dict()
    assert curves["3d"] == curves["2d+3d"]
    assert curves["3d"][1] < curves["3d"][0]
    assert all(torch.equal(weights["3d"][name], weights["2d+3d"][name]) for name in weights["3d"])
