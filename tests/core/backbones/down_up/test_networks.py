"""Noise-Gen, Down-Net and Up-Net by what their formulas say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.backbones.down_up.down_net import DownNet, DownSizes, Recalled
from core.backbones.down_up.groups import Groups
from core.backbones.down_up.network import DusNet, following, rebuilt, recalled, sizes_from
from core.backbones.down_up.noise import NoiseGen
from core.backbones.down_up.pyramid import Pyramid, gathered
from core.backbones.down_up.remembered import GoodSurface
from core.backbones.down_up.swelling import Swelling
from core.backbones.down_up.up_net import UpSizes, interpolated, spread_out, unfolded
from core.geometry.interpolation import interpolate

SMALL = DownSizes(width=24, depth=1, heads=2)


def plane(count: int = 600, seed: int = 0) -> np.ndarray:
    xy = np.random.default_rng(seed).uniform(-1, 1, (count, 2))
    return np.column_stack([xy, np.zeros(count)]).astype(np.float32)


def groups(count: int = 60, k: int = 16) -> Groups:
    return Groups.cut(plane(), count, k)


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def weight(layer: torch.nn.Module) -> torch.Tensor:
    return dict(layer.named_parameters())["weight"]


def test_groups_are_centres_with_their_nearest_points() -> None:
    found = groups()
    assert found.centers.shape == (1, 60, 3)
    assert found.neighbors.shape == (1, 60, 16, 3)
    farthest = (found.neighbors - found.centers[:, :, None]).norm(dim=-1).amax(-1)
    assert float(found.radius) == pytest.approx(float(farthest.median()))
    assert torch.equal(found.neighbors[:, :, 0], found.centers)


def test_no_noise_leaves_patches_as_they_are() -> None:
    found = NoiseGen(0.0, 0.0)(groups(), draws())
    assert torch.equal(found.centers, groups().centers)
    assert torch.equal(found.neighbors, groups().neighbors)


@pytest.mark.parametrize("kind", ["gaussian", "uniform", "salt_and_pepper"])
def test_noise_has_the_deviations_asked_for(kind: str) -> None:
    still = Groups(torch.zeros(1, 35_000, 3), torch.zeros(1, 3500, 10, 3), torch.ones(1))
    found = NoiseGen(0.08, 0.15, kind=kind)(still, draws())  # type: ignore[arg-type]
    assert float(found.centers.std()) == pytest.approx(0.08, rel=0.01)
    assert float(found.neighbors.std()) == pytest.approx(0.15, rel=0.01)
    assert float(found.centers.mean()) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize(("unit", "size"), [("patch", 0.5), ("part", 1.0), ("scan", 0.02)])
def test_noise_is_in_the_unit_asked_for(unit: str, size: float) -> None:
    still = Groups(torch.zeros(1, 35_000, 3), torch.zeros(1, 10, 10, 3), torch.tensor([0.5]))
    found = NoiseGen(0.08, unit=unit)(still, draws(), scan_unit=0.02)  # type: ignore[arg-type]
    assert float(found.centers.std()) == pytest.approx(0.08 * size, rel=0.02)


def test_the_same_draws_make_the_same_noise() -> None:
    first, again = (NoiseGen()(groups(), draws(4)) for _ in range(2))
    assert torch.equal(first.centers, again.centers)
    assert torch.equal(first.neighbors, again.neighbors)
    assert not torch.equal(first.centers, NoiseGen()(groups(), draws(5)).centers)


def test_untrained_down_net_gives_the_centres_back() -> None:
    noisy = NoiseGen()(groups(), draws())
    assert torch.equal(DownNet(SMALL)(noisy), noisy.centers)


def test_printed_down_net_predicts_the_centres_themselves() -> None:
    net = DownNet(DownSizes(24, 1, 2, "absolute"))
    assert torch.equal(net(groups()), torch.zeros(1, 60, 3))


def test_untrained_down_net_goes_most_of_the_way_to_what_is_remembered() -> None:
    found = groups()
    steps = torch.randn((1, 60, 3), generator=draws())
    moved = DownNet(SMALL)(found, Recalled(steps, torch.zeros(1, 60, 7)))
    assert torch.allclose(moved, found.centers + steps / (1 + np.exp(-2.0)), atol=1e-6)


def test_no_centre_leaks_through_its_patch() -> None:
    """A part moved as a whole, and the position embedding cut off, gives the same steps."""
    net = DownNet(SMALL).eval()
    torch.nn.init.normal_(weight(net.head[2]), generator=draws())
    torch.nn.init.zeros_(weight(net.position[2]))
    here = groups()
    there = Groups(here.centers + 3.0, here.neighbors + 3.0, here.radius)
    with torch.no_grad():
        assert torch.allclose(net(here) - here.centers, net(there) - there.centers, atol=1e-4)


def test_points_of_a_centre_lie_one_after_another() -> None:
    rows = torch.arange(12.0).view(1, 2, 6)
    assert unfolded(rows)[0].tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    centers = torch.randn((1, 5, 3), generator=draws())
    assert torch.equal(spread_out(centers, torch.zeros(1, 5, 12)), centers.repeat_interleave(4, dim=1))


def test_a_kept_centre_has_its_own_feature() -> None:
    pyramid = Pyramid.of(groups().centers, 8)
    first, second = pyramid.levels
    assert first.kept.shape == (1, 30)
    assert second.kept.shape == (1, 15)
    features = torch.randn((1, 30, 5), generator=draws())
    fine = interpolated(features, first)
    assert torch.allclose(gathered(fine, first.kept), features, atol=1e-4)
    coarse = torch.randn((1, 15, 5), generator=draws())
    kept = first.kept[0][second.kept]
    assert torch.allclose(gathered(interpolated(coarse, second), kept), coarse, atol=1e-4)


def test_features_between_centres_are_weighted_by_the_inverse_distance() -> None:
    centers = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 5]], np.float32)
    found = interpolate(np.array([1, 2, 3, 100], np.float32), centers, np.array([[0.5, 0, 0]], np.float32), power=1)
    assert float(found[0]) == pytest.approx(1.662229, abs=1e-5)


def test_up_net_makes_the_asked_number_of_points_and_can_learn_a_plane() -> None:
    model = DusNet.drawn(SMALL, UpSizes(4, 8, axes="world"), 0)
    centers = groups().centers
    with torch.no_grad():
        assert rebuilt(model, centers).shape == (1, 240, 3)
    optimizer = torch.optim.Adam(model.up.parameters(), 3e-3)
    off = []
    for _ in range(25):
        points = rebuilt(model, centers)
        loss = points[..., 2].square().mean() + (points[..., :2] ** 2).mean() * 1e-3
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        off.append(float(points[..., 2].abs().mean().detach()))
    assert off[-1] < 0.5 * off[0]


def test_networks_scale_with_the_centres() -> None:
    """Up-Net's offsets are in spacings: twice as large a part is rebuilt twice as large, but for its raw branch."""
    model = DusNet.drawn(SMALL, UpSizes(rate=2, neighbors=8), 0).eval()
    torch.nn.init.zeros_(weight(model.up.branch0[0]))
    centers = groups().centers
    with torch.no_grad():
        assert torch.allclose(rebuilt(model, 2 * centers), 2 * rebuilt(model, centers), atol=1e-4)


def test_a_plane_is_rebuilt_as_a_plane_before_any_training() -> None:
    model = DusNet.drawn(SMALL, UpSizes(rate=8, neighbors=8), 0).eval()
    for layer in (model.up.head[0], model.up.head[2]):
        torch.nn.init.zeros_(weight(layer))
    turn = torch.linalg.qr(torch.randn((3, 3), generator=draws())).Q
    with torch.no_grad():
        points = rebuilt(model, groups().centers @ turn) @ turn.T
    assert float(points[..., 2].abs().max()) < 1e-5
    gaps = torch.cdist(points, points)[0].fill_diagonal_(9).amin(1)
    assert float(gaps.median()) > 0.02  # spread out, not in heaps


def test_sizes_go_through_a_card() -> None:
    model = DusNet.drawn(SMALL, UpSizes(rate=4, neighbors=8), 0)
    down, up = sizes_from({key: str(value) for key, value in model.sizes().items()})
    assert (down, up) == (SMALL, UpSizes(rate=4, neighbors=8))


def test_the_good_surface_is_recalled_from_beside_it() -> None:
    surface = GoodSurface.of(plane(4000), 0.04)
    inside = 0.5 * plane(50, 1)
    off = (inside + np.array([0, 0, 0.1])).astype(np.float32)
    steps, told = surface.recall(off, 0.2)
    assert steps == pytest.approx(np.tile([0, 0, -0.1], (50, 1)), abs=1e-3)
    # 0.1 is half a unit; x / (1 + |x|) of 0.5 is a third.
    assert told[:, 2] == pytest.approx(-1 / 3, abs=0.01)
    assert told[:, 3] == pytest.approx(1 / 3, abs=0.01)
    assert (told[:, 6] == 1).all()
    assert np.abs(told).max() <= 1


def test_a_turned_surface_is_recalled_as_turned() -> None:
    surface = GoodSurface.of(plane(4000), 0.04)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    places = (0.5 * plane(50, 1) + np.array([0, 0, 0.1], np.float32)).astype(np.float32)
    steps, _ = surface.recall(places, 1.0)
    turned, _ = surface.turned(turn, 2.0).recall((2 * places @ turn).astype(np.float32), 1.0)
    assert turned == pytest.approx(2 * steps @ turn, abs=1e-4)


def test_points_follow_by_the_share_of_their_centre() -> None:
    surface = GoodSurface.of(plane(4000), 0.04)
    points = torch.from_numpy(0.5 * plane(4, 1))[None] + torch.tensor([0.0, 0.0, 0.1])
    found = following(points, torch.tensor([[[0.0], [0.5]]]), surface)
    assert found[0, :, 2].tolist() == pytest.approx([0.1, 0.1, 0.05, 0.05], abs=1e-3)


def test_what_is_recalled_is_a_batch() -> None:
    surface = GoodSurface.of(plane(2000), 0.05)
    both = Groups.stacked([groups(), groups()])
    found = recalled([surface, surface], both)
    assert found.steps.shape == (2, 60, 3)
    assert found.told.shape == (2, 60, 7)
    again = GoodSurface.from_state(surface.state())
    assert torch.equal(recalled([again, again], both).told, found.told)


def test_swellings_move_neighbours_together_and_along_the_normal() -> None:
    points = plane(3000)
    normals = np.tile(np.array([0, 0, 1], np.float32), (len(points), 1))
    moved = Swelling(most=4, smallest=0.1, largest=0.4)(np.random.default_rng(3), points, normals)
    lifted = np.abs(moved[:, 2])
    assert np.array_equal(moved[:, :2], points[:, :2])
    assert 0.005 < lifted.max() <= 4 * 0.04
    assert (lifted == 0).mean() > 0.1
    assert np.array_equal(Swelling(most=0)(np.random.default_rng(3), points, normals), points)
