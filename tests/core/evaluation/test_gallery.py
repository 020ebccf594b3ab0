"""The worst parts' pictures: the right ones, and never more than were asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.evaluation import gallery as galleries
from core.evaluation.gallery import Gallery
from core.evaluation.results import PartResult
from core.inspection.calibration import Calibration, calibrate
from core.inspection.thresholds import Thresholds
from core.scan import Scan
from core.scores import Scores

SCAN = Scan(np.random.default_rng(0).uniform(0, 1, (50, 3)).astype(np.float32))


def scores(value: float) -> Scores:
    return Scores(np.linspace(0, value, 50).astype(np.float32), value, {})


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return calibrate([scores(1.0 + i / 10) for i in range(4)])


def part(key: str, score: float, defect: str = "") -> PartResult:
    return PartResult(key, Path(key), defect, score)


@given(st.lists(st.tuples(st.floats(0, 9), st.booleans()), max_size=30), st.integers(1, 5))
@settings(deadline=None, max_examples=30)
def test_keeps_the_worst_of_each_kind(found: list[tuple[float, bool]], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(galleries, "part_picture", lambda *_, size: np.zeros((size, size, 4), np.uint8))
        kept = Gallery(calibrate([scores(1.0)] * 4), Thresholds(0.5, 1.0), most=most, size=8)
        for i, (value, bad) in enumerate(found):
            kept.look(part(f"{i}", value, "dent" if bad else ""), SCAN, scores(1.0))
        for bad in (False, True):
            values = sorted((v if bad else -v) for v, is_bad in found if is_bad == bad)
            shown = [v for i, (v, is_bad) in enumerate(found) if is_bad == bad and f"{i}" in kept.pictures]
            assert sorted((v if bad else -v) for v in shown) == values[:most]


def test_a_part_that_cannot_be_drawn_costs_only_its_picture(
    calibration: Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Gallery(calibration, calibration.thresholds(), most=2, size=16)
    monkeypatch.setattr(galleries, "part_picture", lambda *_, **__: 1 / 0)
    kept.look(part("a", 1.0), SCAN, scores(1.0))
    assert kept.pictures == {}
    monkeypatch.undo()
    kept.look(part("b", 1.0), SCAN, scores(1.0))
    assert kept.pictures["b"].shape == (16, 16, 4)
