"""Columns of text: known by header or by values, else refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import ScanError
from core.formats.reader import read_scan
from core.formats.text import holds_numbers

ROWS = [(0.5, 1, 2), (3, 4.25, 5), (-6, 7, 8e-1)]


def written(tmp_path: Path, text: str | bytes, name: str = "scan.xyz") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("separator", [" ", "\t", "   ", ",", ", ", ";", "; ", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters(tmp_path: Path, separator: str, end: str) -> None:
    text = end.join(separator.join(map(str, row)) for row in ROWS) + end
    np.testing.assert_array_equal(read_scan(written(tmp_path, text, "scan.csv")).points, np.array(ROWS, np.float32))


@pytest.mark.parametrize("separator", [";", "\t", " "])
def test_decimal_commas(tmp_path: Path, separator: str) -> None:
    text = "\n".join(separator.join(f"{value:.3f}".replace(".", ",") for value in row) for row in ROWS)
    scan = read_scan(written(tmp_path, text, "scan.csv"))
    np.testing.assert_array_equal(scan.points, np.array(ROWS, np.float32))
    assert "decimal points" in scan.notes[0]


@pytest.mark.parametrize(
    "first",
    ["x y z label", "# X Y Z Label", "//X Y Z scalar_label", "X [mm] Y [mm] Z [mm] label", '"x";"y";"z";"label"'],
)
def test_headers(tmp_path: Path, first: str) -> None:
    separator = ";" if ";" in first else " "
    text = first + "\n" + "\n".join(separator.join(map(str, (*row, i + 3))) for i, row in enumerate(ROWS))
    scan = read_scan(written(tmp_path, text))
    np.testing.assert_array_equal(scan.points, np.array(ROWS, np.float32))
    np.testing.assert_array_equal(scan.labels, [True, True, True])


def test_unknown_columns_of_a_header_are_noted(tmp_path: Path) -> None:
    scan = read_scan(written(tmp_path, "z,deviation,y,x\n1,9,2,3\n4,9,5,6\n7,9,8,10\n", "scan.csv"))
    np.testing.assert_array_equal(scan.points, [[3, 2, 1], [6, 5, 4], [10, 8, 7]])
    assert "columns not used: deviation" in scan.notes


def test_encodings(tmp_path: Path) -> None:
    text = "x\ty\tz\n1\t2\t3\n4\t5\t6\n7\t8\t10\n"
    for data in (text.encode("utf-16"), b"\xef\xbb\xbf" + text.encode()):
        assert len(read_scan(written(tmp_path, data, "scan.txt"))) == 3


def test_six_columns_of_unit_length_are_normals(tmp_path: Path) -> None:
    scan = read_scan(written(tmp_path, "0 0 0 0.6 0.8 0\n1 0 0 0 0 1\n0 1 0 1 0 0\n"))
    np.testing.assert_allclose(scan.normals, [[0.6, 0.8, 0], [0, 0, 1], [1, 0, 0]], atol=1e-7)
    assert scan.colors is None


def test_six_columns_of_whole_numbers_are_colours(tmp_path: Path) -> None:
    scan = read_scan(written(tmp_path, "0 0 0 255 0 1\n1 0 0 2 3 4\n0 1 0 0 0 0\n"))
    np.testing.assert_array_equal(scan.colors, [[255, 0, 1], [2, 3, 4], [0, 0, 0]])


def test_ten_columns_that_leave_no_doubt(tmp_path: Path) -> None:
    scan = read_scan(written(tmp_path, "0 0 0 255 0 1 0 0 1 0\n1 0 0 2 3 4 0 1 0 1\n0 1 0 0 0 0 1 0 0 0\n"))
    assert scan.normals is not None
    assert scan.colors is not None
    np.testing.assert_array_equal(scan.labels, [False, True, False])


def test_four_columns_of_zero_and_one_are_labels(tmp_path: Path) -> None:
    np.testing.assert_array_equal(
        read_scan(written(tmp_path, "0 0 0 0\n1 0 0 1\n0 1 0 0\n")).labels, [False, True, False]
    )


def test_suffixes_that_fix_the_columns(tmp_path: Path) -> None:
    rgb = read_scan(written(tmp_path, "0 0 0 0 0.5 1\n1 0 0 0 0 0\n0 1 0 1 1 1\n", "scan.xyzrgb"))
    np.testing.assert_array_equal(rgb.colors, [[0, 128, 255], [0, 0, 0], [255, 255, 255]])
    pts = read_scan(written(tmp_path, "3\n0 0 0 -120 1 2 3\n1 0 0 5 4 5 6\n0 1 0 7 7 8 9\n", "scan.pts"))
    np.testing.assert_array_equal(pts.colors, [[1, 2, 3], [4, 5, 6], [7, 8, 9]])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 0 0 0.5\n1 0 0 0.7\n0 1 0 0.1\n", "4 columns and no header"),
        ("0 0 0 0.5 300 2\n1 0 0 1 2 3\n0 1 0 1 1 1\n", "6 columns and no header"),
        ("0 0 0 0 0 1\n1 0 0 0 1 0\n0 1 0 1 0 0\n1 1 1 0.2 0 0\n", "columns 4 to 6"),
        ("0 0 0 1 2\n1 0 0 1 2\n0 1 0 1 2\n", "5 columns"),
        ("1 2\n3 4\n5 6\n", "2 columns, too few"),
        ("x y z a\n1 2 3\n4 5 6\n", "names 4 columns but its rows have 3"),
    ],
)
def test_ambiguous_columns_show_the_first_lines(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ScanError, match=words) as error:
        read_scan(written(tmp_path, text))
    assert text.split("\n")[0] in error.value.problem
    assert "columns' names" in error.value.remedy


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("Dear reader,\nno numbers here.\n", "no row of numbers"),
        ("# only comments\n" * 50, "no row of numbers"),
        ("1 2 3\n4 5 6\n7 8\n", "line 3.*2 values where 3"),
        ("# header\n\n1 2 3\n4 5 6\n\n7 8 nine\n", "line 6.*'nine'"),
        ("1,2,3\n4,5,\n7,8,9\n", "line 2"),
        ("5\n1 2 3\n4 5 6\n7 8 9\n", "claims 5 points but holds 3"),
        ("1 2 3\n1 2 3\n1 2 3\n", "only one point"),
        ("1 2 3\n4 5 6\n1 2 3\n", "only two different"),
        ("nan nan nan\n" * 4, "no measured point"),
        (" ".join(["1"] * 1_000_000), "letters"),
        (" ".join(["1"] * 2_000) + "\n", "2,000 columns"),
        (b"1 2 3\n\0\0\0", "binary|no text"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(ScanError, match=words) as error:
        read_scan(written(tmp_path, text))
    assert "scan.xyz" in error.value.problem


def test_holds_numbers(tmp_path: Path) -> None:
    assert holds_numbers(written(tmp_path, "x y z\n1 2 3\n"))
    assert not holds_numbers(written(tmp_path, "Readme\nThis part has 3 holes.\n"))
