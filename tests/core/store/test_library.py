"""The library: an index of folders, and the model files that lie in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import CategoryError, ModelError
from core.store.library import Library, slug
from core.store.model_file import StoredModel, save_model
from tests.core.store.test_model_file import CARD


def put(library: Library, name: str, category: str = "bracket", created: str = "2026-01-01") -> Path:
    path = library.model_path(category, name)
    card = replace(CARD, name=name, category=category, created=created)
    save_model(path, StoredModel(card, {}, {}, np.zeros((1, 3), np.float32)))
    return path


def test_starts_empty(tmp_path: Path) -> None:
    library = Library(tmp_path / "not there yet")
    assert library.categories() == ()
    assert library.models() == ()


def test_categories_are_kept_and_replaced_by_name(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.add_category(tmp_path / "a", "mm", "Zahnrad")
    library.add_category(tmp_path / "b", "m", "arm")
    library.add_category(tmp_path / "c", "mm", "arm")
    assert [(c.name, c.folder.name, c.unit) for c in Library(tmp_path).categories()] == [
        ("arm", "c", "mm"),
        ("Zahnrad", "a", "mm"),
    ]
    library.remove_category("arm")
    assert [c.name for c in library.categories()] == ["Zahnrad"]


def test_a_damaged_index_is_said(tmp_path: Path) -> None:
    (tmp_path / "library.json").write_text("{")
    with pytest.raises(CategoryError, match="damaged"):
        Library(tmp_path).categories()


def test_models_newest_first_and_by_category(tmp_path: Path) -> None:
    library = Library(tmp_path)
    put(library, "old", created="2026-01-01")
    put(library, "new", created="2026-02-01")
    put(library, "else", category="gear")
    assert [e.card.name for e in library.models("bracket") if e.card] == ["new", "old"]
    assert len(library.models()) == 3


def test_a_damaged_model_is_listed_with_its_problem(tmp_path: Path) -> None:
    library = Library(tmp_path)
    put(library, "x").write_bytes(b"no")
    (entry,) = library.models()
    assert entry.card is None
    assert "damaged" in str(entry.problem)


def test_names_never_collide_and_delete_can_be_undone(tmp_path: Path) -> None:
    library = Library(tmp_path)
    first, second = put(library, "same"), put(library, "same")
    assert first != second
    before = first.read_bytes()
    trashed = library.delete_model(first)
    assert [e.path for e in library.models()] == [second]
    library.restore_model(trashed, first)
    assert first.read_bytes() == before
    library.delete_model(first)
    with pytest.raises(ModelError, match="no model file"):
        library.delete_model(first)


@pytest.mark.parametrize("name", ["../../etc", "a/b\\c:d", "   ", "Größe 5%", "."])
def test_slugs_are_single_safe_names(name: str) -> None:
    made = slug(name)
    assert made
    assert not set(made) & set('/\\:*?"<>| ')
    assert made not in {".", ".."}
