"""Eq. 15 to 17 by numbers, and heights over a rebuilt surface."""

from __future__ import annotations

import numpy as np
import pytest

from core.pipelines.dus_net.scoring import distances, measured
from core.pipelines.dus_net.usual import Usual
from core.pipelines.part_score import top_mean

OUT = np.array([[0.1, 0, 0], [0.2, 0, 0], [0, 0.3, 0], [5, 5, 5]], np.float32)


def test_scores_of_two_points() -> None:
    distance, weight = distances(np.array([[0, 0, 0], [0, 0, 1]], np.float32), OUT)
    assert distance == pytest.approx([0.1, 1.004988], abs=1e-6)
    assert weight == pytest.approx([0.699390, 0.672640], abs=1e-6)
    assert distance * weight == pytest.approx([0.069939, 0.675995], abs=1e-6)
    assert top_mean(distance * weight, 0.0) == pytest.approx(0.675995, abs=1e-6)


@pytest.mark.parametrize(
    ("three", "weight"), [((0.1, 0.1, 0.1), 2 / 3), ((0.01, 0.02, 0.03), 0.669994), ((0.5, 1, 2), 0.859756)]
)
def test_the_weight_of_three_distances(three: tuple[float, float, float], weight: float) -> None:
    rebuilt = np.diag(np.array(three, np.float32))
    assert distances(np.zeros((1, 3), np.float32), rebuilt)[1] == pytest.approx([weight], abs=1e-6)


def test_the_weight_lies_between_two_thirds_and_one() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(500, 3)).astype(np.float32) * np.float32(50)
    _, weight = distances(points, rng.normal(size=(40, 3)).astype(np.float32))
    assert weight.min() >= 2 / 3 - 1e-6
    assert weight.max() <= 1.0
    assert np.isfinite(weight).all()


def test_fewer_than_three_rebuilt_points() -> None:
    distance, weight = distances(np.zeros((1, 3), np.float32), OUT[:1])
    assert distance == pytest.approx([0.1])
    assert weight == pytest.approx([0.0])


def sheet(count: int, low: float = -1.0) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(low, 1, count), np.linspace(-1, 1, count))
    return np.column_stack([x.ravel(), y.ravel(), np.zeros(count * count)]).astype(np.float32)


def test_heights_are_signed_outwards() -> None:
    rebuilt = sheet(40)
    up = np.tile(np.array([0, 0, 1], np.float32), (len(rebuilt), 1))
    points = np.array([[0.1, 0.1, 0.03], [0.2, -0.3, -0.02]], np.float32)
    found = measured(points, rebuilt, up, border=True)
    assert found.height == pytest.approx([0.03, -0.02], abs=1e-4)
    assert found.aside == pytest.approx([0, 0])
    assert measured(points, rebuilt, -up, border=True).height == pytest.approx([-0.03, 0.02], abs=1e-4)


def test_what_lies_beside_the_end_of_the_surface_is_forgiven_where_it_is_level() -> None:
    rebuilt = sheet(40)
    up = np.tile(np.array([0, 0, 1], np.float32), (len(rebuilt), 1))
    points = np.array([[1.3, 0.0, 0.0], [1.02, 0.0, 0.5]], np.float32)
    forgiven, strict = (measured(points, rebuilt, up, border) for border in (True, False))
    assert strict.distance[0] == pytest.approx(0.3, abs=0.01)
    assert strict.aside[0] > 0.1
    assert forgiven.distance[0] == pytest.approx(0.0, abs=0.01)
    assert forgiven.aside[0] == 0.0
    assert forgiven.distance[1] == pytest.approx(0.5, abs=0.02)


def test_what_is_usual_is_what_good_scans_show() -> None:
    places = sheet(30)
    rng = np.random.default_rng(0)
    noise = np.where(places[:, 0] > 0, 0.05, 0.01)
    still = np.zeros(900, np.float32)
    seen = [(places, (0.2 + noise * rng.standard_normal(900)).astype(np.float32), still) for _ in range(40)]
    found = Usual.learn(places, 0.07, seen, shrink=0.0)
    far = np.abs(places[:, 0]) > 0.5
    assert found.offset[far] == pytest.approx(0.2, abs=0.03)
    assert np.median(found.spread[far & (places[:, 0] > 0)]) == pytest.approx(0.055, abs=0.01)
    assert np.median(found.spread[far & (places[:, 0] < 0)]) == pytest.approx(0.011, abs=0.003)
    offset, spread = Usual.from_state(found.state()).at(places[:5])
    assert offset == pytest.approx(found.offset[:5], abs=1e-3)
    assert spread == pytest.approx(found.spread[:5], rel=1e-3)
