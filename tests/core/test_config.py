"""Configs: what fields declare is what is checked, parsed and said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pytest

from core.errors import ConfigError
from core.pipelines.config import Config, setting


@dataclass(frozen=True)
class Made(Config):
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {}, "fast": {"count": 10}}
    count: int = setting(100, "How many.", low=1, high=1000, paper=100)
    share: float = setting(0.5, "Which share.", low=0, high=1)
    kind: Literal["soft", "hard"] = setting("soft", "Which way.", choices=("soft", "hard"))
    on: bool = setting(True, "Whether.")


def test_presets_differ_only_where_they_say() -> None:
    assert Made.preset("fast").to_mapping() == {**Made().to_mapping(), "count": 10}
    assert Made.preset("fast", share=1).share == 1.0


def test_round_trip() -> None:
    made = Made(count=3, share=0.25, kind="hard", on=False)
    assert Made.from_mapping(made.to_mapping()) == made


def test_parsing_texts() -> None:
    made = Made.parse("fast", {"share": "0.75", "kind": "hard", "on": "no", "count": "7"})
    assert made == Made(count=7, share=0.75, kind="hard", on=False)


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ({"count": "0"}, "from 1 to 1000"),
        ({"count": "many"}, "whole number"),
        ({"share": "nan"}, "0 to 1"),
        ({"kind": "loud"}, "soft, hard"),
        ({"on": "perhaps"}, "yes or no"),
        ({"colour": "red"}, "count, share, kind, on"),
    ],
)
def test_wrong_values_say_what_is_allowed(texts: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Made.parse("paper", texts)


def test_unknown_preset_names_the_known() -> None:
    with pytest.raises(ConfigError, match="paper, fast"):
        Made.preset("slow")


def test_a_bool_is_no_number() -> None:
    with pytest.raises(ConfigError):
        Made(count=True)
