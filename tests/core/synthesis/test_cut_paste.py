"""Cut-Paste: noise, pieces, augmentation, and where the heights come from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from core.synthesis.cut_paste import CutPasteOptions, augmented, cut_paste, perlin_noise, pieces

STILL = CutPasteOptions(angle=0.0, translate=0.0, zoom=(1.0, 1.0), flips=False)


def disc(size: int = 112, radius: float = 45.0) -> np.ndarray:
    y, x = np.indices((size, size)) - (size - 1) / 2
    return np.hypot(x, y) <= radius


def surface(slope: float = 0.0, part: np.ndarray | None = None) -> np.ndarray:
    part = disc() if part is None else part
    y = np.indices(part.shape)[0]
    return np.where(part, slope * y, np.nan).astype(np.float32)


def test_noise_is_zero_at_its_grid_and_smooth_between() -> None:
    noise = perlin_noise(64, (4, 8), np.random.default_rng(0))
    assert np.abs(noise[::16, ::8]).max() < 1e-6
    assert np.abs(noise).max() <= 1.0 + 1e-6
    assert np.abs(np.diff(noise, axis=0)).max() < 0.5
    assert noise.std() > 0.1


def test_the_same_state_gives_the_same_noise() -> None:
    one, other = (perlin_noise(32, (2, 2), np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one, other)


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_pieces_lie_on_the_part_up_to_their_growth(seed: int) -> None:
    part = disc()
    grown = ndimage.binary_dilation(part, np.ones((3, 3)))
    found = pieces(part, np.random.default_rng(seed), CutPasteOptions())
    assert found
    for piece in found:
        assert piece.shape == part.shape
        assert not (piece & ~grown).any()
        assert piece.any()


def test_pieces_have_the_sizes_that_are_asked_for() -> None:
    options = CutPasteOptions(noise_size=112)
    for seed in range(5):
        found = pieces(disc(), np.random.default_rng(seed), options)
        for piece in found:
            shrunk = ndimage.binary_erosion(piece, np.ones((3, 3)))
            assert shrunk.sum() <= options.most
            assert piece.sum() >= options.least
        assert sum(int(p.sum()) for p in found) >= options.total


def test_a_tiny_part_still_gives_a_piece() -> None:
    part = np.zeros((50, 50), bool)
    part[20:23, 20:23] = True
    assert len(pieces(part, np.random.default_rng(0), CutPasteOptions())) == 1
    assert pieces(np.zeros((9, 9), bool), np.random.default_rng(0), CutPasteOptions()) == []


def test_no_augmentation_changes_nothing() -> None:
    heights = surface(0.1)
    same, origin = augmented(heights, np.random.default_rng(0), STILL)
    assert np.array_equal(same, heights, equal_nan=True)
    shown = np.isfinite(heights)
    assert np.array_equal(origin[shown], np.flatnonzero(shown.ravel()))
    assert (origin[~shown] == -1).all()


def test_augmentation_says_where_each_pixel_is_from() -> None:
    heights = surface(0.1)
    turned, origin = augmented(heights, np.random.default_rng(3), CutPasteOptions())
    shown = np.isfinite(turned)
    assert shown.any()
    assert np.array_equal(turned[shown], heights.ravel()[origin[shown]])
    assert (origin[~shown] == -1).all()


def test_pasted_heights_are_the_sources_about_the_targets_mean() -> None:
    target, source = surface(0.0), surface(0.05)
    pasted = cut_paste(target, source, np.random.default_rng(1), replace(STILL, shift=(1.0, 1.0)))
    named, count = ndimage.label(pasted.mask, structure=np.ones((3, 3)))
    assert count
    for i in range(1, count + 1):
        piece = named == i
        levels = pasted.heights[piece] - source.ravel()[pasted.source[piece]]
        if np.ptp(levels) < 1e-4:  # one piece alone: constant = shift - mean of the source + mean of the target (0)
            mean = source.ravel()[pasted.source[piece]].mean()
            assert abs(abs(float(levels[0] + mean)) - 1.0) < 1e-4


def test_outside_of_the_pieces_nothing_changes() -> None:
    target = surface(0.02)
    pasted = cut_paste(target, surface(-0.1), np.random.default_rng(2), CutPasteOptions())
    assert pasted.mask.any()
    assert np.array_equal(pasted.heights[~pasted.mask], target[~pasted.mask], equal_nan=True)
    assert np.isfinite(pasted.heights[pasted.mask]).all()
    assert (pasted.source[pasted.mask] >= 0).all()
    assert (pasted.source[~pasted.mask] == -1).all()


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_pieces_off_the_target_are_moved_onto_it(seed: int) -> None:
    part = np.zeros((112, 112), bool)
    part[5:40, 5:40] = True
    other = np.zeros((112, 112), bool)
    other[60:110, 60:110] = True
    pasted = cut_paste(surface(0.0, part), surface(0.01, other), np.random.default_rng(seed), STILL)
    assert pasted.mask.any()
    assert not (pasted.mask & ~part).any()


def test_the_shift_is_in_its_range_either_way() -> None:
    target, found = surface(0.0), []
    for seed in range(30):
        pasted = cut_paste(target, surface(0.0), np.random.default_rng(seed), CutPasteOptions())
        found += list(np.unique(np.round(pasted.heights[pasted.mask], 5)))
    values = np.array(found)
    assert (np.abs(values) >= 0.2 - 1e-4).all()
    assert (np.abs(values) <= 2.0 + 1e-4).all()
    assert (values > 0).any()
    assert (values < 0).any()


def test_nothing_to_paste_is_refused() -> None:
    empty = np.full((112, 112), np.nan, np.float32)
    for target, source in ((empty, surface()), (surface(), empty), (surface(), surface()[:50])):
        with pytest.raises(ValueError, match="show something"):
            cut_paste(target, source, np.random.default_rng(0), CutPasteOptions())
