"""The speed suite's own arithmetic: what is timed, how cost grows, what a file keeps, what the table says."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from benchmarks import results_file
from benchmarks.memory import Peak
from benchmarks.results_file import Figures, tables_of
from benchmarks.stages import WHOLE, Stopwatch, Timing, exponent, stages_of
from benchmarks.suite import parts
from core.pipelines.registry import general_ids
from core.runtime import Runtime

RUNTIME = Runtime(torch.device("cpu"))


def test_growth_is_the_exponent_of_the_cost() -> None:
    quadratic = [Timing("x", n, 3e-9 * n**2) for n in (20_000, 100_000, 500_000)]
    assert exponent(quadratic) == pytest.approx(2.0)
    assert exponent(quadratic[:1]) is None
    assert exponent([*quadratic, Timing("x", 2_000_000, note="left out")]) == pytest.approx(2.0)


def test_a_ratio_is_that_of_the_plain_version_to_ours() -> None:
    watch = Stopwatch(1000, 3, RUNTIME)
    watch.time("sleep", lambda: time.sleep(0.01), lambda: time.sleep(0.2), "longer sleep")
    watch.skip("other", "left out: too long")
    ours, other = watch.timings
    assert ours.median_s is not None
    assert ours.median_s >= 0.01
    assert ours.ratio is not None
    assert ours.ratio > 1
    assert (other.median_s, other.note) == (None, "left out: too long")


def test_steps_are_timed_by_their_names_and_left_as_they_were() -> None:
    module = ModuleType("steps")
    calls: list[int] = []
    module.step = original = calls.append  # type: ignore[attr-defined]

    def work() -> None:
        module.step(1)  # type: ignore[attr-defined]
        module.step(2)  # type: ignore[attr-defined]

    timings = stages_of(work, [(module, "step")], 1000, 2, RUNTIME)
    assert [timing.name for timing in timings] == ["step", WHOLE]
    assert module.step == original  # type: ignore[attr-defined]
    assert calls == [1, 2] * 4  # two timed runs, one for the step's memory, one for the whole's


def test_a_step_that_is_not_taken_is_told() -> None:
    module = ModuleType("steps")
    module.gone = module.step = lambda: None  # type: ignore[attr-defined]
    with pytest.raises(LookupError, match="not called: gone"):
        stages_of(lambda: module.step(), [(module, "step"), (module, "gone")], 1000, 1, RUNTIME)  # type: ignore[attr-defined]


@pytest.mark.parametrize("part", [part for part in parts() if part.endswith("_stages")])
def test_steps_of_pipelines_exist(part: str) -> None:
    module = importlib.import_module(f"benchmarks.{part}")
    steps = [step for name in ("STEPS", "CLOUD") for step in getattr(module, name, ())]
    assert steps
    assert all(callable(getattr(owner, name, None)) for owner, name in steps)


def test_every_method_of_the_library_has_its_stages() -> None:
    timed = {part.removesuffix("_stages") for part in parts() if part.endswith("_stages")}
    assert timed == set(general_ids())


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is Linux's")
def test_the_peak_sees_what_is_let_go_again() -> None:
    with Peak(torch.device("cpu")) as peak:
        np.ones(8_000_000)  # 64 MB, gone at once
    if peak.mb is None:
        pytest.skip("the system does not let the peak be reset")
    assert 50 < peak.mb < 200


def test_a_file_keeps_what_was_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_file, "RESULTS", tmp_path)
    described = {"processor": "Xeon 8481C", "cores": 2, "device": "cpu"}
    figures = Figures.read(described)
    figures.put("geometry", [Timing("a", 1000, 1.0), Timing("b", 1000, 2.0)])
    figures.put("sca_stages", [Timing("a", 1000, 3.0)])
    figures.put("geometry", [Timing("geometry", 5000, note="failed with status 1")])
    figures.write()
    again = Figures.read(described)
    again.put("geometry", [Timing("a", 1000, 0.5), Timing("a", 5000, 5.0)])
    kept = {(t.name, t.points): t.median_s for t in again.timings["geometry"]}
    assert kept == {("a", 1000): 0.5, ("a", 5000): 5.0}  # b is a step no more, 5000 failed before
    assert again.timings["sca_stages"] == [Timing("a", 1000, 3.0)]
    assert figures.path.name == "xeon-8481c-2-cores-cpu.json"


def test_the_table_says_what_was_left_out(tmp_path: Path) -> None:
    timings = [Timing("nearest", 20_000, 0.01, 12.0, 3.0, "SciPy tree"), Timing("nearest", 100_000, 0.05, 40.0)]
    timings.append(Timing("ball", 100_000, note="left out: too long"))
    machine = {"processor": "Xeon", "cores": 2, "device": "cpu"}
    text = tables_of(Figures(tmp_path / "x.json", machine, {"geometry": timings}, {"geometry": "2026-11-22"}))
    row = next(line for line in text.splitlines() if line.startswith("| nearest"))
    assert [cell.strip() for cell in row.split("|")[1:-1]] == [
        "nearest", "10 ms", "50 ms", "40 MB", "3 × (SciPy tree)", "N^1.00",
    ]  # fmt: skip
    assert "ball, 100 k: left out: too long." in text
