from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.inspection.defects import DefectFinder
from core.inspection.thresholds import Thresholds
from core.scan import Scan
from core.scores import ScoreMap, Scores


def plane(count: int, side: float = 1.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([side * rng.random((count, 2)), np.zeros(count)]).astype(np.float32)


def oracle_components(points: np.ndarray, scores: np.ndarray, threshold: float) -> list[set[int]]:
    """Plain breadth-first search over marked points: 8 nearest others, within 2.5 spacings of the denser end."""
    distance = np.linalg.norm(points[:, None].astype(float) - points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    ordered = np.sort(distance, axis=1)[:, :8]
    area = np.pi * (ordered[:, 3:8] ** 2).sum(axis=1) / (4 + 5 + 6 + 7 + 8)
    among = distance <= ordered[:, 7:8]
    reach = 2.5 * np.sqrt(np.minimum(area[:, None], area[None]))
    edge = (among | among.T) & (distance <= reach)
    left = {int(i) for i in np.flatnonzero(scores > threshold)}
    found = []
    while left:
        group, queue = set(), deque([left.pop()])
        while queue:
            i = queue.popleft()
            group.add(i)
            for j in np.flatnonzero(edge[i]):
                if int(j) in left:
                    left.remove(int(j))
                    queue.append(int(j))
        found.append(group)
    return found


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_defects_are_the_connected_components_at_any_threshold(seed):
    rng = np.random.default_rng(seed)
    points = rng.random((220, 3)).astype(np.float32) * [1, 1, 0.05]
    scores = rng.integers(-4, 5, 220).astype(np.float32)  # many ties, zeros and negatives
    scores[rng.random(220) < 0.05] = np.nan
    finder = DefectFinder(Scan(points), Scores(scores, 0.0))
    for threshold in (-10.0, -3.0, -1.0, 0.0, 0.5, 2.0, 3.5, 9.0):
        found = finder.find(Thresholds(threshold, 0, min_points=2))
        groups = [set(np.flatnonzero(found.ids == d.id).tolist()) for d in found.defects]
        expected = [g for g in oracle_components(points.astype(np.float32), scores, threshold) if len(g) >= 2]
        assert sorted(map(sorted, groups)) == sorted(map(sorted, expected))
        assert np.array_equal(found.mask, scores > threshold)


def test_ids_go_by_peak_and_small_groups_are_left_out():
    points = plane(4000)
    scores = np.zeros(4000, np.float32)
    centres = ((0.2, 0.2, 0.1, 3.0), (0.7, 0.3, 0.08, 9.0), (0.5, 0.8, 0.1, 5.0), (0.9, 0.9, 0.02, 20.0))
    for x, y, radius, peak in centres:
        inside = np.hypot(points[:, 0] - x, points[:, 1] - y) < radius
        scores[inside] = peak
    finder = DefectFinder(Scan(points), Scores(scores, 9.0))
    every = finder.find(Thresholds(1.0, 0, min_points=1))
    assert [d.peak for d in every.defects] == [20, 9, 5, 3]
    assert [d.id for d in every.defects] == [1, 2, 3, 4]
    assert [d.points for d in every.defects] == [int((every.ids == i).sum()) for i in (1, 2, 3, 4)]
    by_points = finder.find(Thresholds(1.0, 0, min_points=20))
    assert [d.peak for d in by_points.defects] == [9, 5, 3]
    assert by_points.mask.sum() == every.mask.sum()
    assert (by_points.ids > 0).sum() < every.mask.sum()
    by_area = finder.find(Thresholds(1.0, 0, min_area=0.025))
    assert [d.peak for d in by_area.defects] == [5, 3]
    assert len(finder.find(Thresholds(4.0, 0)).defects) == 2
    assert finder.find(Thresholds(100.0, 0)).defects == ()


@pytest.mark.parametrize("layout", ["random", "lattice", "hexagonal"])
def test_area_of_a_known_patch(layout):
    if layout == "random":
        points = plane(20_000, side=100.0)
    else:
        row, column = np.mgrid[0:150, 0:150].astype(float)
        height = 1.0 if layout == "lattice" else np.sqrt(0.75)
        x = column + (0.0 if layout == "lattice" else 0.5 * (row % 2))
        points = np.column_stack([x.ravel(), height * row.ravel(), 0 * x.ravel()]).astype(np.float32)
    inside = np.hypot(points[:, 0] - 60, points[:, 1] - 55) < 20
    (defect,) = DefectFinder(Scan(points), Scores(inside.astype(np.float32), 1)).find(Thresholds(0.5, 0)).defects
    assert defect.area == pytest.approx(np.pi * 20**2, rel=0.1)
    assert defect.position == pytest.approx([60, 55, 0], abs=0.5)
    assert defect.extent == pytest.approx([40, 40, 0], abs=2.1)
    assert defect.bounds == pytest.approx(np.array([[40, 35, 0], [80, 75, 0]]), abs=1.1)


def test_a_bump_by_formula_is_measured():
    # z = h exp(-r^2 / 2 s^2): height h, and above z = c the volume is 2 pi s^2 (h - c).
    points = plane(40_000, side=100.0)
    h, s, c = -0.8, 6.0, 0.08
    z = h * np.exp(-((points[:, 0] - 50) ** 2 + (points[:, 1] - 40) ** 2) / (2 * s**2))
    dented = points + np.column_stack([0 * z, 0 * z, z]).astype(np.float32)
    scores = Scores(np.abs(z), 1.0, {"signed": ScoreMap(z, "Signed", "height")})
    (dent,) = DefectFinder(Scan(dented), scores).find(Thresholds(c, 0)).defects
    assert dent.height == pytest.approx(h, rel=0.02)
    assert dent.volume == pytest.approx(-2 * np.pi * s**2 * (0.8 - c), rel=0.1)
    assert dent.area == pytest.approx(2 * np.pi * s**2 * np.log(0.8 / c), rel=0.1)
    assert dent.peak == pytest.approx(0.8, rel=0.02)
    assert 0.08 < dent.mean < 0.8
    assert dent.position[:2] == pytest.approx([50, 40], abs=0.5)


def test_a_scratch_is_long_and_thin_wherever_it_points():
    points = plane(30_000, side=100.0)
    along = (points[:, 0] - points[:, 1]) / np.sqrt(2)
    across = (points[:, 0] + points[:, 1] - 100) / np.sqrt(2)
    scratched = (np.abs(across) < 1.5) & (np.abs(along) < 30)
    (scratch,) = DefectFinder(Scan(points), Scores(scratched.astype(np.float32), 1)).find(Thresholds(0.5, 0)).defects
    assert scratch.extent == pytest.approx([60, 3, 0], abs=1.0)
    assert scratch.extent[2] == 0
    assert scratch.height is None
    assert scratch.volume is None


def test_a_gap_wider_than_the_spacing_separates():
    points = plane(10_000, side=100.0)
    points = points[np.abs(points[:, 0] - 50) > 4]
    found = DefectFinder(Scan(points), Scores(np.ones(len(points), np.float32), 1)).find(Thresholds(0.5, 0))
    assert len(found.defects) == 2


def test_order_of_points_does_not_matter():
    points, rng = plane(3000), np.random.default_rng(1)
    scores = np.sin(9 * points[:, 0]) * np.cos(7 * points[:, 1])
    order = rng.permutation(3000)
    first = DefectFinder(Scan(points), Scores(scores, 1)).find(Thresholds(0.3, 0))
    second = DefectFinder(Scan(points[order]), Scores(scores[order], 1)).find(Thresholds(0.3, 0))
    assert np.array_equal(first.ids[order], second.ids)
    for a, b in zip(first.defects, second.defects, strict=True):
        assert a.area == pytest.approx(b.area)
        assert a.position == pytest.approx(b.position)


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_a_handful_of_points(count):
    points = plane(count)
    found = DefectFinder(Scan(points), Scores(np.ones(count, np.float32), 1)).find(Thresholds(0.5, 0, min_points=1))
    assert found.mask.all()
    assert sum(d.points for d in found.defects) == count


def test_points_at_the_same_place_and_infinite_scores():
    points = np.repeat(plane(60), 12, axis=0)
    scores = np.ones(len(points), np.float32)
    scores[:3] = np.inf
    found = DefectFinder(Scan(points), Scores(scores, 1)).find(Thresholds(0.5, 0, min_points=1))
    assert found.mask.all()
    assert all(np.isfinite(d.position).all() for d in found.defects)


def test_nothing_judged():
    found = DefectFinder(Scan(plane(50)), Scores(np.full(50, np.nan, np.float32), 0)).find(Thresholds(0.5, 0))
    assert not found.mask.any()
    assert found.defects == ()
