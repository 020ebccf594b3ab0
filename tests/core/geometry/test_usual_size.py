"""The usual size of parts, and what is refused for it."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import ScanError
from core.geometry.usual_size import UsualSize

BOX = np.array([[0, 0, 0], [3, 4, 12]], np.float32)


def test_it_is_the_median_diagonal() -> None:
    assert UsualSize.of([BOX, 2 * BOX, 1.1 * BOX], "mm").diagonal == pytest.approx(1.1 * 13)


@pytest.mark.parametrize("factor", [0.41, 1.0, 2.49])
def test_what_differs_little_passes(factor: float) -> None:
    UsualSize(13.0, "mm").check(BOX * np.float32(factor), "scan")


@pytest.mark.parametrize("part", [BOX * 2.6, BOX * 0.39, BOX * 0.001, np.empty((0, 3), np.float32)])
def test_another_size_is_refused_with_both_named(part: np.ndarray) -> None:
    with pytest.raises(ScanError, match=r"Scan s .* mm across, the good parts 13 mm"):
        UsualSize(13.0, "mm").check(part.astype(np.float32), "s")


def test_parts_without_extent_are_refused() -> None:
    with pytest.raises(ScanError, match="no extent"):
        UsualSize.of([BOX[:1], BOX[:0]], "mm")
