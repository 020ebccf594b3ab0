from __future__ import annotations

import numpy as np
import pytest

from core.inspection.thresholds import Thresholds
from core.inspection.verdict import Verdict, decide, judge
from core.scan import Scan
from core.scores import Scores


@pytest.mark.parametrize(
    ("score", "guard", "verdict"),
    [
        (1.0, 0.0, Verdict.ACCEPT),
        (1.0000001, 0.0, Verdict.REJECT),
        (0.8, 0.2, Verdict.ACCEPT),
        (0.9, 0.2, Verdict.REVIEW),
        (1.2, 0.2, Verdict.REVIEW),
        (1.21, 0.2, Verdict.REJECT),
        (float("nan"), 0.2, Verdict.REVIEW),
        (float("inf"), 0.2, Verdict.REJECT),
    ],
)
def test_guard_band(score, guard, verdict):
    assert decide(score, Thresholds(point=0, part=1, guard=guard)) is verdict


def test_rethresholding_equals_judging_anew():
    rng = np.random.default_rng(0)
    scan = Scan(rng.random((400, 3)).astype(np.float32) * [1, 1, 0.01])
    scores = Scores(scan.points[:, 0], 0.5)
    strict, mild = Thresholds(0.2, 0.1, min_points=3), Thresholds(0.8, 0.9, min_points=3)
    first = judge(scan, scores, strict, model_name="m", seconds=1.5)
    assert first.verdict is Verdict.REJECT
    second = first.rethresholded(mild)
    anew = judge(scan, scores, mild)
    assert second.verdict is anew.verdict is Verdict.ACCEPT
    assert second.thresholds == mild
    assert (second.model_name, second.seconds) == ("m", 1.5)
    assert np.array_equal(second.defects.ids, anew.defects.ids)
    assert np.array_equal(first.defects.mask, scores.points > 0.2)
    assert first.defects.mask.sum() > second.defects.mask.sum()


def test_defects_do_not_decide():
    scan = Scan(np.random.default_rng(0).random((300, 3)).astype(np.float32))
    inspection = judge(scan, Scores(np.ones(300, np.float32), 0.0), Thresholds(0.5, 1.0))
    assert len(inspection.defects) == 1
    assert inspection.verdict is Verdict.ACCEPT
