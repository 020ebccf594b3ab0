"""LAS, LAZ and E57: the extras."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ScanError
from core.formats.reader import read_scan

PLACE = np.array([400_000, 5_000_000, 100])
POINTS = np.round(np.random.default_rng(2).uniform(0, 10, (40, 3)), 3) + PLACE


def las(path: Path) -> None:
    laspy = pytest.importorskip("laspy")
    header = laspy.LasHeader(point_format=2, version="1.2")
    header.offsets, header.scales = [400_000, 5_000_000, 0], [0.001] * 3
    data = laspy.LasData(header)
    data.x, data.y, data.z = POINTS.T
    data.red = np.arange(40) * 257
    data.write(str(path))


def e57(path: Path, scans: int = 1) -> None:
    pye57 = pytest.importorskip("pye57")
    file = pye57.E57(str(path), mode="w")
    for _ in range(scans):
        file.write_scan_raw({f"cartesian{a}": POINTS[:, i].copy() for i, a in enumerate("XYZ")})
    file.close()


@pytest.mark.parametrize("name", ["a.las", "a.laz", "a.e57"])
def test_far_coordinates_keep_their_detail(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    (e57 if name == "a.e57" else las)(path)
    scan = read_scan(path, unit="m")
    note = next(n for n in scan.notes if "origin" in n)
    origin = np.array([float(word) for word in note.split("(")[1].rstrip(")").split(",")])
    np.testing.assert_allclose(scan.points + origin, POINTS, atol=6e-4)
    if name != "a.e57":
        np.testing.assert_array_equal(scan.colors[:, 0], np.arange(40))


def test_e57_scans_are_joined_and_the_unit_is_doubted(tmp_path: Path) -> None:
    e57(tmp_path / "a.e57", scans=2)
    scan = read_scan(tmp_path / "a.e57", unit="mm")
    assert len(scan) == 80
    assert any("2 scans" in note for note in scan.notes)
    assert any("metres" in note for note in scan.notes)


@pytest.mark.parametrize(("name", "module", "extra"), [("a.laz", "laspy", "las"), ("a.e57", "pye57", "e57")])
def test_a_missing_extra_is_named(
    tmp_path: Path, name: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    (e57 if name == "a.e57" else las)(path)
    real = builtins.__import__

    def without(wanted: str, *args: Any, **kwargs: Any) -> Any:
        if wanted == module:
            raise ImportError(wanted)
        return real(wanted, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ScanError, match="not installed") as error:
        read_scan(path)
    assert f"nominal[{extra}]" in error.value.remedy


def test_las_that_counts_more_than_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "a.las"
    las(path)
    data = bytearray(path.read_bytes())
    for offset, words in ((107, "claims .* points"), (100, "variable records")):
        broken = data.copy()
        broken[offset : offset + 4] = (40_000_000).to_bytes(4, "little")
        path.write_bytes(broken)
        with pytest.raises(ScanError, match=words):
            read_scan(path)


def test_laz_whose_chunk_table_claims_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "a.laz"
    las(path)
    data = bytearray(path.read_bytes())
    start = int.from_bytes(data[96:100], "little")
    table = int.from_bytes(data[start : start + 8], "little")
    data[table + 4 : table + 8] = b"\xff\xff\xff\x7f"
    path.write_bytes(data)
    with pytest.raises(ScanError, match="table of its compressed chunks"):
        read_scan(path)


def test_cut_e57(tmp_path: Path) -> None:
    e57(tmp_path / "a.e57")
    (tmp_path / "a.e57").write_bytes((tmp_path / "a.e57").read_bytes()[:1000])
    with pytest.raises(ScanError, match="cannot be read as E57"):
        read_scan(tmp_path / "a.e57")
