"""Models held against each other on validation parts, and several trained in one go."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core import several, workflow
from core.datasets.category import Category, recognise
from core.errors import ScanError
from core.evaluation.validation import validate, validated, validated_alike
from core.formats import reader
from core.pipelines import registry
from core.pipelines.base import Pipeline
from core.pipelines.config import Config, setting
from core.progress import Cancelled, Progress
from core.runtime import Runtime
from core.scan import Scan
from core.scores import Scores
from core.several import Choice, train_several
from core.store.model_file import read_card
from core.store.validation_score import LABELLED, MADE, ValidationScore, best_of, comparable
from core.synthesis.made_parts import HEIGHTS, KINDS, made_defective

RUNTIME = Runtime.choose("cpu")
FITTED: list[list[str]] = []


@dataclass(frozen=True)
class HeightConfig(Config):
    blind: bool = setting(False, "Whether it sees nothing")
    broken: bool = setting(False, "Whether it cannot be fitted")

    PRESETS = {"paper": {}, "fast": {}}  # noqa: RUF012


class HeightPipeline(Pipeline):
    """Scores a point by its height over the plane; the blind one by its place along x, which says nothing."""

    id, title, paper, summary = "height", "Height", "a test", "Height."
    min_scans = 1
    Config = HeightConfig

    def fit(self, scans: Sequence[Scan], progress: Progress) -> None:
        progress.metric("loss", 0, 1.0)
        progress.update(0.5, "fitting")
        FITTED.append([scan.name for scan in scans])
        if self.config.broken:
            raise ScanError("It is bent", "Straighten it")

    def score(self, scan: Scan, progress: Progress) -> Scores:
        points = np.abs(scan.points[:, 0 if self.config.blind else 2])
        return Scores(points, float(np.sort(points)[-20:].mean()), {})

    def state(self) -> dict[str, NDArray[Any]]:
        return {"nothing": np.zeros(1)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        pass


@pytest.fixture(autouse=True)
def height(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_PIPELINES", {"height": "nowhere:HeightPipeline"})
    for module in (registry, workflow):
        monkeypatch.setattr(module, "pipeline_class", lambda _: HeightPipeline)
    FITTED.clear()


def plate(seed: int, bump: float = 0.0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(60.0), np.arange(60.0))
    z = rng.normal(0, 0.02, x.shape) + bump * np.exp(-((x - 30) ** 2 + (y - 20) ** 2) / 8)
    return np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float32)


def write(root: Path, place: str, count: int, bump: float = 0.0) -> None:
    folder = root / place
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        np.savez(folder / f"{i}.npz", points=plate(zlib.crc32(place.encode()) % 1000 + i, bump))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "plate", "train/good", 8)
    write(tmp_path / "plate", "test/good", 2)
    write(tmp_path / "plate", "test/bump", 2, 5.0)
    return tmp_path / "plate"


def model(category: Category, **settings: Any) -> workflow.Model:
    return workflow.train(category, "height", HeightConfig(**settings), runtime=RUNTIME, progress=Progress())


# -- made defects


@pytest.mark.parametrize("kind", KINDS)
def test_a_made_defect_moves_what_it_labels_by_what_it_says(kind: str) -> None:
    scan = Scan(plate(1), name="p")
    part = scan.points[:, 0] < 40
    made = made_defective(scan, part, kind, HEIGHTS[1], seed=3)
    assert made is not None
    assert made.labels is not None
    moved = np.linalg.norm(made.points - scan.points, axis=1)
    diagonal = np.linalg.norm(np.ptp(scan.points[part], axis=0))
    assert moved.max() == pytest.approx(HEIGHTS[1] * diagonal, rel=0.2)
    assert np.array_equal(made.labels, moved > 0.1 * HEIGHTS[1] * diagonal)
    assert not made.labels[~part].any()
    assert made.labels.sum() >= 20
    again = made_defective(scan, part, kind, HEIGHTS[1], seed=3)
    assert again is not None
    assert np.array_equal(again.points, made.points)
    other = made_defective(scan, part, kind, HEIGHTS[1], seed=4)
    assert other is not None
    assert not np.array_equal(other.labels, made.labels)


def test_dents_go_in_and_bulges_come_out_of_what_the_sensor_sees() -> None:
    grid = np.arange(3600, dtype=np.int32).reshape(60, 60)
    points = plate(1) * np.float32([1, -1, 1])  # rows run down: the eye is at positive z
    scan = Scan(points, grid=grid, name="p")
    everything = np.ones(len(scan), bool)
    for kind, sign in (("dent", -1), ("hole", -1), ("scratch", -1), ("bulge", 1)):
        made = made_defective(scan, everything, kind, HEIGHTS[2])
        assert made is not None
        rise = (made.points - scan.points)[made.labels, 2]
        assert (sign * rise > 0).all(), kind


def test_no_defect_where_there_are_no_points() -> None:
    scan = Scan(plate(1)[::300], name="p")
    assert made_defective(scan, np.ones(len(scan), bool), "dent", 0.01) is None
    assert made_defective(scan, np.zeros(len(scan), bool), "dent", 0.01) is None
    with pytest.raises(ValueError, match="crack"):
        made_defective(Scan(plate(1), name="p"), np.ones(3600, bool), "crack", 0.01)


# -- the score


def test_labelled_validation_parts_come_first(root: Path) -> None:
    write(root, "validation/good", 4)
    write(root, "validation/bump", 3, 2.0)
    category = recognise(root)
    seeing, blind = (validate(model(category, blind=b), category, Progress()) for b in (False, True))
    assert seeing is not None
    assert blind is not None
    assert (seeing.value, seeing.good, seeing.defective, seeing.basis) == (1.0, 4, 3, LABELLED)
    assert blind.value < 1.0
    assert seeing.parts == blind.parts
    assert math.isnan(seeing.points), "these defects are not labelled point by point"
    assert ValidationScore.from_mapping(seeing.to_mapping()) == seeing


def test_else_made_defects_on_good_validation_scans(root: Path) -> None:
    write(root, "validation/good", 4)
    category = recognise(root)
    one = model(category)
    FITTED.clear()
    seeing, blind = (validate(m, category, Progress()) for m in (one, model(category, blind=True)))
    assert seeing is not None
    assert blind is not None
    assert (seeing.good, seeing.defective, seeing.basis) == (4, 12, MADE)
    assert seeing.value > 0.9 > blind.value
    assert seeing.low <= seeing.value <= seeing.high
    assert seeing.points > 0.5 > 0.1 > blind.points, "the blind one's points are ranked by their place"
    assert validate(one, category, Progress()) == seeing, "the same again"


def test_else_training_scans_that_another_fit_has_not_seen(root: Path) -> None:
    category = recognise(root)
    one = model(category)
    FITTED.clear()
    score = validate(one, category, Progress())
    assert score is not None
    assert (score.good, score.defective, score.basis) == (2, 12, MADE)
    assert FITTED == [["0", "1", "2", "4", "5", "6"]] or [len(names) for names in FITTED] == [6]
    few = replace(category, entries=category.good_train()[:3])
    assert validate(one, few, Progress()) is None


def test_what_is_best() -> None:
    def score(value: float, parts: str = "a") -> ValidationScore:
        return ValidationScore(value, 0.0, 1.0, 4, 8, MADE, parts)

    assert best_of([]) == ()
    assert best_of([None, score(1.0)]) == (), "none is best of itself"
    assert best_of([score(0.8), None, score(0.9)]) == (2,)
    assert best_of([score(0.9), score(0.9), score(0.2)]) == (0, 1)
    assert best_of([score(0.8), score(0.7), score(1.0, "other parts")]) == (0,)
    assert ValidationScore.from_mapping({}) is None
    assert ValidationScore.from_mapping(score(float("nan")).to_mapping()) is not None


def test_all_are_comparable_only_on_the_same_parts() -> None:
    def score(points: float, parts: str = "a") -> ValidationScore:
        return ValidationScore(0.9, 0.0, 1.0, 4, 8, MADE, parts, points)

    assert comparable([score(0.5), score(0.1)])
    assert not comparable([])
    assert not comparable([score(0.5), None])
    assert not comparable([score(0.5), score(0.5, "b")])
    assert not comparable([score(0.5), score(math.nan)])
    before = {name: value for name, value in score(0.5).to_mapping().items() if name != "points"}
    old = ValidationScore.from_mapping(before)
    assert old is not None, "cards of before points were measured are still read"
    assert not comparable([old])


def test_only_models_that_were_not_measured_alike_are_measured(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, "validation/good", 4)
    category = recognise(root)
    scored: list[bool] = []
    score = HeightPipeline.score

    def counted(self: HeightPipeline, scan: Scan, progress: Progress) -> Scores:
        scored.append(self.config.blind)
        return score(self, scan, progress)

    seeing, blind = model(category), model(category, blind=True)
    seeing = validated(seeing, category, Progress())
    monkeypatch.setattr(HeightPipeline, "score", counted)
    alike = validated_alike([seeing, blind], category, Progress())
    assert alike[0] is seeing
    assert scored == [True] * 16, "four good scans and twelve made defects"
    scores = [ValidationScore.from_mapping(one.card.validation) for one in alike]
    assert comparable(scores)
    assert validated_alike(alike, category, Progress()) == alike
    write(root, "validation/good", 5)  # another scan: what was measured before is of other parts
    scored.clear()
    again = validated_alike([seeing, blind], recognise(root), Progress())
    assert comparable([ValidationScore.from_mapping(one.card.validation) for one in again])
    assert set(scored) == {True, False}


def test_what_was_measured_before_a_stop_is_kept(root: Path) -> None:
    write(root, "validation/good", 4)
    category = recognise(root)
    models = [model(category), model(category, blind=True)]
    kept: list[int] = []

    class Stopped(Progress):
        @property
        def cancelled(self) -> bool:
            return bool(kept)

    with pytest.raises(Cancelled):
        validated_alike(models, category, Stopped(), lambda i, _: kept.append(i))
    assert kept == [0]


# -- several in one go


def choice(**settings: Any) -> Choice:
    return Choice("height", HeightConfig(**settings), "fast")


def test_scans_are_read_once_and_one_failure_stops_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    category = recognise(root)
    read: list[Path] = []
    monkeypatch.setattr(
        "core.datasets.category.read_scan", lambda path, **k: (read.append(path), reader.read_scan(path, **k))[1]
    )

    def keep(one: Choice, made: workflow.Model) -> Path:
        path = tmp_path / f"{one.config.blind}.nominal"
        workflow.save(made, path)
        return path

    wanted = [choice(), choice(broken=True), choice(blind=True)]
    made = train_several(category, wanted, keep, runtime=RUNTIME, progress=Progress())
    assert len(read) == len(set(read)) == 8
    assert [outcome.error is None for outcome in made] == [True, False, True]
    assert "It is bent" in str(made[1].error)
    assert made[0].path is not None
    assert made[0].validation is not None
    kept = ValidationScore.from_mapping(read_card(made[0].path).validation)
    assert kept == made[0].validation
    assert best_of([outcome.validation for outcome in made]) == (0,)
    assert workflow.load(made[0].path, RUNTIME).card.validation["basis"] == MADE


def test_cancelling_leaves_the_finished_ones(root: Path) -> None:
    kept: list[str] = []
    progress = Progress()

    def keep(one: Choice, made: workflow.Model) -> Path:
        kept.append(made.card.name)
        progress.cancel()
        return Path("x")

    with pytest.raises(Cancelled):
        train_several(recognise(root), [choice(), choice()], keep, runtime=RUNTIME, progress=progress)
    assert kept == ["plate Height fast"]


def test_a_fault_of_the_program_is_told_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "measured", lambda *_: 1 / 0)
    made = train_several(recognise(root), [choice()], lambda *_: Path("x"), runtime=RUNTIME, progress=Progress())
    assert isinstance(made[0].error, ZeroDivisionError)
    unmeasured = train_several(
        recognise(root), [choice()], lambda *_: Path("x"), runtime=RUNTIME, validated=False, progress=Progress()
    )
    assert unmeasured[0].error is None
    assert unmeasured[0].validation is None


def test_the_good_part_that_sets_the_threshold_is_named_with_its_split(root: Path) -> None:
    """Splits number their scans alike."""
    write(root, "validation/good", 2)
    np.savez(root / "validation" / "good" / "1.npz", points=plate(77, 3.0))
    doubt = model(recognise(root)).calibration.outstanding
    assert doubt is not None
    assert doubt.name == "good/1 (validation)"
