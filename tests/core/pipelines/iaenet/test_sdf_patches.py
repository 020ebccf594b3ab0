"""Cutting, normalising, noisy queries: the oracles of the facts, and what must hold for any patch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.pipelines.iaenet.sdf_patches import (
    PatchFrame,
    Queries,
    cut_patches,
    neighbor_distance,
    noise_factors,
    noisy_queries,
    patch_count,
    principal_axes,
)
from core.pipelines.iaenet.sdf_settings import SdfSettings
from core.runtime import Runtime
from core.synthesis.surfaces import random_rotation

PAPER = SdfSettings()


def normalize(patches: torch.Tensor, settings: SdfSettings) -> tuple[torch.Tensor, torch.Tensor]:
    frame = PatchFrame.of(patches, settings)
    return frame.bring(patches), frame.size


@pytest.mark.parametrize(("points", "patches"), [(12345, 247), (125, 2), (75, 2), (25, 1)])
def test_patch_counts_round_half_to_even_and_are_never_zero(points: int, patches: int) -> None:
    assert patch_count(points, 10, 500) == patches


def test_patch_counts_can_be_bounded() -> None:
    assert patch_count(12345, 10, 500, 100) == 100
    assert patch_count(500, 10, 500, 100) == 10


def test_normalisation_of_a_small_patch() -> None:
    patch = torch.tensor([[[0.0, 0, 0], [2, 0, 0], [0, 1, 0]]])
    points, size = normalize(patch, PAPER)
    expected = torch.tensor([[[-1 / 3, -1 / 6, 0], [2 / 3, -1 / 6, 0], [-1 / 3, 1 / 3, 0]]])
    torch.testing.assert_close(points, expected)
    assert size.tolist() == [2.0]


def test_normalisation_of_points_in_one_place_is_finite() -> None:
    points, size = normalize(torch.ones(1, 5, 3), PAPER)
    assert torch.equal(points, torch.zeros(1, 5, 3))
    assert size.tolist() == [1.0]


def test_size_by_radius_and_principal_axes_do_not_depend_on_the_pose() -> None:
    rng = np.random.default_rng(0)
    patch = rng.normal(size=(1, 400, 3)) ** 2 * np.array([3.0, 2.0, 1.0])
    turn = random_rotation(rng)
    settings = replace(PAPER, patch_scale="radius", frame="principal")
    one, size = normalize(torch.from_numpy(patch), settings)
    other, turned_size = normalize(torch.from_numpy(patch @ turn.T + 5.0), settings)
    torch.testing.assert_close(one, other)
    torch.testing.assert_close(size, turned_size)
    assert float(normalize(torch.from_numpy(patch), PAPER)[1]) != pytest.approx(
        float(normalize(torch.from_numpy(patch @ turn.T), PAPER)[1]), rel=1e-3
    )


def test_principal_axes_are_rotations_with_the_normal_last() -> None:
    rng = np.random.default_rng(1)
    flat = torch.from_numpy(rng.normal(size=(4, 200, 3)) * np.array([3.0, 0.01, 1.0]))
    flat = flat - flat.mean(dim=1, keepdim=True)
    axes = principal_axes(flat)
    torch.testing.assert_close(axes.transpose(1, 2) @ axes, torch.eye(3).double().expand(4, 3, 3))
    torch.testing.assert_close(torch.linalg.det(axes), torch.ones(4).double())
    assert float(axes[:, 1, 2].abs().min()) > 0.999


def test_patches_of_a_cloud_are_cut_alike_however_far_it_lies(
    runtime: Runtime, small: SdfSettings, cloud: Callable[..., NDArray[np.float32]]
) -> None:
    points = cloud(0)
    cut = cut_patches(points, small, runtime)
    assert cut.points.shape == (patch_count(600, 3, 40), 40, 3)
    assert cut.patches.neighbors.shape == cut.points.shape[:2]
    extents = cut.points.amax(dim=1) - cut.points.amin(dim=1)
    torch.testing.assert_close(extents.amax(dim=1), torch.ones(len(extents)))
    members = points[cut.patches.neighbors[3]]
    assert float(cut.size[3]) == pytest.approx(float(np.ptp(members, axis=0).max()), rel=1e-5)
    larger = cut_patches(points * 4 + 64, small, runtime)
    torch.testing.assert_close(larger.points, cut.points, atol=1e-4, rtol=0)


def test_a_cloud_smaller_than_a_patch_is_one_patch(runtime: Runtime) -> None:
    points = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    cut = cut_patches(points, PAPER, runtime)
    assert cut.points.shape == (1, 500, 3)
    assert set(cut.patches.neighbors[0].tolist()) == set(range(7))


def test_thirteen_near_and_seven_far_copies() -> None:
    assert noise_factors(PAPER).tolist() == [0.5] * 13 + [1.0] * 7


def test_sigma_is_the_distance_to_the_fiftieth_neighbour() -> None:
    line = torch.zeros(1, 200, 3)
    line[0, :, 0] = torch.arange(200)
    found = neighbor_distance(line, line[:, [0, 10, 100]], 50)
    assert found.tolist() == [[50.0, 40.0, 25.0]]


def test_queries_spread_by_sigma_and_are_pulled_to_their_nearest_points() -> None:
    draws = torch.Generator().manual_seed(0)
    patches = torch.rand(400, 60, 3, generator=draws)
    settings = replace(PAPER, sigma_neighbor=20, queries=0)
    made = noisy_queries(patches, settings, draws)
    queries, targets = made.at, made.targets
    assert queries.shape == targets.shape == patches.shape
    sigma = neighbor_distance(patches, patches, 20)
    spread = ((queries - patches) / sigma[..., None]).square().mean(dim=(1, 2)).sqrt()
    far = spread > 0.75
    assert float(far.float().mean()) == pytest.approx(7 / 20, abs=0.08)
    assert float(spread[far].mean()) == pytest.approx(1.0, abs=0.02)
    assert float(spread[~far].mean()) == pytest.approx(0.5, abs=0.02)
    gaps = torch.cdist(queries, patches).amin(dim=2)
    torch.testing.assert_close((queries - targets).norm(dim=2), gaps, atol=1e-5, rtol=1e-4)


def test_a_step_can_look_at_some_points_only() -> None:
    draws = torch.Generator().manual_seed(0)
    patches = torch.rand(2, 60, 3, generator=draws)
    made = noisy_queries(patches, replace(PAPER, sigma_neighbor=1, queries=9), draws)
    assert made.at.shape == made.targets.shape == (2, 9, 3)
    assert made.nearest.shape == made.sigma.shape == (2, 9)


def test_targets_are_points_of_the_own_patch() -> None:
    patches = torch.tensor([[[0.0, 0, 0], [1, 0, 0]], [[5.0, 0, 0], [6, 0, 0]]])
    queries = torch.tensor([[[0.6, 3, 0]], [[0.6, 3, 0]]])
    made = Queries.around(patches, queries, torch.ones(2, 1))
    assert made.targets.tolist() == [[[1.0, 0, 0]], [[5.0, 0, 0]]]
    assert made.nearest.tolist() == [[1], [0]]


def test_signed_distances_are_heights_over_the_surface_and_lengths_beyond_its_edge() -> None:
    axis = torch.linspace(-1, 1, 21)
    plane = torch.stack([*torch.meshgrid(axis, axis, indexing="ij"), torch.zeros(21, 21)], dim=2).reshape(1, -1, 3)
    up = torch.tensor([0.0, 0, 1]).expand(1, 441, 3)
    at = torch.tensor([[[0.03, 0.04, 0.02], [0.5, -0.02, -0.3], [1.5, 0, 0.0]]])
    found = Queries.around(plane, at, torch.full((1, 3), 0.4)).signed_distances(up)
    torch.testing.assert_close(found, torch.tensor([[0.02, -0.3, 0.4]]))


def test_normals_of_a_patch_lie_on_one_side_and_turn_with_it(runtime: Runtime) -> None:
    rng = np.random.default_rng(2)
    points = np.column_stack([rng.uniform(-1, 1, (300, 2)), np.zeros(300)])
    points[:, 2] = 0.2 * np.exp(-4 * (points[:, :2] ** 2).sum(axis=1))
    normals = np.column_stack(
        [1.6 * points[:, :2] * np.exp(-4 * (points[:, :2] ** 2).sum(axis=1))[:, None], np.ones(300)]
    )
    normals *= rng.choice([-1, 1], 300)[:, None] / np.linalg.norm(normals, axis=1, keepdims=True)
    settings = replace(PAPER, patch_points=300, frame="principal", patch_scale="radius", overlap=1)
    cut = cut_patches(points.astype(np.float32), settings, runtime, normals=normals.astype(np.float32))
    assert cut.normals is not None
    assert float(cut.normals[..., 2].min()) > 0.5
    turn = random_rotation(rng)
    turned = cut_patches(
        (points @ turn.T).astype(np.float32), settings, runtime, normals=(normals @ turn.T).astype(np.float32)
    )
    assert turned.normals is not None
    torch.testing.assert_close(turned.normals, cut.normals, atol=1e-3, rtol=0)
