"""The good part that alone sets the part threshold."""

from __future__ import annotations

import numpy as np
import pytest

from core.inspection.calibration import calibrate
from core.inspection.held_out import HeldOut
from core.inspection.outstanding import outstanding
from core.scan import Scan
from core.scores import Scores


def parts(scores: list[float]) -> HeldOut:
    count = len(scores)
    names = np.array([f"good/{i:03}" for i in range(count)])
    return HeldOut(names, names, np.ones(count, np.int64), np.array(scores), np.zeros((count, 1), np.float32))


USUAL = [1.0, 1.1, 0.9, 1.2, 0.8, 1.05, 0.95, 1.3, 1.0, 1.15]


def test_a_part_far_above_the_others_is_named() -> None:
    found = outstanding(parts([*USUAL, 9.0]))
    assert found is not None
    assert (found.name, found.score, found.following) == ("good/010", 9.0, 1.3)
    assert "good/010" in found.said
    assert "9" in found.said


@pytest.mark.parametrize("scores", [USUAL, [*USUAL, 1.5], [*USUAL, 9.0, 8.0], [1.0] * 12, [1.0, 1.0, 9.0]])
def test_no_part_stands_out(scores: list[float]) -> None:
    assert outstanding(parts(scores)) is None


def test_of_parts_that_are_not_known_none_stands_out() -> None:
    assert outstanding(None) is None


def test_parts_with_an_exponential_tail_seldom_have_one() -> None:
    rng = np.random.default_rng(0)
    hits = sum(outstanding(parts(list(rng.exponential(size=25)))) is not None for _ in range(2000))
    assert 0.01 < hits / 2000 < 0.06


def test_the_calibration_says_what_to_look_at() -> None:
    rng = np.random.default_rng(0)
    good = [Scores(rng.random(50).astype(np.float32), score) for score in [*USUAL, *USUAL, 9.0]]
    scans = [Scan(points=rng.random((50, 3)).astype(np.float32), name=f"good/{i:03}", unit="mm") for i in range(21)]
    found = calibrate(good, scans=scans)
    assert found.supported
    assert not found.sound
    assert found.advice.startswith(found.note)
    assert "good/020" in found.advice
    assert calibrate(good[:-1], scans=scans[:-1]).sound
    assert found.rebudgeted(part_budget=0.2).sound  # the threshold lies below that part then
