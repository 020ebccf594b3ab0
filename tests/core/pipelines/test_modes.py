"""Which mode a training would judge in, by the settings and what the scans have."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from core.pipelines.config import Config, setting
from core.pipelines.modes import ModeUse, mode_use


@dataclass(frozen=True)
class Moded(Config):
    mode: str = setting("auto", "What is looked at", choices=("auto", "2d+3d", "3d", "2d"))


@dataclass(frozen=True)
class Plain(Config):
    steps: int = setting(1, "How many")


@pytest.mark.parametrize(
    ("mode", "images", "expected"),
    [
        ("auto", True, ModeUse("2d+3d", True, True)),
        ("auto", False, ModeUse("3d", True, True)),
        ("3d", True, ModeUse("3d", False, True)),
        ("2d", False, ModeUse("2d", False, False)),
        ("2d+3d", False, ModeUse("2d+3d", False, False)),
    ],
)
def test_the_mode(mode: str, images: bool, expected: ModeUse) -> None:
    assert mode_use(Moded, {"mode": mode}, images=images) == expected


def test_methods_without_modes_have_none() -> None:
    assert mode_use(Plain, {}, images=True) is None


@dataclass(frozen=True)
class Drawing(Moded):
    pictures: str = setting("auto", "What the image is", choices=("photographs", "auto"))


@pytest.mark.parametrize(
    ("values", "images", "organised", "expected"),
    [
        ({}, False, False, ModeUse("2d+3d", True, True, drawn=True)),
        ({"mode": "2d"}, False, False, ModeUse("2d", False, True, drawn=True)),
        ({"mode": "3d"}, False, False, ModeUse("3d", False, True)),
        ({}, True, True, ModeUse("2d+3d", True, True)),
        ({}, False, True, ModeUse("3d", True, True)),  # depth images alone have a grid, and are not drawn
        ({"pictures": "photographs"}, False, False, ModeUse("3d", True, True)),
    ],
)
def test_images_of_clouds_are_drawn_where_the_settings_say_so(
    values: dict[str, str], images: bool, organised: bool, expected: ModeUse
) -> None:
    assert mode_use(Drawing, values, images=images, organised=organised) == expected
