"""Evaluating a model on made parts: what it finds, what it says when it cannot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from core.datasets.category import Category, recognise
from core.errors import CategoryError, ScanError
from core.evaluation.evaluation import evaluate
from core.evaluation.metrics import aupro
from core.evaluation.regions import cloud_regions
from core.evaluation.reports.record import part_record
from core.evaluation.results import Evaluation
from core.inspection.acquisition import UsualAcquisition
from core.inspection.calibration import calibrate
from core.inspection.thresholds import Thresholds
from core.inspection.verdict import Verdict
from core.pipelines.base import Pipeline
from core.pipelines.config import Config
from core.progress import Cancelled, Progress
from core.runtime import Runtime
from core.scan import Scan
from core.scores import Scores
from core.store.model_file import ModelCard
from core.workflow import Model


class Height(Pipeline):
    """Scores a point by its height, a part by its highest point; does not judge what lies at x < 0."""

    id, title, paper, summary = "height", "Height", "", ""
    Config = Config
    broken: Exception | None = None

    def fit(self, scans: Any, progress: Progress) -> None: ...

    def score(self, scan: Scan, progress: Progress) -> Scores:
        if self.broken is not None and "broken" in scan.name:
            raise self.broken
        points = np.where(scan.points[:, 0] < 0, np.nan, scan.points[:, 2]).astype(np.float32)
        return Scores(points, float(np.nanmax(points)))

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: Any) -> None: ...


def model_of(category: Category, **changes: Any) -> Model:
    card = ModelCard("height model", "height", "fast", {}, category.name, "mm", 3, "", "0", **changes)
    good = [Scores(np.linspace(0, 1, 50, dtype=np.float32), v) for v in np.linspace(0.8, 1.2, 20)]
    return Model(card, Height(Config(), Runtime(torch.device("cpu"))), calibrate(good), np.zeros((4, 3), np.float32))


def plate(seed: int, bump: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A 24 x 24 plate with noise and a bump of that height; points and labels. The first row lies at x = -1."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(-1.0, 23.0), np.arange(24.0), indexing="ij")
    inside = np.hypot(x - 12, y - 9) < 3.5
    z = rng.uniform(0, 1, x.shape) + (bump * inside if bump else 0)
    return np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float32), (inside & (bump > 0)).ravel()


def write(path: Path, seed: int, bump: float = 0.0, labels: bool = True, unit: float = 1.0) -> None:
    points, truth = plate(seed, bump)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, points=points * np.float32(unit), **({"labels": truth} if labels else {}))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "plate"
    for i in range(4):
        write(folder / "train/good" / f"{i}.npz", i, labels=False)
    for i in range(3):
        write(folder / "test/good" / f"{i}.npz", 10 + i, labels=False)
        write(folder / "test/bump" / f"{i}.npz", 20 + i, 2.0)
    write(folder / "test/dimple/0.npz", 30, 0.05)
    return folder


def arrays(category: Category) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels of all judged test points."""
    scans = [category.load(entry) for entry in category.split("test")]
    judged = [scan.points[:, 0] >= 0 for scan in scans]
    scores = np.concatenate([scan.points[keep, 2] for scan, keep in zip(scans, judged, strict=True)])
    labels = np.concatenate([scan.labels[keep] for scan, keep in zip(scans, judged, strict=True)])
    return scores, labels


def test_parts_metrics_and_verdicts(root: Path) -> None:
    category = recognise(root)
    found = evaluate(model_of(category), category)
    assert [part.key for part in found.parts] == [entry.key for entry in category.split("test")]
    assert {part.kind: part.defective for part in found.parts} == {"bump": True, "dimple": True, "good": False}
    scores, labels = arrays(category)
    assert found.metrics["p_auroc"].value == pytest.approx(roc_auc_score(labels, scores))
    assert found.metrics["p_aupr"].value == pytest.approx(average_precision_score(labels, scores))
    parts = np.array([part.score for part in found.parts])
    assert found.metrics["o_auroc"].value == pytest.approx(roc_auc_score([p.defective for p in found.parts], parts))
    assert 0 < found.metrics["aupro_1"].value < found.metrics["aupro_30"].value < 1
    for measure in found.metrics.values():
        assert measure.error == 0.0
        assert measure.low - 1e-9 <= measure.value <= measure.high + 1e-9
    confusion = found.confusion()
    assert confusion.defective[Verdict.REJECT] == 3  # the bumps; the dimple is lost in the noise
    assert confusion.misses.of == 4
    assert found.misses()[0].key == "dimple/0"
    assert found.confusion(Thresholds(0.0, -1.0)).good[Verdict.REJECT] == 3
    assert {part.verdict for part in found.parts if part.defect == "bump"} == {Verdict.REJECT}
    assert all(part.labelled and part.points == 576 and not part.error for part in found.parts)


def test_each_kind_of_defect_is_held_against_all_good_parts(root: Path) -> None:
    category = recognise(root)
    found = evaluate(model_of(category), category)
    bump, dimple = found.by_defect
    assert (bump.defect, bump.parts, dimple.defect, dimple.parts) == ("bump", 3, "dimple", 1)
    assert bump.metrics["o_auroc"].value == 1.0
    assert bump.metrics["p_auroc"].value > dimple.metrics["p_auroc"].value
    assert np.isnan(dimple.metrics["o_auroc"].low)  # of one part nothing can be drawn
    assert bump.verdicts[Verdict.REJECT] == 3


def test_the_same_again(root: Path) -> None:
    category = recognise(root)
    one, other, third = (evaluate(model_of(category), category, resamples=50, seed=seed) for seed in (0, 0, 1))
    for name, measure in one.metrics.items():
        assert measure == other.metrics[name]
    assert one.metrics != third.metrics


def test_overlap_is_over_regions_of_the_cloud(root: Path) -> None:
    category = recognise(root)
    found = evaluate(model_of(category), category, limits=(0.1,))
    entries = category.split("test")
    scans = [category.load(entry) for entry in entries]
    regions = [cloud_regions(scan.points, scan.labels) for scan in scans]
    assert [int(r.max()) for r in regions] == [0 if entry.defect else -1 for entry in entries]
    assert "aupro_30" not in found.metrics
    assert 0 < found.metrics["aupro_10"].value < 1
    assert found.published is not None
    assert found.published.aupro == {}  # no grid, no published overlap


def test_what_fails_is_told_and_left_out(root: Path) -> None:
    write(root / "test/bump/broken.npz", 40, 2.0)
    category = recognise(root)
    model = model_of(category)
    for error in (ScanError("It is bent", "Straighten it"), ZeroDivisionError("a bug")):
        model.pipeline.broken = error
        found = evaluate(model, category, resamples=0)
        (failed,) = found.failures
        assert failed.key == "bump/broken"
        assert str(error) in failed.error
        assert len(found.judged) == 7
        assert any("1 scan of 8 could not be judged" in note for note in found.notes)
    broken = root / "test/bump/1.npz"
    broken.write_bytes(broken.read_bytes()[:-400])
    model.pipeline.broken = None
    assert len(evaluate(model, category, resamples=0).failures) == 1


def test_when_nothing_can_be_judged(root: Path) -> None:
    category = recognise(root)
    model = model_of(category)
    model.pipeline.score = lambda scan, progress: (_ for _ in ()).throw(ScanError("It is bent", "Straighten it"))
    with pytest.raises(CategoryError, match=r"None of the 7 scans.*It is bent"):
        evaluate(model, category)


@pytest.mark.parametrize(
    ("gone", "says"), [("good", "are defective"), ("bump dimple", "are good"), ("good bump dimple", "no test scans")]
)
def test_both_kinds_of_parts_are_needed(root: Path, gone: str, says: str) -> None:
    for kind in gone.split():
        for path in (root / "test" / kind).iterdir():
            path.unlink()
    category = recognise(root)
    with pytest.raises(CategoryError, match=says):
        evaluate(model_of(category), category)


def test_good_parts_alone_are_measured_where_that_is_wanted(root: Path) -> None:
    for kind in ("bump", "dimple"):
        for path in (root / "test" / kind).iterdir():
            path.unlink()
    category = recognise(root)
    seen: list[str] = []
    found = evaluate(
        model_of(category),
        category,
        good_only=True,
        watch=lambda part, scan, scores: seen.append(f"{part.key} {len(scan)}"),
    )
    assert found.metrics == {}
    assert found.curves == {}
    assert found.published is None
    assert any("only false rejects" in note for note in found.notes)
    assert found.at(Thresholds(0.0, -1.0)).confusion().false_rejects.count == 3
    assert seen == ["good/0 576", "good/1 576", "good/2 576"]


def test_other_thresholds_change_verdicts_alone(root: Path) -> None:
    category = recognise(root)
    found = evaluate(model_of(category), category, resamples=20)
    other = found.at(Thresholds(0.0, 1e9))
    assert {part.verdict for part in other.parts} == {Verdict.ACCEPT}
    assert other.by_defect[0].verdicts[Verdict.ACCEPT] == 3
    assert other.metrics == found.metrics
    assert [part.score for part in other.parts] == [part.score for part in found.parts]
    assert found.at(found.thresholds).by_defect == found.by_defect


def test_units_must_agree(root: Path) -> None:
    category = recognise(root, unit="inch")
    with pytest.raises(CategoryError, match=r"inch.*mm"):
        evaluate(model_of(category), category)


def test_without_ground_truth_of_points_parts_are_measured(root: Path) -> None:
    for path in [*(root / "test/bump").iterdir(), *(root / "test/dimple").iterdir()]:
        write(path, 20, 2.0, labels=False)
    category = recognise(root)
    found = evaluate(model_of(category), category)
    assert found.metrics["o_auroc"].value == 1.0
    assert "p_auroc" not in found.metrics
    assert found.published is None
    assert any("not known which points" in note for note in found.notes)
    assert any("keep all good and all defective parts apart" in note for note in found.notes)


def test_a_model_of_other_parts_is_noted(root: Path) -> None:
    category = recognise(root)
    found = evaluate(model_of(recognise(root, name="bolt")), category)
    assert any("trained on bolt" in note for note in found.notes)


def test_scans_that_were_measured_otherwise_are_counted(root: Path) -> None:
    category = recognise(root)
    model = model_of(category)
    usual = UsualAcquisition.of([category.load(entry) for entry in category.good_train()])
    assert usual is not None
    write(root / "test/good/9.npz", 40, labels=False, unit=2.0)
    category = recognise(root)
    known = replace(model, card=replace(model.card, acquisition=usual.to_mapping()))
    found = evaluate(known, category)
    (note,) = (note for note in found.notes if "reservations" in note)
    assert note.startswith("Judged with reservations: 1 scan of 8. Of good/9: Measured otherwise")
    assert [part.key for part in found.parts if part.notes] == ["good/9"]
    assert part_record(found.parts[0])["notes"] == list(found.parts[0].notes)
    assert not any("reservations" in note for note in evaluate(model, category).notes)


def test_stopping(root: Path) -> None:
    category = recognise(root)

    class Stopping(Progress):
        def report(self, fraction: float, what: str) -> None:
            if fraction > 0.3:
                self.cancel()

    with pytest.raises(Cancelled):
        evaluate(model_of(category), category, progress=Stopping())


@pytest.fixture
def organised(tmp_path: Path) -> Path:
    """The layout of MVTec 3D-AD: maps of 24 x 24 pixels with masks; a corner has no measurement, defective or not."""
    import tifffile

    folder = tmp_path / "plate"
    for split, kind, seed, bump in (
        [("train", "good", i, 0.0) for i in range(3)]
        + [("test", "good", 10 + i, 0.0) for i in range(2)]
        + [("test", "bump", 20 + i, 2.0) for i in range(2)]
    ):
        points, truth = plate(seed, bump)
        points[:, 0] += 5.0  # everything is judged
        xyz, mask = points.reshape(24, 24, 3), truth.reshape(24, 24).copy()
        xyz[:4, :4] = 0.0
        mask[:2, 0] = bump > 0
        place = folder / split / kind
        for name in ("xyz", "gt") if split == "test" else ("xyz",):
            (place / name).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(place / "xyz" / f"{seed:03}.tiff", xyz.astype(np.float32), photometric="rgb")
        if split == "test":
            Image.fromarray((mask * 255).astype(np.uint8)).save(place / "gt" / f"{seed:03}.png")
    return folder


def test_organised_scans_are_also_measured_as_published(organised: Path) -> None:
    category = recognise(organised)
    assert category.layout == "mvtec3d"
    found = evaluate(model_of(category), category)
    maps, truths = [], []
    for entry in category.split("test"):
        scan = category.load(entry)
        maps.append(scan.in_file_order(scan.points[:, 2]))
        truths.append(np.asarray(Image.open(entry.ground_truth)) > 0)
    assert found.published is not None
    for ranks in (99, 100):
        for limit in (0.3, 0.1, 0.05, 0.01):
            expected = aupro(maps, truths, limit, thresholds=ranks)
            assert found.published.aupro[ranks, limit] == pytest.approx(expected, abs=1e-9)
    flat, truth = np.nan_to_num(np.stack(maps), nan=-1.0).ravel(), np.stack(truths).ravel()
    assert found.published.p_auroc == pytest.approx(roc_auc_score(truth, flat))
    assert found.metrics["p_auroc"].value > found.published.p_auroc  # what was not measured is no miss of the method
    assert found.metrics["aupro_30"].value > found.published.aupro[100, 0.3]


def test_evaluations_are_plain(root: Path) -> None:
    category = recognise(root)
    found = evaluate(model_of(category), category)
    assert isinstance(found, Evaluation)
    assert (found.category, found.split, found.unit, found.source) == ("plate", "test", "mm", root)
    assert set(found.curves) == {"p_roc", "p_pr", "overlap"}
