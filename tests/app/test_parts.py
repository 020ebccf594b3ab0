"""The small decisions of the window: colours, ranges, numbers, settings, forms."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from app.actions import ACTIONS, MENUS
from app.fields import color_range, field_of
from app.icons import icon
from app.panels.plots import PartStrip, PointHistogram, score_range
from app.panels.thresholds import points_of, slider_of
from app.quantities import NOTHING, decimals, duration, number
from app.session import ANOMALY
from app.settings import RECENT_AT_MOST, Settings, SettingsFile, from_mapping
from app.theme import DARK, LIGHT, Theme, palette, style_sheet
from app.verdicts import look, meaning
from core.inspection.verdict import Verdict
from core.scores import MapKind, ScoreMap


def contrast(one: str, other: str) -> float:
    """WCAG 2.1 contrast ratio of two ``#rrggbb`` colours."""

    def luminance(color: str) -> float:
        channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_banner_is_readable_and_says_more_than_a_colour(verdict: Verdict) -> None:
    shown = look(verdict)
    assert contrast(shown.ground, shown.ink) >= 4.5
    assert shown.word == verdict.value.upper()
    assert shown.icon
    assert "threshold" in meaning(verdict)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_themes_are_readable(theme: Theme) -> None:
    for ground in (theme.window, theme.base, theme.raised):
        assert contrast(theme.text, ground) >= 7
        for ink in (theme.muted, theme.review, theme.reject, theme.accept):
            assert contrast(ink, ground) >= 4.5, (ink, ground)
    assert contrast(theme.text, theme.selection) >= 4.5
    assert contrast(theme.on_accent, theme.accent) >= 4.5
    for line in (theme.scan_bars, theme.good_bars, theme.point_line, theme.part_line):
        assert contrast(line, theme.base) >= 3


def test_theme_files_are_whole(qapp: object) -> None:
    for theme in (LIGHT, DARK):
        assert "$" not in style_sheet(theme)
        assert palette(theme).windowText().color().name() == theme.text


def test_every_action_has_its_icon_menu_and_method(qapp: object) -> None:
    from app.main_window import MainWindow

    keys = [key for spec in ACTIONS for key in spec.keys]
    assert len(set(keys)) == len(keys), "no key does two things"
    for spec in ACTIONS:
        assert spec.menu in MENUS
        assert hasattr(MainWindow, f"do_{spec.id}")
        if spec.icon:
            assert not icon(spec.icon, LIGHT).isNull()


# -- numbers


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0.000"), (3.14159, "3.142"), (1234.6, "1235"), (0.001234, "0.001234"), (None, NOTHING)]
)
def test_numbers_carry_their_digits(value: float | None, text: str) -> None:
    assert number(value) == text


@given(st.floats(min_value=1e-3, max_value=1e6))
def test_four_digits_are_within_one_in_two_thousand(value: float) -> None:
    assert abs(round(value, decimals(value)) - value) <= value / 2000 + 5e-9


def test_durations() -> None:
    assert [duration(s) for s in (0.42, 12.3, 240.0, 7200.0)] == ["0.42 s", "12 s", "4 min", "2.0 h"]


@given(st.integers(min_value=0, max_value=100))
def test_slider_of_the_smallest_defect_comes_back(position: int) -> None:
    assert points_of(position) >= 1
    assert abs(slider_of(points_of(position)) - position) <= 3


# -- ranges


def _map(values: np.ndarray, kind: MapKind = "score") -> ScoreMap:
    return ScoreMap(values.astype(np.float32), "Map", kind)


@pytest.mark.parametrize(
    ("kind", "expected"), [("weight", (0.0, 1.0)), ("label", (-3.0, 5.0)), ("selection", (-5.0, 5.0))]
)
def test_color_ranges_by_kind(kind: MapKind, expected: tuple[float, float]) -> None:
    low, high = color_range("some", _map(np.array([-3.0, 0.0, 5.0]), kind), None)
    assert (low, high) == pytest.approx(expected, rel=0.01)


def test_a_map_without_values_or_with_one_still_has_a_range() -> None:
    assert color_range(ANOMALY, _map(np.full(5, np.nan)), None) == (0.0, 1.0)
    low, high = color_range(ANOMALY, _map(np.full(5, 2.0)), None)
    assert low < high


def test_chosen_limits_win(qapp: object) -> None:
    field = field_of("some", _map(np.arange(10.0), "height"), "mm", None, (1.0, 2.0))
    assert (field.low, field.high, field.unit) == (1.0, 2.0, "mm")


@given(
    st.lists(st.floats(min_value=-100, max_value=1e6, width=32), min_size=1, max_size=50),
    st.floats(min_value=-50, max_value=1e5),
)
def test_score_range_holds_the_threshold(values: list[float], threshold: float) -> None:
    low, high = score_range([np.array(values, dtype=np.float32)], threshold)
    assert low <= threshold <= high
    assert low < high


def test_histogram_takes_anything(qtbot: QtBot) -> None:
    plot, strip = PointHistogram(), PartStrip()
    qtbot.addWidget(plot)
    qtbot.addWidget(strip)
    nothing = np.full(4, np.nan, dtype=np.float32)
    for values in (None, nothing, np.zeros(3, np.float32), np.array([0, 1e9], np.float32)):
        plot.set_scores(values, None, None)
        plot.set_scores(values, values if values is not nothing else None, 0.5)
        plot.set_logarithmic(False)
        plot.set_threshold(1e7)
        assert plot.line.value() == pytest.approx(1e7)
    for part in (None, float("nan"), float("inf"), 0.0, 1e9):
        strip.set_scores(part, np.array([1.0, 2.0]), 1.5)
        strip.set_scores(part, None, None)


# -- settings


def test_settings_come_back(tmp_path: Path) -> None:
    file = SettingsFile(tmp_path)
    settings = Settings(theme="dark", point_size=4.0, thresholds={"m": {"part": 2.0}})
    settings.remember(Path("/a"))
    file.save(settings)
    assert file.load() == settings


@pytest.mark.parametrize("text", ["", "{", "[]", '{"settings": 3}', '{"settings": {"theme": 7, "unknown": 1}}'])
def test_damaged_settings_cost_only_the_choices(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.json").write_text(text, "utf-8")
    assert SettingsFile(tmp_path).load() == Settings()


def test_settings_keep_what_is_sound() -> None:
    kept = from_mapping({"point_size": 5, "theme": None, "device": "cpu"})
    assert (kept.point_size, kept.theme, kept.device) == (5.0, "system", "cpu")
    assert all(type(getattr(kept, f.name)) is type(getattr(Settings(), f.name)) for f in fields(Settings))


def test_recent_files_are_few_newest_first_without_repeats() -> None:
    settings = Settings()
    for i in range(30):
        settings.remember(Path(f"/scan{i % 15}"))
    assert len(settings.recent) == RECENT_AT_MOST
    assert settings.recent[0] == "/scan14"
    assert len(set(settings.recent)) == len(settings.recent)


def test_settings_that_cannot_be_written_are_no_failure(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text(json.dumps({}))
    SettingsFile(blocked / "below").save(Settings())


# -- forms made from configs


def test_config_form_knows_what_was_changed(stub: ModuleType, qtbot: QtBot) -> None:
    from app.dialogs.config_form import ConfigForm
    from app.work import methods

    (method,) = methods()
    form = ConfigForm(method, "fast")
    qtbot.addWidget(form)
    assert form.changes == {}
    form.field("steps").setValue(7)  # type: ignore[attr-defined]
    form.field("both").setChecked(False)  # type: ignore[attr-defined]
    assert form.changes == {"steps": 7, "both": False}
    form.field("steps").setValue(10**6)  # type: ignore[attr-defined]
    assert form.changes["steps"] == 1000, "the field's own range holds"
    assert "paper" in form.field("steps").toolTip()


@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_every_real_method_has_a_form_that_starts_unchanged(qtbot: QtBot, preset: str) -> None:
    from app.dialogs.config_form import ConfigForm
    from app.work import methods

    methods.cache_clear()
    for method in methods():
        form = ConfigForm(method, preset)
        qtbot.addWidget(form)
        assert form.changes == {}
