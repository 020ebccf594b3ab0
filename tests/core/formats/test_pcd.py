"""PCD files written byte by byte here."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from core.errors import ScanError
from core.formats.lzf import decompress_lzf
from core.formats.reader import read_scan

RNG = np.random.default_rng(5)
POINTS = RNG.normal(size=(12, 3)).astype(np.float32)
RGB = [(i, 2 * i, 255 - i) for i in range(12)]


def head(data: str, *, width: int = 12, height: int = 1, points: int | None = None, rgb_type: str = "U") -> bytes:
    return (
        "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS x _ y z rgb\nSIZE 4 1 4 4 4\n"
        f"TYPE F U F F {rgb_type}\nCOUNT 1 3 1 1 1\nWIDTH {width}\nHEIGHT {height}\nVIEWPOINT 1 2 3 1 0 0 0\n"
        f"POINTS {width * height if points is None else points}\nDATA {data}\n"
    ).encode()


def packed(i: int) -> int:
    red, green, blue = RGB[i]
    return 255 << 24 | red << 16 | green << 8 | blue


def binary() -> bytes:
    return b"".join(struct.pack("<f3BffI", x, 9, 9, 9, y, z, packed(i)) for i, (x, y, z) in enumerate(POINTS))


def lzf_literals(data: bytes) -> bytes:
    return b"".join(bytes([len(data[i : i + 32]) - 1]) + data[i : i + 32] for i in range(0, len(data), 32))


def compressed() -> bytes:
    columns = [POINTS[:, 0].tobytes(), b"\x09" * 36, POINTS[:, 1].tobytes(), POINTS[:, 2].tobytes()]
    body = b"".join(columns) + struct.pack("<12I", *(packed(i) for i in range(12)))
    stream = lzf_literals(body)
    return struct.pack("<II", len(stream), len(body)) + stream


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "scan.pcd"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("data", "body"), [("binary", binary()), ("binary_compressed", compressed())])
def test_binary_and_compressed(tmp_path: Path, data: str, body: bytes) -> None:
    scan = read_scan(written(tmp_path, head(data) + body))
    np.testing.assert_array_equal(scan.points, POINTS)  # VIEWPOINT is not applied
    np.testing.assert_array_equal(scan.colors, RGB)
    assert not scan.organised


@pytest.mark.parametrize("kind", ["U", "F"])
def test_ascii_with_packed_colours(tmp_path: Path, kind: str) -> None:
    rows = []
    for i, (x, y, z) in enumerate(POINTS.tolist()):
        colour = 1 << 16 | i << 8 | 7  # a float whose bits these are is a denormal that text keeps
        text = str(colour) if kind == "U" else repr(struct.unpack("<f", struct.pack("<I", colour))[0])
        rows.append(f"{x!r} 1 2 3 {y!r} {z!r} {text}")
    scan = read_scan(written(tmp_path, head("ascii", rgb_type=kind) + "\n".join(rows).encode()))
    np.testing.assert_array_equal(scan.points, POINTS)
    np.testing.assert_array_equal(scan.colors, [(1, i, 7) for i in range(12)])


def test_organised_with_missing_points(tmp_path: Path) -> None:
    body = bytearray(binary())
    body[19 * 5 : 19 * 5 + 4] = struct.pack("<f", float("nan"))
    scan = read_scan(written(tmp_path, head("binary", width=4, height=3) + bytes(body)))
    assert scan.grid is not None
    assert scan.grid.shape == (3, 4)
    assert scan.grid[1, 1] == -1
    assert len(scan) == 11
    assert scan.file_points == 12
    np.testing.assert_array_equal(scan.points[scan.grid[2, 3]], POINTS[11])
    assert scan.in_file_order(np.arange(11, dtype=np.float32)).shape == (3, 4)


def test_missing_rows_are_remembered(tmp_path: Path) -> None:
    body = bytearray(binary())
    body[0:4] = struct.pack("<f", float("inf"))
    scan = read_scan(written(tmp_path, head("binary") + bytes(body)))
    np.testing.assert_array_equal(scan.rows, np.arange(1, 12))
    assert scan.file_points == 12
    assert any("1 of 12 points" in note for note in scan.notes)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"# nothing\n", "no DATA line"),
        (head("binary")[: -len("DATA binary\n")], "no DATA line"),
        (head("binary", points=13) + binary(), "13 POINTS but WIDTH 12 x HEIGHT 1"),
        (head("binary") + binary()[:-1], "claims 12 points"),
        (head("binary") + binary() * 200, "far more bytes"),
        (head("binary", width=800_000_000) + binary(), "claims 800,000,000 points"),
        (head("binary", width=30_000_000) + binary(), "claims 30,000,000 points"),
        (head("ascii") + b"1 0 0 0 2 3 4\n" * 11, "claims 12 points"),
        (head("ascii") + b"1.5 0 0 0 2 3 4\n" * 11 + b"1.5 0 0 0 2 3\n", "line 23"),
        (head("ascii") + b"1.5 0 0 0 2 3 4\n" * 11 + b"1.5 0 0 0 2 3 x\n", "line 23.*'x' is no number"),
        (head("binary_compressed") + compressed()[:-3], "compressed bytes but holds only"),
        (head("binary_compressed") + b"\1\0\0\0", "ends before|claims"),
        (head("binary_compressed", width=24) + compressed(), "claims 24 points"),
        (head("binary_compressed") + struct.pack("<II", 100, 228) + b"\xff" * 100, "cannot be decompressed"),
        (head("binary_zstd"), "binary_zstd"),
        (head("binary").replace(b"SIZE 4 1 4 4 4", b"SIZE 4 1 4 4"), "SIZE"),
        (head("binary").replace(b"SIZE 4 1 4 4 4", b"SIZE 3 1 4 4 4"), "TYPE F and SIZE 3"),
        (head("binary").replace(b"COUNT 1 3 1 1 1", b"COUNT 1 3000000 1 1 1"), "fields a point"),
        (head("binary").replace(b"FIELDS x _ y z rgb", b"FIELDS a _ b c rgb") + binary(), "no field x or y or z"),
        (head("binary").replace(b"HEIGHT 1", b"DEPTH 1"), "line 8"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(ScanError, match=words) as error:
        read_scan(written(tmp_path, data))
    assert "scan.pcd" in error.value.problem


def test_lzf_by_hand() -> None:
    # a literal "abc", then a match of 6 bytes, 3 back: the format's own description
    stream = b"\x02abc" + bytes([4 << 5, 2])
    assert decompress_lzf(stream, 9).tobytes() == b"abcabcabc"
    # a long match: 7 in the upper bits, length - 9 in the next byte
    assert decompress_lzf(b"\x00a" + bytes([7 << 5, 91, 0]), 101).tobytes() == b"a" * 101


@pytest.mark.parametrize("size", [8, 10])
def test_lzf_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=r"decompress|damaged"):
        decompress_lzf(b"\x02abc" + bytes([4 << 5, 2]), size)


def test_lzf_claim_of_gigabytes_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be"):
        decompress_lzf(b"\x02abc", 4_000_000_000)
