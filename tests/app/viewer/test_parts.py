"""The arithmetic behind the view, without a window."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QLocale

from app.viewer.axes import nice_length
from app.viewer.camera import STANDARD_VIEWS, Pose, Projection, first_view, framing, unit
from app.viewer.colormaps import SCORE_MAPS, categorical, diverging, sequential
from app.viewer.detail import Detail, display_order, surface_spacing
from app.viewer.legend import nice_ticks, number
from app.viewer.overlays import box_corners
from app.viewer.redraw import Redraw
from core.scan import Scan


def test_display_order_is_a_seeded_thinning() -> None:
    order = display_order(10_000, 2_500)
    assert len(np.unique(order)) == 2_500
    assert np.array_equal(order, display_order(10_000, 2_500))
    few = order[:500]  # its beginning is spread over everything
    assert np.histogram(few, bins=10, range=(0, 10_000))[0].min() > 25


@pytest.mark.parametrize("strewn", [True, False])
def test_spacing_of_a_surface(strewn: bool) -> None:
    rng = np.random.default_rng(1)
    if strewn:
        points = np.c_[rng.uniform(0, 100, (40_000, 2)), np.zeros(40_000)]
    else:
        x, y = np.meshgrid(np.arange(200) * 0.5, np.arange(200) * 0.5)
        points = np.c_[x.ravel(), y.ravel(), np.zeros(x.size)]
    points = points[rng.permutation(len(points))].astype(np.float32)
    assert surface_spacing(points) == pytest.approx(0.5, rel=0.15)  # sqrt(100² / 40,000)


def test_detail_follows_the_speed_of_the_renderer() -> None:
    detail = Detail(moving_limit=200_000)
    detail.reset(1_000_000)
    assert detail.shown == 1_000_000
    detail.measured(500.0)
    detail.moving = True
    assert detail.shown == 200_000
    for _ in range(20):
        detail.measured(90.0)
    slow = detail.shown
    assert 30_000 < slow < 100_000
    assert detail.lagging
    for _ in range(20):
        detail.measured(5.0)
    assert detail.shown == 200_000
    detail.moving = False
    detail.measured(6.0)
    detail.moving = True
    assert detail.shown == 1_000_000  # fast enough to need no thinning
    detail.reset(50)
    assert detail.shown == 50


def test_detail_can_be_held() -> None:
    detail = Detail(moving_limit=100, adaptive=False)
    detail.reset(1_000)
    detail.moving = True
    for _ in range(5):
        detail.measured(1_000.0)
    assert detail.shown == 100
    assert not detail.lagging


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 9))
def test_ticks_are_round_few_and_inside(low: float, span: float, most: int) -> None:
    ticks = nice_ticks(low, low + span, most)
    assert len(ticks) <= most
    slack = 1e-5 * span + 1e-9 * abs(low)
    assert all(low - slack <= tick <= low + span + slack for tick in ticks)


def test_ticks_of_ordinary_ranges() -> None:
    assert nice_ticks(0.0, 1.0, 6) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert nice_ticks(-3.0, 3.0, 7) == pytest.approx([-3, -2, -1, 0, 1, 2, 3])
    assert nice_ticks(1.0, 1.0, 6) == []
    assert nice_ticks(0.0, float("inf"), 6) == []


def test_numbers_are_short_and_signed() -> None:
    QLocale.setDefault(QLocale.c())
    assert number(0.25, 1.0) == "0.25"
    assert number(1.0, 1.0) == "1"
    assert number(0.5, 6.0, signed=True) == "+0.5"
    assert number(-0.5, 6.0, signed=True) == "-0.5"
    assert number(0.0, 6.0, signed=True) == "0"
    assert number(20.0, 20.0) == "20"
    assert number(100.0, 100.0) == "100"
    assert number(1.234e-5) == "1.23e-05"


@given(st.floats(1e-5, 1e6))
def test_the_scale_bar_is_round_and_fits(most: float) -> None:
    length = nice_length(most)
    assert most / 2.6 < length <= most * (1 + 1e-8)
    assert float(f"{length:.0e}") == pytest.approx(length)
    assert f"{length:.0e}"[0] in "125"


def test_a_flight_turns_evenly_and_arrives() -> None:
    start = Pose(np.zeros(3), unit([1, 0, 0]), unit([0, 0, 1]), 10.0)
    end = Pose(np.array([1.0, 2, 3]), unit([0, 1, 0]), unit([0, 0, 1]), 40.0)
    half = start.towards(end, 0.5)
    np.testing.assert_allclose(half.direction, unit([1, 1, 0]), atol=1e-6)
    assert half.distance == pytest.approx(20.0)
    np.testing.assert_allclose(start.towards(end, 1.0).eye, end.eye, atol=1e-6)
    np.testing.assert_allclose(start.towards(end, 0.0).eye, start.eye, atol=1e-6)
    opposite = Pose(np.zeros(3), unit([-1, 0, 0]), unit([0, 0, 1]), 10.0)
    for share in np.linspace(0, 1, 11):
        between = start.towards(opposite, float(share))
        assert np.linalg.norm(between.direction) == pytest.approx(1.0)
        assert np.linalg.norm(between.eye) == pytest.approx(10.0)


@settings(max_examples=40)
@given(
    st.sampled_from(sorted(STANDARD_VIEWS)),
    st.floats(0.4, 3.0),
    st.lists(st.floats(0.1, 100.0), min_size=3, max_size=3),
)
def test_framing_holds_every_point(name: str, aspect: float, size: list[float]) -> None:
    points = (np.random.default_rng(5).uniform(-1, 1, (200, 3)) * size + 7).astype(np.float32)
    direction, up = STANDARD_VIEWS[name]
    pose = framing(points, Pose(np.zeros(3), unit(direction), unit(up), 1.0), aspect)
    right, upward, back = pose.axes()
    local = points - pose.eye
    depth = -(local @ back)
    tangent = np.tan(np.radians(15.0))
    assert (depth > 0).all()
    assert (np.abs(local @ right) <= depth * tangent * aspect * 1.0001).all()
    assert (np.abs(local @ upward) <= depth * tangent * 1.0001).all()


def test_projection_of_a_known_matrix() -> None:
    # a pinhole at the origin looking along +z with w = z
    matrix = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -1], [0, 0, 1, 0]])
    pixels, depth = Projection(matrix, 200, 100)(
        np.array([[0, 0, 2], [1, 0, 2], [0, 1, 2], [0, 0, -1]], dtype=np.float32)
    )
    np.testing.assert_allclose(pixels[:3], [[100, 50], [150, 50], [100, 25]])
    np.testing.assert_allclose(depth[:3], 0.5)
    assert np.isnan(pixels[3]).all()


def test_an_organised_scan_is_first_seen_as_its_sensor_saw_it() -> None:
    # image right is +x, image down is +y: the sensor looks along +z
    x, y = np.meshgrid(np.arange(8.0), np.arange(6.0))
    scan = Scan(
        points=np.stack([x.ravel(), y.ravel(), np.full(48, 500.0)], axis=1).astype(np.float32),
        grid=np.arange(48, dtype=np.int32).reshape(6, 8),
    )
    direction, up = first_view(scan)
    assert direction[2] < -0.8
    assert up @ [0, -1, 0] > 0.8
    line = Scan(points=np.zeros((1, 3), np.float32), grid=np.zeros((1, 1), np.int32))
    assert np.isfinite(first_view(line)[0]).all()


def test_box_corners_are_padded() -> None:
    corners = box_corners([[0, 0, 0], [1, 2, 3]], 0.5)
    assert corners.shape == (8, 3)
    np.testing.assert_allclose(corners.min(axis=0), -0.5)
    np.testing.assert_allclose(corners.max(axis=0), [1.5, 2.5, 3.5])


def test_colour_maps() -> None:
    for name in SCORE_MAPS:
        assert sequential(name).shape == (256, 3)
        assert len(np.unique(sequential(name), axis=0)) > 200
        assert sequential(name).max(axis=1).min() > 60  # nothing as dark as the dark theme's ground
    middle, low, high = diverging()[127].astype(int), diverging()[0], diverging()[255]
    assert np.ptp(middle) < 12
    assert low[2] > low[0]
    assert high[0] > high[2]
    assert len(np.unique(categorical(10), axis=0)) == 10
    assert len(categorical(23)) == 23


def test_redraws_are_collected(qtbot: object) -> None:
    drawn: list[frozenset[str]] = []
    redraw = Redraw(drawn.append)
    redraw.request("a")
    redraw.request("b", "a")
    assert redraw.pending == {"a", "b"}
    qtbot.waitUntil(lambda: bool(drawn))  # type: ignore[attr-defined]
    assert drawn == [{"a", "b"}]
    redraw.request("c")
    redraw.stop()
    redraw.request("d")
    qtbot.wait(60)  # type: ignore[attr-defined]
    assert len(drawn) == 1


def test_a_failing_draw_does_not_stop_the_next(qtbot: object, caplog: pytest.LogCaptureFixture) -> None:
    drawn: list[frozenset[str]] = []

    def draw(names: frozenset[str]) -> None:
        if "bad" in names:
            raise RuntimeError("cannot")
        drawn.append(names)

    redraw = Redraw(draw)
    with caplog.at_level(logging.ERROR):
        redraw.request("bad")
        redraw.flush()
    assert "bad" in caplog.text
    redraw.request("good")
    redraw.flush()
    assert drawn == [{"good"}]
    redraw.stop()
