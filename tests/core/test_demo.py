"""The first start: the demo's scans and a model that is ready, made or shipped, without the user's help."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from core import workflow
from core.demo import FIRST_CATEGORY, ensure_demo
from core.inspection.verdict import Verdict
from core.progress import CallbackProgress, Progress
from core.runtime import Runtime
from core.store.library import Library
from core.store.model_file import load_model, read_card, save_model


def test_the_first_start_finds_a_defect(tmp_path: Path) -> None:
    library, runtime = Library(tmp_path), Runtime.choose("cpu")
    seen: list[float] = []
    category, path = ensure_demo(library, runtime, CallbackProgress(lambda fraction, _: seen.append(fraction)))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert [c.name for c in library.categories()] == [FIRST_CATEGORY]
    assert category.labelled

    model = workflow.load(path, runtime)
    assert str(tmp_path) not in model.card.source  # what ships names no folder of the machine that made it
    entry = next(e for e in category.split("test") if e.defect == "hole")
    scan = category.load(entry)
    inspection = workflow.inspect(model, scan, Progress())
    assert inspection.verdict is Verdict.REJECT
    assert scan.labels is not None
    assert inspection.defects.defects
    worst = np.linalg.norm(scan.points[scan.labels] - inspection.defects.defects[0].position, axis=1).min()
    assert worst < 5.0  # mm: the first defect of the list is the hole

    again = ensure_demo(library, runtime, Progress())
    assert again[1] == path


def dated(path: Path, target: Path, created: str) -> None:
    """A copy of a model that says it was made at another time."""
    stored = load_model(path)
    save_model(target, replace(stored, card=replace(stored.card, created=created)))


def test_a_newer_model_that_ships_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    library, runtime = Library(tmp_path), Runtime.choose("cpu")
    _, shipped = ensure_demo(library, runtime, Progress())
    older = library.model_path(FIRST_CATEGORY, "from before an update")
    dated(shipped, older, "2020-01-01T00:00:00+00:00")
    for entry in library.models(FIRST_CATEGORY):
        if entry.path != older:
            entry.path.unlink()
    _, path = ensure_demo(library, runtime, Progress())
    assert read_card(path).created == read_card(resource(shipped.name)).created
    assert older.is_file()


def test_a_newer_model_of_the_users_own_stays_the_first(tmp_path: Path) -> None:
    library, runtime = Library(tmp_path), Runtime.choose("cpu")
    _, shipped = ensure_demo(library, runtime, Progress())
    own = library.model_path(FIRST_CATEGORY, "my own")
    dated(shipped, own, "2999-01-01T00:00:00+00:00")
    count = len(library.models(FIRST_CATEGORY))
    assert ensure_demo(library, runtime, Progress())[1] == own
    assert len(library.models(FIRST_CATEGORY)) == count


def test_a_deleted_model_does_not_come_back_beside_another(tmp_path: Path) -> None:
    library, runtime = Library(tmp_path), Runtime.choose("cpu")
    _, shipped = ensure_demo(library, runtime, Progress())
    older = library.model_path(FIRST_CATEGORY, "kept by the user")
    dated(shipped, older, "2020-01-01T00:00:00+00:00")
    for entry in library.models(FIRST_CATEGORY):
        if entry.path != older:
            library.delete_model(entry.path)
    assert ensure_demo(library, runtime, Progress())[1] == older
    library.delete_model(older)
    assert ensure_demo(library, runtime, Progress())[1].name == shipped.name


def resource(name: str) -> Path:
    return Path(__file__).resolve().parents[2] / "resources" / "models" / name
