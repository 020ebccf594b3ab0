"""The table that the detection benchmark prints."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def detection() -> ModuleType:
    path = Path(__file__).parents[3] / "benchmarks" / "detection.py"
    spec = importlib.util.spec_from_file_location("benchmark_detection", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_results_hold_the_metrics_of_each_type_of_defect(detection: ModuleType) -> None:
    result = detection.Result("bracket", "sca")
    points = [np.array([0.1, s, np.nan], np.float32) for s in (0.2, 0.4, 0.9, 0.3)]
    labels = [np.array([False, bad, False]) for bad in (False, False, True, True)]
    detection.fill(result, ["good", "good", "dent", "burr"], [0.2, 0.4, 0.9, 0.3], points, labels)
    assert (result.good, result.defective) == (2, 2)
    assert result.o_auroc == pytest.approx(0.75)
    assert result.by_defect == {"burr": pytest.approx(0.5), "dent": pytest.approx(1.0)}
    assert result.p_auroc == pytest.approx(11 / 12)  # of 2 x 6 pairs only 0.3 under 0.4 is wrong


def test_what_cannot_be_measured_is_left_empty(detection: ModuleType) -> None:
    result = detection.Result("bracket", "sca")
    detection.fill(result, ["good", "good"], [0.2, 0.4], [], [])
    assert result.o_auroc is None
    assert "| bracket | sca | 0 | 2 + 0 |  |  |  |" in detection.table([result])


def test_several_categories_get_a_mean(detection: ModuleType) -> None:
    results = [
        detection.Result(name, "sca", good=3, defective=4, o_auroc=value, good_rejected=1, defects_found=2)
        for name, value in (("bracket", 0.8), ("gear", 0.9))
    ]
    last = detection.table(results).splitlines()[-1]
    assert "**mean**" in last
    assert "0.850" in last
    assert "2 of 6" in last
    assert "4 of 8" in last
