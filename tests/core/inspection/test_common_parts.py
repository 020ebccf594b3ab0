from __future__ import annotations

import math

import numpy as np
import pytest

from core.errors import ModelError
from core.inspection.calibration import Calibration, calibrate
from core.inspection.common_parts import CommonParts
from core.inspection.held_out import KEPT_POINTS, HeldOut, digest, places
from core.scan import Scan
from core.scores import Scores


def scan(seed: int, count: int = 30) -> Scan:
    return Scan(np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32), name=f"part {seed}")


def said(part: Scan, factor: float) -> Scores:
    points = factor * part.points[:, 2]
    points[0] = np.nan
    return Scores(points, float(np.nanmax(points)))


def held_out(seeds: list[int], factor: float = 1.0, count: int = 30) -> HeldOut:
    scans = [scan(seed, count) for seed in seeds]
    return HeldOut.of(scans, [said(s, factor) for s in scans])


@pytest.mark.parametrize("count", [1, 2, 7, 12, 1000, 30_030])
def test_places_never_repeat_and_a_shorter_list_begins_a_longer(count):
    whole = places(count, count)
    assert sorted(whole) == list(range(count))
    assert (places(count, count // 3 + 1) == whole[: count // 3 + 1]).all()


def test_places_lie_all_over_the_part():
    gaps = np.diff(np.sort(places(100_000, 1000)))
    assert gaps.max() < 3 * gaps.mean()


def test_digest_tells_measurements_apart():
    assert digest(scan(1)) == digest(scan(1).replaced(name="renamed"))
    moved = scan(1).points.copy()
    moved[3, 0] = np.nextafter(moved[3, 0], np.float32(math.inf))
    assert digest(Scan(moved)) != digest(scan(1))


def test_no_more_points_are_kept_than_allowed(monkeypatch):
    monkeypatch.setattr("core.inspection.held_out.KEPT_POINTS", 50)
    assert held_out([1, 2, 3, 4, 5]).points.shape == (5, 10)
    assert KEPT_POINTS >= 100_000


def test_parts_are_matched_by_what_was_measured_whatever_their_order():
    parts = CommonParts.of({"one": held_out([1, 2, 3, 4]), "two": held_out([4, 9, 3, 2], factor=10.0)})
    assert list(parts.names) == ["part 2", "part 3", "part 4"]
    assert parts.left == 1
    assert np.allclose(parts.scores[:, 1], 10 * parts.scores[:, 0])
    assert np.allclose(parts.points[..., 1], 10 * parts.points[..., 0], equal_nan=True)
    assert list(parts.sizes) == [30, 30, 30]


def test_models_of_different_good_parts_are_refused():
    with pytest.raises(ModelError, match=r"one and two were calibrated on different good parts \(2 in common\)"):
        CommonParts.of({"one": held_out([1, 2, 3]), "two": held_out([2, 3, 4])})


def test_a_model_from_before_is_named():
    with pytest.raises(ModelError, match="old was trained before"):
        CommonParts.of({"new": held_out([1, 2, 3]), "old": None})


def test_a_calibration_keeps_its_parts_and_reads_without_them():
    scans = [scan(seed) for seed in range(4)]
    calibration = calibrate([said(s, 2.0) for s in scans], scans=scans)
    again = Calibration.from_state(calibration.state())
    assert calibration.held_out is not None
    assert again.held_out is not None
    for name, value in calibration.held_out.state().items():
        assert np.array_equal(value, again.held_out.state()[name], equal_nan=value.dtype.kind == "f")
    without = {k: v for k, v in calibration.state().items() if not k.startswith("held_out/")}
    assert Calibration.from_state(without).held_out is None


def test_parts_without_a_score_are_not_kept():
    scans = [scan(seed) for seed in range(3)]
    scores = [said(s, 1.0) for s in scans]
    scores[1] = Scores(np.full(30, np.nan, np.float32), math.nan)
    found = calibrate(scores, scans=scans).held_out
    assert found is not None
    assert list(found.names) == ["part 0", "part 2"]
