"""Labels from a list of points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import ScanError
from core.formats.reader import read_scan

RNG = np.random.default_rng(4)
POINTS = RNG.uniform(0, 50, (300, 3)).round(4)
DEFECT = POINTS[:, 0] < 10


def files(tmp_path: Path, points: np.ndarray, labels: np.ndarray, delimiter: str) -> tuple[Path, Path]:
    scan, truth = tmp_path / "a.xyz", tmp_path / "a.txt"
    np.savetxt(scan, POINTS, fmt="%.4f")
    np.savetxt(truth, np.column_stack([points, labels]), fmt="%.4f", delimiter=delimiter)
    return scan, truth


@pytest.mark.parametrize("delimiter", [" ", ",", ", "])
@pytest.mark.parametrize("how", ["same order", "shuffled", "thinned"])
def test_labels_follow_the_points(tmp_path: Path, delimiter: str, how: str) -> None:
    order = {"same order": np.arange(300), "shuffled": RNG.permutation(300), "thinned": np.arange(0, 300, 2)}[how]
    scan, truth = files(tmp_path, POINTS[order], DEFECT[order], delimiter)
    labels = read_scan(scan, ground_truth=truth).labels
    kept = slice(None) if how != "thinned" else order
    np.testing.assert_array_equal(labels[kept], DEFECT[kept])


def test_truth_of_another_scan_is_refused(tmp_path: Path) -> None:
    scan, truth = files(tmp_path, POINTS[::2] + 500, DEFECT[::2], " ")
    with pytest.raises(ScanError, match=r"a\.txt does not lie on"):
        read_scan(scan, ground_truth=truth)


def test_damaged_truth_is_named(tmp_path: Path) -> None:
    scan, truth = files(tmp_path, POINTS, DEFECT, " ")
    truth.write_text("1 2 3 0\n1 2 3\n")
    with pytest.raises(ScanError, match=r"a\.txt, line 2"):
        read_scan(scan, ground_truth=truth)


def test_a_mask_needs_a_grid(tmp_path: Path) -> None:
    scan, _ = files(tmp_path, POINTS, DEFECT, " ")
    Image.new("L", (5, 5)).save(tmp_path / "m.png")
    with pytest.raises(ScanError, match="lies on no grid"):
        read_scan(scan, ground_truth=tmp_path / "m.png")
    with pytest.raises(ScanError, match="no ground truth"):
        read_scan(scan, ground_truth=tmp_path / "m.docx")
