"""The model file: reads back equal, and anything else than a whole one is refused in words."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from core.errors import ModelError
from core.store.model_file import ModelCard, StoredModel, load_model, read_card, read_preview, save_model

CARD = ModelCard(
    name="Bügel, links",
    pipeline="deviation",
    preset="fast",
    config={"k": 3, "voxel": 0.5, "background": "auto", "smooth": True},
    category="bracket",
    unit="mm",
    scan_count=20,
    created="2026-11-22T08:00:00+00:00",
    program_version="0.1.0",
    weights={"point-mae": "ab" * 32},
    seed=7,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    state = {
        "a/b": rng.random((50, 3)).astype(np.float32),
        "scalar": np.array(3.5),
        "empty": np.zeros((0, 3), np.int64),
        "words": np.array(["plane", "größer"]),
    }
    stored = StoredModel(CARD, state, {"part": np.array([1.0, np.nan, np.inf])}, np.zeros((4, 3), np.float32))
    save_model(tmp_path / "made.nominal", stored)
    return tmp_path / "made.nominal"


def test_reads_back_equal(path: Path) -> None:
    stored = load_model(path)
    assert stored.card == CARD == read_card(path)
    assert set(stored.state) == {"a/b", "scalar", "empty", "words"}
    expected = np.random.default_rng(0).random((50, 3)).astype(np.float32)
    assert np.array_equal(stored.state["a/b"], expected)
    assert stored.state["a/b"].dtype == np.float32
    assert stored.state["scalar"].shape == ()
    assert stored.state["empty"].shape == (0, 3)
    assert stored.state["words"].tolist() == ["plane", "größer"]
    assert np.array_equal(stored.calibration["part"], [1.0, np.nan, np.inf], equal_nan=True)
    assert read_preview(path).shape == (4, 3)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model file"):
        load_model(tmp_path / "none.nominal")


def test_another_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "text.nominal").write_text("ply\nformat ascii 1.0\n")
    with pytest.raises(ModelError, match="no Nominal model"):
        load_model(tmp_path / "text.nominal")
    with h5py.File(tmp_path / "other.nominal", "w") as file:
        file["points"] = np.zeros(3)
    with pytest.raises(ModelError, match="no Nominal model"):
        read_card(tmp_path / "other.nominal")


def test_a_later_format_says_update(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["meta"].attrs["format_version"] = 99
    with pytest.raises(ModelError, match=r"later version.*Update"):
        load_model(path)


def test_one_changed_number_is_noticed(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["state/a/b"][3, 1] += 1e-3
    with pytest.raises(ModelError, match="damaged"):
        load_model(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated(path: Path, share: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelError, match="damaged"):
        load_model(path)


def test_any_flipped_byte_gives_the_same_model_or_a_model_error(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    for position in np.random.default_rng(1).integers(0, len(whole), 150):
        changed = bytearray(whole)
        changed[position] ^= 0xFF
        path.write_bytes(changed)
        try:
            stored = load_model(path)
        except ModelError:
            continue
        assert stored.card == CARD
        assert np.array_equal(stored.calibration["part"], [1.0, np.nan, np.inf], equal_nan=True)
