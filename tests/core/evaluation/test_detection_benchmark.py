"""The table that the detection benchmark prints."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from core.evaluation.intervals import Measure
from core.evaluation.results import Evaluation, PartResult, TypeResult
from core.inspection.thresholds import Thresholds
from core.inspection.verdict import Verdict, decide
from core.store.model_file import ModelCard


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


def test_a_row_holds_what_the_evaluation_found(detection: ModuleType) -> None:
    at = Thresholds(point=0.5, part=0.35)
    parts = tuple(
        PartResult(f"{kind or 'good'}/{i}", Path("x.ply"), kind, score, decide(score, at), seconds)
        for i, (kind, score, seconds) in enumerate([("", 0.2, 1.0), ("", 0.4, 2.0), ("dent", 0.9, 9.0)])
    )
    failed = PartResult("dent/9", Path("x.ply"), "dent", error="It is bent.")
    card = ModelCard("bracket SCA fast", "sca", "fast", {}, "bracket", "mm", 20, "", "0")
    metrics = {"o_auroc": Measure(0.75, 0.5, 1.0), "aupro_30": Measure(0.5)}
    kinds = (TypeResult("dent", 1, dict.fromkeys(Verdict, 0), {"o_auroc": Measure(1.0)}),)
    found = Evaluation(
        "bracket", "test", "mm", Path("parts"), card, "CPU", "", at, (*parts, failed), metrics, by_defect=kinds
    )
    result = detection.result_of(found, 12.5)
    assert (result.good, result.defective, result.good_rejected, result.defects_found) == (2, 1, 1, 1)
    assert result.inspect_seconds == 2.0
    assert result.failures == ["dent/9: It is bent."]
    row = detection.table([result]).splitlines()[-1]
    assert row == (
        "| bracket | sca | 20 | 2 + 1 | 0.750 (0.500 … 1.000) |  |  | 0.500 |  | 1 of 2 | 1 of 1 | 12.5 | 2.00 |"
    )
    assert detection.by_defect([result]).splitlines()[-1] == "| bracket | sca | 1.000 |"


def test_what_cannot_be_measured_is_left_empty(detection: ModuleType) -> None:
    result = detection.Result("bracket", "sca")
    assert "| bracket | sca | 0 | 0 + 0 |  |  |  |" in detection.table([result])


def test_several_categories_get_a_mean(detection: ModuleType) -> None:
    results = [
        detection.Result(
            name, "sca", good=3, defective=4, metrics={"o_auroc": Measure(value)}, good_rejected=1, defects_found=2
        )
        for name, value in (("bracket", 0.8), ("gear", 0.9))
    ]
    last = detection.table(results).splitlines()[-1]
    assert "**mean**" in last
    assert "0.850" in last
    assert "2 of 6" in last
    assert "4 of 8" in last
