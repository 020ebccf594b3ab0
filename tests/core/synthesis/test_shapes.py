"""Procedural shapes: normalised, seeded, finite, and of families that differ."""

from __future__ import annotations

import numpy as np
import pytest

from core.synthesis.alterations import altered, seen_from
from core.synthesis.shapes import FAMILIES, HELD_OUT, procedural_cloud, unit_sphere

EVERY = [*FAMILIES, *HELD_OUT]


@pytest.mark.parametrize("family", EVERY)
def test_clouds_fill_the_unit_sphere(family: str) -> None:
    for seed in range(12):
        cloud = procedural_cloud(np.random.default_rng(seed), 700, family)
        assert cloud.shape == (700, 3)
        assert cloud.dtype == np.float32
        assert np.isfinite(cloud).all()
        assert np.linalg.norm(cloud, axis=1).max() == pytest.approx(1.0, abs=1e-5)
        assert np.abs(cloud.mean(0)).max() < 1e-5
        assert len(np.unique(cloud, axis=0)) > 350


@pytest.mark.parametrize("family", EVERY)
def test_the_seed_decides(family: str) -> None:
    one, same, other = (procedural_cloud(np.random.default_rng(seed), 256, family) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_pretraining_never_sees_the_held_out_families() -> None:
    assert not set(FAMILIES) & set(HELD_OUT)
    assert not set(FAMILIES.values()) & set(HELD_OUT.values())


def test_families_differ() -> None:
    """Plain moments already tell families apart far better than chance, so they are no copies of one another."""

    def describe(cloud: np.ndarray) -> np.ndarray:
        radius = np.sort(np.linalg.norm(cloud, axis=1))[::32]
        return np.concatenate([np.sort(np.linalg.eigvalsh(np.cov(cloud.T))), radius])

    means, hits, total = {}, 0, 0
    for name in HELD_OUT:
        clouds = [procedural_cloud(np.random.default_rng([1, i]), 256, name, alter=False) for i in range(20)]
        means[name] = np.mean([describe(c) for c in clouds], axis=0)
    for name in HELD_OUT:
        for i in range(20):
            found = describe(procedural_cloud(np.random.default_rng([2, i]), 256, name, alter=False))
            hits += min(means, key=lambda n: float(np.linalg.norm(means[n] - found))) == name
            total += 1
    assert hits / total > 0.45  # chance is 1 in 8


def test_unit_sphere_of_one_place_is_the_origin() -> None:
    np.testing.assert_array_equal(unit_sphere(np.full((5, 3), 7.0)), np.zeros((5, 3)))


def test_alterations_keep_enough_points() -> None:
    cloud = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
    for seed in range(40):
        left = altered(np.random.default_rng(seed), cloud, 500)
        assert 250 <= len(left) <= 1000
        assert np.isfinite(left).all()


def test_one_sided_view_drops_the_far_side() -> None:
    rng = np.random.default_rng(0)
    ball = rng.normal(size=(4000, 3))
    ball = (ball / np.linalg.norm(ball, axis=1, keepdims=True)).astype(np.float32)
    seen = ball[seen_from(np.random.default_rng(5), ball)]
    # What is left lies in about one half-space: its mean is far from the centre (a full half has 1/2).
    assert 0.35 < len(seen) / len(ball) < 0.7
    assert np.linalg.norm(seen.mean(0)) > 0.35
