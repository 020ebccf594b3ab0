"""What pipelines store comes back as it was, and a damaged state is an error that a user understands."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import ModelError, WeightsError
from core.pipelines.part_score import top_mean
from core.pipelines.state import below, joined, packed, packed_weights, reading, text, verify_weights


def test_groups_come_back_by_their_own_names() -> None:
    a, b = {"x": np.arange(3), "deep/y": np.ones(2)}, {"x": np.zeros(1)}
    state = joined({"a": a, "ab": b, "none": {}})
    assert set(state) == {"a/x", "a/deep/y", "ab/x"}
    assert below(state, "a").keys() == a.keys()
    assert below(state, "a")["deep/y"] is a["deep/y"]
    assert below(state, "ab").keys() == b.keys()
    assert below(state, "a/deep").keys() == {"y"}
    assert below(state, "none") == {}


@pytest.mark.parametrize("words", ["", "point_mae-nominal", "größer ü 0.1 µm"])
def test_texts_come_back(words: str) -> None:
    assert text(packed(words)) == words


def test_weights_that_are_not_here_are_named() -> None:
    with pytest.raises(WeightsError, match="no-such-set"):
        verify_weights(packed_weights({"no-such-set": "00"}))
    verify_weights({"other": np.zeros(1)})


@pytest.mark.parametrize("error", [KeyError("shape"), ValueError("rows"), RuntimeError("size"), TypeError("kind")])
def test_a_damaged_state_is_a_model_error(error: Exception) -> None:
    with pytest.raises(ModelError, match="incomplete") as caught, reading():
        raise error
    assert caught.value.__cause__ is error


def test_top_mean_takes_the_highest_judged() -> None:
    values = np.array([1, np.nan, 7, 3, 5, np.nan], np.float32)
    assert top_mean(values, 0.0) == 7
    assert top_mean(values, 0.5) == 6
    assert top_mean(values, 1.0) == 4
