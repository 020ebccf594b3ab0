"""CMDR-IAD trained with photographs, and scans that have none: from training to the evaluation by shape alone."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from core import workflow
from core.datasets.category import Category, recognise
from core.errors import CategoryError, ModelError, ScanError
from core.evaluation.evaluation import evaluate
from core.evaluation.reports.files import write_reports
from core.pipelines.cmdr_iad.config import CmdrIadConfig
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan

SMALL = {
    "mode": "2d+3d",
    "background": "none",
    "image_features": "oriented_energy",
    "features": "fpfh",
    "side": 28,
    "views_side": 32,
    "voxel_points": 1500,
    "patches": 200,
    "decoder2d_width": 24,
    "decoder3d_width": 0.1,
    "epochs": 2,
}
SHAPE = (36, 48)


def write(folder: Path, name: str, seed: int, bulge: float = 0.0, photo: bool = True) -> None:
    """A wavy plate of 60 x 44 mm with its photograph, as MVTec 3D-AD lays it out; the bulge lies at (8, 4)."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.linspace(22, -22, SHAPE[0]), np.linspace(-30, 30, SHAPE[1]), indexing="ij")
    near = np.exp(-((x - 8) ** 2 + (y - 4) ** 2) / 2.5**2)
    z = 50 + 3 * np.sin(x / 6) * np.cos(y / 9) + rng.normal(0, 0.02, SHAPE) + bulge * near
    shade = 130 + 60 * np.cos(x / 6) * np.cos(y / 9)
    image = np.clip(shade[..., None] + 3 * rng.standard_normal((*SHAPE, 3)), 0, 255).astype(np.uint8)
    for kind in ("xyz", "rgb"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(folder / "xyz" / f"{name}.tiff", np.stack([x, y, z], -1).astype(np.float32), photometric="rgb")
    if photo:
        Image.fromarray(image).save(folder / "rgb" / f"{name}.png")
    if bulge:
        (folder / "gt").mkdir(exist_ok=True)
        Image.fromarray((near > 0.3).astype(np.uint8) * 255).save(folder / "gt" / f"{name}.png")


@pytest.fixture(scope="module")
def category(tmp_path_factory: pytest.TempPathFactory) -> Category:
    """Of the test scans one good and one bulged one have no photograph."""
    root = tmp_path_factory.mktemp("parts") / "plate"
    for i in range(2):
        write(root / "train" / "good", f"{i:03}", i)
    for i in range(3):
        write(root / "validation" / "good", f"{i:03}", 100 + i)
    for i in range(2):
        write(root / "test" / "good", f"{i:03}", 200 + i, photo=i == 0)
        write(root / "test" / "bulge", f"{i:03}", 300 + i, bulge=4.0, photo=i == 0)
    return recognise(root)


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return Runtime.choose("cpu", seed=1)


@pytest.fixture(scope="module")
def model(category: Category, runtime: Runtime) -> workflow.Model:
    config = CmdrIadConfig.preset("fast", **SMALL)
    return workflow.train(category, "cmdr_iad", config, runtime=runtime, progress=Progress())


@pytest.fixture(scope="module")
def bare(category: Category) -> Scan:
    """A bulged scan without its photograph."""
    scan = category.load(next(e for e in category.split("test") if e.key == "bulge/001"))
    assert scan.image is None
    return scan


def test_each_mode_has_its_thresholds(model: workflow.Model) -> None:
    assert model.card.config["mode"] == "2d+3d"
    lacking = model.calibration_for("no RGB image")
    assert lacking is model.reduced
    assert lacking.thresholds() != model.calibration.thresholds()
    assert model.calibration_for("") is model.calibration


def test_refused_with_the_way_out_and_judged_when_agreed(model: workflow.Model, bare: Scan) -> None:
    with pytest.raises(ScanError, match="no RGB image") as raised:
        workflow.score(model, bare, Progress())
    assert "--without-image" in raised.value.remedy
    inspection = workflow.inspect(model, bare, Progress(), reduced=True)
    assert inspection.lacking == "no RGB image"
    assert inspection.thresholds == model.calibration_for("no RGB image").thresholds()
    assert np.isfinite(inspection.scores.points).any()


def test_bit_equal_after_load(model: workflow.Model, bare: Scan, runtime: Runtime, tmp_path: Path) -> None:
    workflow.save(model, tmp_path / "plate.nominal")
    again = workflow.load(tmp_path / "plate.nominal", runtime)
    before, after = (workflow.score(one, bare, Progress(), reduced=True).scores for one in (model, again))
    assert np.array_equal(before.points, after.points, equal_nan=True)
    assert before.object == after.object
    assert again.calibration_for("no RGB image").thresholds() == model.calibration_for("no RGB image").thresholds()


def test_the_photograph_plays_no_part_in_that_mode(model: workflow.Model, category: Category) -> None:
    scan = category.load(next(e for e in category.split("test") if e.key == "good/000"))
    alone = model.in_reduced_mode()
    with_photo = workflow.score(alone, scan, Progress())
    without = workflow.score(alone, scan.replaced(image=None, colors=None), Progress())
    assert with_photo.lacking == without.lacking == ""
    assert np.array_equal(with_photo.scores.points, without.scores.points, equal_nan=True)


def test_an_evaluation_leaves_out_what_lacks_the_image_and_names_the_flag(
    model: workflow.Model, category: Category
) -> None:
    found = evaluate(model, category, resamples=0)
    assert sorted(part.key for part in found.failures) == ["bulge/001", "good/001"]
    assert all(part.lacking == "no RGB image" and "--without-image" in part.error for part in found.failures)
    assert any("2 scans of these lacked" in note and "--without-image" in note for note in found.notes)
    assert not found.reduced
    assert found.thresholds == model.calibration.thresholds()


def test_an_evaluation_by_shape_alone_judges_all_in_one_mode(
    model: workflow.Model, category: Category, bare: Scan, tmp_path: Path
) -> None:
    found = evaluate(model, category, resamples=0, reduced=True)
    assert not found.failures
    assert found.reduced
    assert model.reduced is not None
    assert found.thresholds == model.reduced.thresholds()
    scores = {part.key: part.score for part in found.parts}
    assert scores["bulge/001"] == pytest.approx(workflow.score(model, bare, Progress(), reduced=True).scores.object)
    entry = next(e for e in category.split("test") if e.key == "bulge/000")
    in_full = workflow.score(model, category.load(entry), Progress(), reduced=True)
    assert scores["bulge/000"] != float(in_full.scores.object), "a scan with its image is judged like the others"
    files = {path.name: path.read_text(encoding="utf-8") for path in write_reports(found, tmp_path)}
    assert json.loads(files["evaluation.json"])["mode"] == "by shape alone"
    for name in ("evaluation.md", "evaluation.html"):
        assert "judged by shape alone" in files[name]


def test_where_every_scan_lacks_it_the_error_names_the_flag(
    model: workflow.Model, category: Category, tmp_path: Path
) -> None:
    write(tmp_path / "plate" / "train" / "good", "000", 6)
    for kind, bulge in (("good", 0.0), ("bulge", 4.0)):
        write(tmp_path / "plate" / "test" / kind, "000", 7, bulge, photo=False)
    with pytest.raises(CategoryError, match="None of the 2") as raised:
        evaluate(model, recognise(tmp_path / "plate"), resamples=0)
    assert "--without-image" in raised.value.remedy


def test_a_model_that_has_no_such_mode_says_so(model: workflow.Model, category: Category) -> None:
    old = dataclasses.replace(model, reduced=None)
    with pytest.raises(ModelError, match="no mode for judging by shape alone"):
        evaluate(old, category, resamples=0, reduced=True)
