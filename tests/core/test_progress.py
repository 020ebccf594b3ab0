"""Progress: parts map onto the whole, and cancelling stops at the next step."""

from __future__ import annotations

import pytest

from core.progress import CallbackProgress, Cancelled, Progress


def test_parts_nest() -> None:
    seen: list[tuple[float, str]] = []
    whole = CallbackProgress(lambda fraction, what: seen.append((fraction, what)))
    part = whole.part(0.5, 1.0, "B").part(0.0, 0.5, "inner")
    part.update(0.5, "x")
    part.update(1.0)
    assert seen == [(0.625, "B: inner: x"), (0.75, "B: inner")]


def test_over_counts_and_ends_at_one() -> None:
    seen: list[tuple[float, str]] = []
    whole = CallbackProgress(lambda fraction, what: seen.append((fraction, what)))
    assert list(whole.over("abcd", "{i} of {n}")) == list("abcd")
    assert [fraction for fraction, _ in seen] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert seen[1][1] == "2 of 4"
    assert list(whole.over([])) == []


def test_cancelling_the_whole_stops_its_parts_and_the_other_way() -> None:
    whole = Progress()
    part = whole.part(0.0, 0.5)
    part.update(0.1)
    part.cancel()
    assert whole.cancelled
    for stopped in (lambda: part.update(0.2), lambda: part.metric("loss", 0, 1.0), whole.check):
        with pytest.raises(Cancelled):
            stopped()


def test_metrics_come_through() -> None:
    curve: list[tuple[str, float, float]] = []
    whole = CallbackProgress(lambda *_: None, lambda *row: curve.append(row))
    whole.part(0.2, 0.4).metric("loss", 3, 0.5)
    assert curve == [("loss", 3, 0.5)]
