"""A model trained with the image and scans that have none: refused, or judged in the reduced mode by its thresholds."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core import workflow
from core.datasets.category import Category, recognise
from core.errors import ScanError
from core.formats.reader import read_scan
from core.pipelines import registry
from core.pipelines.base import Pipeline
from core.pipelines.config import Config, setting
from core.progress import Progress
from core.reporting.summary import inspection_record
from core.runtime import Runtime
from core.scan import Scan
from core.scores import Scores

FITS: list[int] = []


@dataclasses.dataclass(frozen=True)
class TwoConfig(Config):
    gain: float = setting(1.0, "Multiplies the heights", low=0.1, high=10.0)


class TwoPipeline(Pipeline):
    """Height plus redness; without the image the height alone."""

    id, title, paper = "two", "Two", "A method for tests"
    summary = "Scores a point by its height and by how red it is."
    Config = TwoConfig

    def __init__(self, config: Config, runtime: Runtime, seen: bool = True) -> None:
        super().__init__(config, runtime)
        self.seen, self.spread = seen, 0.0

    def fit(self, scans: Sequence[Scan], progress: Progress) -> None:
        FITS.append(len(scans))
        self.spread = float(np.mean([scan.points[:, 2].std() for scan in scans]))

    def lacks(self, scan: Scan) -> str | None:
        return "no RGB image" if self.seen and scan.image is None else None

    def reduced(self) -> Pipeline | None:
        if not self.seen:
            return None
        other = TwoPipeline(self.config, self.runtime, seen=False)
        other.spread = self.spread
        return other

    def score(self, scan: Scan, progress: Progress) -> Scores:
        points = np.abs(scan.points[:, 2]) / np.float32(self.spread)
        if self.seen:
            assert scan.colors is not None
            points = points + scan.colors[:, 0].astype(np.float32)
        return Scores(points.astype(np.float32), float(points.max()))

    def state(self) -> dict[str, NDArray[Any]]:
        return {"spread": np.array(self.spread)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.spread = float(state["spread"])


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "two_pipeline_of_tests", sys.modules[__name__])
    monkeypatch.setattr(registry, "_PIPELINES", {"two": "two_pipeline_of_tests:TwoPipeline"})
    FITS.clear()


@pytest.fixture(scope="module")
def category(tmp_path_factory: pytest.TempPathFactory) -> Category:
    import tifffile

    root = tmp_path_factory.mktemp("parts") / "plate"
    rng = np.random.default_rng(0)
    for i in range(8):
        for kind in ("xyz", "rgb"):
            (root / "train" / "good" / kind).mkdir(parents=True, exist_ok=True)
        y, x = np.meshgrid(np.arange(1.0, 21), np.arange(1.0, 31), indexing="ij")
        cloud = np.stack([x, y, rng.normal(0, 0.1, x.shape)], axis=-1).astype(np.float32)
        tifffile.imwrite(root / "train" / "good" / "xyz" / f"{i:03}.tiff", cloud, photometric="rgb")
        image = rng.integers(90, 110, (20, 30, 3)).astype(np.uint8)
        Image.fromarray(image).save(root / "train" / "good" / "rgb" / f"{i:03}.png")
    return recognise(root)


def trained(category: Category, runtime: Runtime) -> workflow.Model:
    return workflow.train(category, "two", TwoConfig(), runtime=runtime, progress=Progress())


@pytest.fixture
def runtime() -> Runtime:
    return Runtime.choose("cpu")


def without_image(category: Category) -> Scan:
    return read_scan(category.entries[0].path).replaced(image=None, colors=None)


def test_both_modes_are_calibrated_from_the_same_fits(category: Category, runtime: Runtime) -> None:
    model = trained(category, runtime)
    assert FITS == [8, 6, 6, 6, 6], "one fit of all and one a fold, none for the other mode"
    assert model.reduced is not None
    assert len(model.reduced.part_scores) == len(model.calibration.part_scores) == 8
    assert 90 < model.calibration.part_threshold - model.reduced.part_threshold < 112, "the redness of good parts"


def test_a_scan_without_its_image_is_refused_with_the_way_out(category: Category, runtime: Runtime) -> None:
    model = trained(category, runtime)
    with pytest.raises(ScanError, match="no RGB image") as raised:
        workflow.score(model, without_image(category), Progress())
    assert "--without-image" in raised.value.remedy


def test_agreed_it_is_judged_by_the_thresholds_of_that_mode(category: Category, runtime: Runtime) -> None:
    model = trained(category, runtime)
    assert model.reduced is not None
    inspection = workflow.inspect(model, without_image(category), Progress(), reduced=True)
    assert inspection.lacking == "no RGB image"
    assert inspection.thresholds == model.reduced.thresholds()
    assert inspection_record(inspection)["lacking"] == "no RGB image"


def test_a_scan_that_lacks_nothing_is_judged_in_full_all_the_same(category: Category, runtime: Runtime) -> None:
    model = trained(category, runtime)
    full = workflow.inspect(model, category.load(category.entries[0]), Progress(), reduced=True)
    assert full.lacking == ""
    assert full.thresholds == model.calibration.thresholds()


def test_the_file_keeps_both_calibrations(category: Category, runtime: Runtime, tmp_path: Path) -> None:
    model = trained(category, runtime)
    workflow.save(model, tmp_path / "m.nominal")
    again = workflow.load(tmp_path / "m.nominal", runtime)
    assert model.reduced is not None
    assert again.reduced is not None
    assert again.calibration.thresholds() == model.calibration.thresholds()
    assert again.reduced.thresholds() == model.reduced.thresholds()
    judged = workflow.score(again, without_image(category), Progress(), reduced=True)
    assert np.array_equal(
        judged.scores.points, workflow.score(model, without_image(category), Progress(), reduced=True).scores.points
    )


def test_a_model_without_that_calibration_refuses(category: Category, runtime: Runtime, tmp_path: Path) -> None:
    """As models of before there was one do."""
    model = dataclasses.replace(trained(category, runtime), reduced=None)
    workflow.save(model, tmp_path / "old.nominal")
    old = workflow.load(tmp_path / "old.nominal", runtime)
    assert old.reduced is None
    with pytest.raises(ScanError) as raised:
        workflow.score(old, without_image(category), Progress(), reduced=True)
    assert "--without-image" not in raised.value.remedy
