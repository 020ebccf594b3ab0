"""The heatmap's colours."""

from __future__ import annotations

import numpy as np

from core.reporting.colormap import NOT_JUDGED, display_range, heatmap, turbo


def test_turbo_runs_from_blue_over_green_to_red() -> None:
    colors = turbo().astype(int)
    assert colors.shape == (256, 3)
    assert colors[128].argmax() == 1
    assert colors[40].argmax() == 2
    assert colors[230].argmax() == 0
    # neighbours differ by little: no band that is not in the data
    assert np.abs(np.diff(colors, axis=0)).max() <= 14


def test_ends_are_clamped_and_nan_is_grey() -> None:
    shown = heatmap(np.array([-np.inf, 0.0, 0.5, 1.0, np.inf, np.nan], np.float32), 0.0, 1.0)
    np.testing.assert_array_equal(shown[0], turbo()[0])
    np.testing.assert_array_equal(shown[1], turbo()[0])
    np.testing.assert_array_equal(shown[3], turbo()[-1])
    np.testing.assert_array_equal(shown[4], turbo()[-1])
    np.testing.assert_array_equal(shown[5], NOT_JUDGED)


def test_the_range_always_passes_the_threshold() -> None:
    low, high = display_range(np.linspace(0, 1, 1000, dtype=np.float32), 3.0)
    assert low < 0.1
    assert high > 3.0
    assert display_range(np.full(5, np.nan, np.float32), 1.0) == (0.0, 1.0)
    low, high = display_range(np.full(5, 2.0, np.float32), 2.0)
    assert high > low
