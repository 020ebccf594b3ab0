"""The expert as a whole: merging of patches, scoring, leaving out a scan, state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.geometry.patches import Patches
from core.pipelines.iaenet.bank import Bank
from core.pipelines.iaenet.expert_3d import Expert3D, merged
from core.pipelines.iaenet.sdf_settings import SdfSettings
from core.progress import Progress
from core.runtime import Runtime

Cloud = Callable[..., NDArray[np.float32]]


def patches(members: list[list[int]]) -> Patches:
    """Each around its first point."""
    return Patches(np.array(members)[:, 0], np.array(members))


def test_the_least_of_overlapping_patches_counts() -> None:
    cloud = np.zeros((3, 3), np.float32)
    cloud[:, 0] = [0, 1, 2]
    values, patch = merged(torch.tensor([[0.3, 0.7], [0.1, 0.2]]), patches([[0, 1], [0, 2]]), cloud)
    np.testing.assert_allclose(values, [0.1, 0.7, 0.2])
    assert patch.tolist() == [1, 0, 1]


def test_an_exact_zero_stays_and_bare_points_take_the_nearest_covered_value() -> None:
    cloud = np.array([[0, 0, 0], [1, 0, 0], [5, 0, 0], [0.2, 0, 0]], np.float32)
    values, patch = merged(torch.tensor([[0.0, 0.7], [0.1, 0.9]]), patches([[0, 1], [0, 1]]), cloud)
    np.testing.assert_allclose(values, [0.0, 0.7, 0.7, 0.0])
    assert patch.tolist() == [0, 0, 0, 0]


def test_the_mean_of_overlapping_patches_can_count_instead() -> None:
    cloud = np.zeros((4, 3), np.float32)
    cloud[:, 0] = [0, 1, 2, 2.1]
    values, patch = merged(torch.tensor([[0.3, 0.7], [0.1, 0.2]]), patches([[0, 1], [2, 0]]), cloud, mean=True)
    np.testing.assert_allclose(values, [0.25, 0.7, 0.1, 0.1], rtol=1e-6)
    assert patch.tolist() == [0, 0, 1, 1]  # the centre of the first lies at the point itself


@pytest.fixture(scope="module")
def expert(cloud: Cloud, small: SdfSettings, runtime: Runtime) -> Expert3D:
    return Expert3D.fit([cloud(seed) for seed in range(3)], small, runtime, Progress())


def bank_of(expert: Expert3D, clouds: list[NDArray[np.float32]], runtime: Runtime) -> Bank:
    coded = [expert.encode(cloud).codes.numpy() for cloud in clouds]
    return Bank(np.concatenate(coded), np.repeat(np.arange(len(coded)), [len(c) for c in coded]), runtime)


def test_judging_and_the_way_to_a_file_and_back(
    expert: Expert3D, cloud: Cloud, small: SdfSettings, runtime: Runtime
) -> None:
    clouds = [cloud(seed) for seed in range(3)]
    bank = bank_of(expert, clouds, runtime)
    judged = expert.judge(expert.encode(cloud(9)), bank)
    assert judged.points.shape == (600,)
    assert np.isfinite(judged.points).all()
    assert judged.points.min() >= 0
    assert judged.residual.shape == (len(judged.rows),)
    again = Expert3D.from_state(expert.state(), small, runtime)
    same = again.judge(again.encode(cloud(9)), Bank(bank.vectors, bank.scans, runtime))
    np.testing.assert_array_equal(same.points, judged.points)
    np.testing.assert_array_equal(same.residual, judged.residual)


def test_a_training_scan_finds_itself_unless_it_is_left_out(expert: Expert3D, cloud: Cloud, runtime: Runtime) -> None:
    bank = bank_of(expert, [cloud(seed) for seed in range(3)], runtime)
    coded = expert.encode(cloud(1))
    itself = expert.judge(coded, bank)
    rows, scans = itself.nearest_good(bank)
    assert (scans == 1).all()
    assert (rows == np.flatnonzero(bank.scans == 1)).all()
    assert float(itself.distances[:, 0].max()) < 1e-5
    assert (expert.judge(coded, bank, without=1).nearest_good(bank)[1] != 1).all()


def test_scores_are_the_same_in_any_chunks(expert: Expert3D, cloud: Cloud, small: SdfSettings) -> None:
    narrow = Runtime(torch.device("cpu"), memory_budget=1)
    chunked = Expert3D(expert.model, small, narrow)
    coded, one_by_one = expert.encode(cloud(4)), chunked.encode(cloud(4))
    torch.testing.assert_close(one_by_one.codes, coded.codes, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        chunked.distances(coded.codes, coded.cut), expert.distances(coded.codes, coded.cut), atol=1e-4, rtol=1e-4
    )


def test_scores_in_the_scans_unit_grow_with_it(expert: Expert3D, cloud: Cloud, runtime: Runtime) -> None:
    metric = Expert3D(expert.model, replace(expert.settings, unit="scan"), runtime)
    bank = bank_of(expert, [cloud(0)], runtime)
    one = metric.judge(metric.encode(cloud(4)), bank).points
    twice = metric.judge(metric.encode(2 * cloud(4)), bank).points
    np.testing.assert_allclose(twice, 2 * one, rtol=1e-3, atol=1e-4)


def test_relative_scores_are_held_against_what_is_usual(expert: Expert3D, cloud: Cloud, runtime: Runtime) -> None:
    coded = [expert.encode(cloud(seed)) for seed in range(3)]
    levels = expert.levels(coded)
    assert [len(one) for one in levels] == [len(one.codes) for one in coded]
    assert min(float(one.min()) for one in levels) >= 0
    plain = bank_of(expert, [cloud(seed) for seed in range(3)], runtime)
    relative = Expert3D(expert.model, replace(expert.settings, relative=True), runtime)
    even = Bank(plain.vectors, plain.scans, runtime, np.full(len(plain), 0.3, np.float32))
    test = expert.encode(cloud(9))
    np.testing.assert_allclose(relative.judge(test, even).points, expert.judge(test, plain).points, rtol=1e-5)
    with pytest.raises(ValueError, match="levels"):
        relative.judge(test, plain)


def test_the_residual_of_codes_is_brought_to_the_points(expert: Expert3D, cloud: Cloud, runtime: Runtime) -> None:
    clouds = [cloud(seed) for seed in range(3)]
    plain = bank_of(expert, clouds, runtime)
    settings = replace(expert.settings, evidence="residual")
    test = expert.encode(cloud(9))
    judged = Expert3D(expert.model, settings, runtime).judge(test, plain)
    point = int(test.patches.neighbors[0, 5])
    holding = (test.patches.neighbors == point).any(axis=1)
    assert float(judged.points[point]) == pytest.approx(float(judged.residual[holding].mean()), rel=1e-4)
    relative = Expert3D(expert.model, replace(settings, relative=True), runtime)
    levels = np.concatenate(relative.levels([expert.encode(one) for one in clouds]))
    scored = relative.judge(test, Bank(plain.vectors, plain.scans, runtime, levels))
    assert np.isfinite(scored.points).all()
    assert not np.array_equal(scored.points, judged.points)


def test_no_training_needs_weights_but_for_residuals(cloud: Cloud, small: SdfSettings, runtime: Runtime) -> None:
    settings = replace(small, epochs=0)
    with pytest.raises(ValueError, match="weights"):
        Expert3D.fit([cloud(0)], settings, runtime, Progress())
    untrained = Expert3D.fit([cloud(0), cloud(1)], replace(settings, evidence="residual"), runtime, Progress())
    codes = untrained.encode(cloud(0)).codes
    assert float(codes.std(dim=0).mean()) > 0.2
    given = Expert3D.fit([cloud(0)], settings, runtime, Progress(), start=untrained.model)
    torch.testing.assert_close(given.encode(cloud(0)).codes, codes)
